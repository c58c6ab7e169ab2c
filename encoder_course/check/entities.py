"""Checks of notebook 09: named entity recognition."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from encoder_course.check.base import Exercise, Misconception

Found = list[tuple[int, int, str]]  # first word, the word after the last one, label
IGNORED = -100  # the label that PyTorch's cross-entropy leaves out


def _spans_with(
    starts: Callable[[str, str], bool], *, stray: bool = True, last: int = 1, close: bool = True
) -> Callable[[Sequence[str]], Found]:
    """Spans of tags, where `starts(tag, tag before)` says that a new one begins."""

    def spans(tags: Sequence[str]) -> Found:
        found: Found = []
        for word, (before, tag) in enumerate(zip(["O", *tags], tags, strict=False)):
            if tag == "O":
                continue
            if starts(tag, before):
                found.append((word, word + last, tag[2:]))
            elif found and found[-1][1] == word - 1 + last:
                found[-1] = (found[-1][0], word + last, found[-1][2])
        if not stray:
            found = [span for span in found if tags[span[0]].startswith("B-")]
        return found if close else [span for span in found if span[1] - last < len(tags) - 1]

    return spans


def _starts(tag: str, before: str) -> bool:
    return tag.startswith("B-") or before[2:] != tag[2:]


spans_of_tags = Exercise(
    number="9.1",
    title="from tags to spans",
    difficulty=3,
    minutes=15,
    reference=_spans_with(_starts),
    cases=lambda: {
        "O B-PARTY I-PARTY O B-DATE": ("O B-PARTY I-PARTY O B-DATE".split(),),
        "B-PARTY B-PARTY I-PARTY I-DATE O": ("B-PARTY B-PARTY I-PARTY I-DATE O".split(),),
        "O I-MONEY I-MONEY O": ("O I-MONEY I-MONEY O".split(),),
        "no tag": ([],),
    },
    misconceptions=(
        Misconception(
            "neighbours merge",
            "two names that stand side by side become one: a B begins a span, even right behind"
            " another one",
            _spans_with(lambda tag, before: before[2:] != tag[2:]),
        ),
        Misconception(
            "end included",
            "the second number is the place of the last word; a span ends *before* its end, as in"
            " `words[first:end]`",
            _spans_with(_starts, last=0),
        ),
        Misconception(
            "stray insides dropped",
            "an I that continues nothing is dropped: here it begins a span, as in the shared task"
            " that entity F1 comes from",
            _spans_with(_starts, stray=False),
        ),
        Misconception(
            "label ignored",
            "an I-DATE goes on with a PARTY: an I continues only a span of its own label",
            _spans_with(lambda tag, before: tag.startswith("B-") or before == "O"),
        ),
        Misconception(
            "last one lost",
            "a span that reaches the last word is missing: what is open when the words end must be"
            " closed, too",
            _spans_with(_starts, close=False),
        ),
        Misconception(
            "a span per word",
            "every tagged word is a span of its own: an I goes on with the span before it",
            _spans_with(lambda tag, before: True),
        ),
    ),
    spoilers=('startswith("B-")', "before[2:]"),
)


def _labels_with(
    rule: Callable[[list[int], int], bool], other: int = IGNORED, special: int = IGNORED
) -> Callable[[Sequence[int], Sequence[int | None]], list[int]]:
    """A label for each token: that of its word where `rule(tokens of the word, token)` holds."""

    def labels(tags: Sequence[int], word_ids: Sequence[int | None]) -> list[int]:
        tokens = {w: [t for t, word in enumerate(word_ids) if word == w] for w in set(word_ids)}
        return [
            special if word is None else tags[word] if rule(tokens[word], token) else other
            for token, word in enumerate(word_ids)
        ]

    return labels


def _unmoved(tags: Sequence[int], word_ids: Sequence[int | None]) -> list[int]:
    return [*tags, *[IGNORED] * len(word_ids)][: len(word_ids)]


labels_of_tokens = Exercise(
    number="9.2",
    title="labels of sub-words",
    difficulty=2,
    minutes=10,
    reference=_labels_with(lambda tokens, token: token == tokens[0]),
    cases=lambda: {
        "[CLS] ottoline gr ##aves pays [SEP]": ([1, 2, 0], [None, 0, 1, 1, 2, None]),
        "[CLS] ko ##rh ##onen owe ##s kr ##onor [SEP] [PAD]": (
            [3, 0, 5],
            [None, 0, 0, 0, 1, 1, 2, 2, None, None],
        ),
    },
    misconceptions=(
        Misconception(
            "every piece",
            "every piece carries the label of its word: with B on three pieces the model learns"
            " that one name is three, and long words count more than short ones",
            _labels_with(lambda tokens, token: True),
        ),
        Misconception(
            "last piece",
            "the label stands on the last piece of a word: here the first one is to carry it",
            _labels_with(lambda tokens, token: token == tokens[-1]),
        ),
        Misconception(
            "special tokens are O",
            "[CLS], [SEP] and [PAD] have the label 0, which means O: the loss must leave them out,"
            " or they count as words that are easily right",
            _labels_with(lambda tokens, token: token == tokens[0], special=0),
        ),
        Misconception(
            "pieces are O",
            "the second piece of a word has the label 0, which means O: the loss must leave it"
            " out, or the model learns that a name ends within a word",
            _labels_with(lambda tokens, token: token == tokens[0], other=0),
        ),
        Misconception(
            "not moved",
            "the labels stand in the order of the words, as if each word were one token and [CLS]"
            " were none",
            _unmoved,
        ),
        Misconception(
            "single pieces only",
            "only words that are one piece have a label: most names are cut in pieces, and of"
            " those nothing would be learnt",
            _labels_with(lambda tokens, token: len(tokens) == 1),
        ),
    ),
    spoilers=("tokens[0]", "word_ids[t - 1]", "previous"),
)


border = Exercise(
    number="9.3",
    title="one border off",
    difficulty=1,
    minutes=5,
    reference=4 / 9,
    misconceptions=(
        Misconception(
            "overlap counts",
            "a span with one word too many counts as right here, and a lawyer would have the wrong"
            " name: all of it must be right",
            6 / 9,
        ),
        Misconception("precision", "this is the share of *predicted* spans that are right", 2 / 4),
        Misconception("recall", "this is the share of *true* spans that are found", 2 / 5),
        Misconception(
            "plain mean",
            "close: this is the plain mean of precision and recall, and F1 is their harmonic mean",
            0.45,
        ),
        Misconception(
            "half a point",
            "no half points: a span with one word too many is missed *and* something is invented",
            5 / 9,
        ),
        Misconception(
            "all together",
            "this divides by all spans of both sides, each once: F1 weighs the right ones double",
            2 / 7,
        ),
    ),
)


def _counts(
    true: Sequence[Found], predicted: Sequence[Found], key: Callable = tuple
) -> tuple[int, int, int]:
    """How many spans are right, predicted and true."""
    pairs = list(zip(true, predicted, strict=True))
    right = sum(len({*map(key, t)} & {*map(key, p)}) for t, p in pairs)
    return right, sum(map(len, predicted)), sum(map(len, true))


def _score(right: int, found: int, wanted: int) -> float:
    return 2 * right / max(found + wanted, 1)


def _f1(true: Sequence[Found], predicted: Sequence[Found]) -> float:
    return _score(*_counts(true, predicted))


def _one_heap(true: Sequence[Found], predicted: Sequence[Found]) -> float:
    """All texts as one set of spans."""
    wanted, found = ({span for spans in side for span in spans} for side in (true, predicted))
    return _score(len(wanted & found), len(found), len(wanted))


def _touching(true: Sequence[Found], predicted: Sequence[Found]) -> float:
    right = sum(
        any(a < y and x < b and one == other for x, y, other in t)
        for t, p in zip(true, predicted, strict=True)
        for a, b, one in p
    )
    return _score(right, *_counts(true, predicted)[1:])


def _mean_of_texts(true: Sequence[Found], predicted: Sequence[Found]) -> float:
    scores = [_f1([t], [p]) for t, p in zip(true, predicted, strict=True)]
    return sum(scores) / len(scores)


def _by_words(score: Callable[[list, list], float]) -> Callable:
    """A score of the label of each word of each text, None for those outside of spans."""

    def scored(true: Sequence[Found], predicted: Sequence[Found]) -> float:
        sides = []
        for side in (true, predicted):
            labels = []
            for spans, other in zip(side, [*zip(true, predicted, strict=True)], strict=True):
                row: list[str | None] = [None] * max([s[1] for s in other[0] + other[1]], default=0)
                for start, end, label in spans:
                    row[start:end] = [label] * (end - start)
                labels += row
            sides.append(labels)
        return score(*sides)

    return scored


def _accuracy(true: list, found: list) -> float:
    return sum(t == f for t, f in zip(true, found, strict=True)) / max(len(true), 1)


def _word_f1(true: list, found: list) -> float:
    right = sum(t == f is not None for t, f in zip(true, found, strict=True))
    return _score(right, len(found) - found.count(None), len(true) - true.count(None))


entity_f1 = Exercise(
    number="9.4",
    title="entity F1",
    difficulty=3,
    minutes=20,
    reference=_f1,
    cases=lambda: {
        "three texts": (
            [[(0, 2, "PARTY"), (5, 6, "DATE")], [(0, 2, "PARTY")], [(3, 7, "MONEY")]],
            [
                [(0, 2, "PARTY"), (5, 7, "DATE"), (8, 9, "DATE")],
                [(0, 2, "DATE")],
                [(4, 7, "MONEY")],
            ],
        ),
        "two texts with a name at the same place": (
            [[(1, 3, "PARTY")], [(1, 3, "PARTY"), (4, 5, "PARTY")]],
            [[(1, 3, "PARTY")], [(4, 5, "PARTY")]],
        ),
        "nothing there and nothing found": ([[], []], [[], []]),
    },
    misconceptions=(
        Misconception(
            "one heap",
            "spans of different texts fall together where their places are the same: compare text"
            " by text, and add the counts",
            _one_heap,
        ),
        Misconception(
            "precision",
            "this is the precision: what was missed does not count",
            lambda true, predicted: (
                _counts(true, predicted)[0] / max(_counts(true, predicted)[1], 1)
            ),
        ),
        Misconception(
            "recall",
            "this is the recall: what was invented does not count",
            lambda true, predicted: (
                _counts(true, predicted)[0] / max(_counts(true, predicted)[2], 1)
            ),
        ),
        Misconception(
            "overlap counts",
            "a span counts as right where it only overlaps a true one",
            _touching,
        ),
        Misconception(
            "label ignored",
            "a span counts as right whatever its label: a date that is called a party is wrong",
            lambda true, predicted: _score(*_counts(true, predicted, lambda s: tuple(s)[:2])),
        ),
        Misconception(
            "mean of texts",
            "this is the mean over texts: a text with one name then weighs as much as one with"
            " ten. Add the counts of all texts first",
            _mean_of_texts,
        ),
        Misconception(
            "word accuracy",
            "this is the share of *words* whose label is right, most of them outside of all names:"
            " F1 is about whole spans",
            _by_words(_accuracy),
        ),
        Misconception(
            "word F1",
            "you count words: then half of a long name is worth more than all of a short one",
            _by_words(_word_f1),
        ),
    ),
    spoilers=("2 * right", "found + wanted", "set(t) & set(p)"),
)


def _may_follow(before: str | None, after: str) -> bool:
    return not after.startswith("I-") or (before is not None and before[2:] == after[2:])


def _pairs() -> dict[str, tuple]:
    tags = ["O", "B-DATE", "I-DATE", "B-PARTY", "I-PARTY"]
    named = {None: "the start", **{tag: tag for tag in tags}}
    return {f"{named[one]}, then {two}": (one, two) for one in named for two in tags}


may_follow = Exercise(
    number="9.5",
    title="which tag may follow which",
    difficulty=2,
    minutes=10,
    reference=_may_follow,
    cases=_pairs,
    misconceptions=(
        Misconception(
            "I after O",
            "an I may follow O here: it would continue a span that nobody has begun",
            lambda before, after: _may_follow(before, after) or before == "O",
        ),
        Misconception(
            "any label",
            "an I may follow a span of another label here: PARTY does not go on as DATE",
            lambda before, after: (
                not after.startswith("I-") or (before is not None and before != "O")
            ),
        ),
        Misconception(
            "I at the start",
            "a text may begin with an I here: nothing stands before its first word",
            lambda before, after: _may_follow(before, after) or before is None,
        ),
        Misconception(
            "B after O only",
            "a B may follow nothing but O here: two names can stand side by side",
            lambda before, after: (
                before in (None, "O") if after.startswith("B-") else _may_follow(before, after)
            ),
        ),
        Misconception(
            "I after B only",
            "an I may follow nothing but a B here: no name would have more than two words",
            lambda before, after: (
                _may_follow(before, after) and not (before or "").startswith(after[:2])
                if after.startswith("I-")
                else True
            ),
        ),
        Misconception(
            "anything goes",
            "everything may follow everything here: then a model tags words as if they did not"
            " know of each other",
            lambda before, after: True,
        ),
        Misconception(
            "the wrong way round",
            "it looks as if you ask what may stand *before* a tag: the first argument is the tag"
            " of the word before",
            lambda before, after: _may_follow(after, before) if before else True,
        ),
    ),
    spoilers=("before[2:] == after[2:]", 'startswith("I-")'),
)
