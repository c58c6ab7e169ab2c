"""Checks of lab 09: a tagger of names, from the labels of its tokens to what it remembers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception

Place = tuple[int, int]  # first character, and the one after the last
Named = tuple[int, int, str]  # a place and its label

_SHOWN = 0  # the seed of the cases that a student may see
_IGNORED = -100


# ---- lab09.1: labels of tokens


def _tag(word: Place, span: Named) -> str:
    return f"{'B' if word[0] == span[0] else 'I'}-{span[2]}"


def _inside(word: Place, span: Named) -> bool:
    return span[0] <= word[0] and word[1] <= span[1]


def _touches(token: Place, word: Place) -> bool:
    return token[0] < word[1] and word[0] < token[1]


def _token_tags_with(
    tag: Callable[[Place, Named], str] = _tag,
    inside: Callable[[Place, Named], bool] = _inside,
    answers: Callable[[list[int]], list[int]] = lambda tokens: tokens[:1],
    outside: str | None = "O",
    unasked: str | None = None,
) -> Callable:
    """Tags of tokens, where `answers` says which tokens of a word carry its tag."""

    def token_tags(
        words: Sequence[Place], offsets: Sequence[Place], spans: Sequence[Named]
    ) -> list[str | None]:
        tags: list[str | None] = [unasked] * len(offsets)
        for word in reversed(words):  # where words share a token, the first one has it
            own = [tag(word, span) for span in spans if inside(word, span)]
            tokens = [t for t, token in enumerate(offsets) if _touches(token, word)]
            for token in answers(tokens):
                tags[token] = own[0] if own else outside
        return tags

    return token_tags


_token_tags = _token_tags_with()


def _for_last_word(words: Sequence[Place], offsets: Sequence[Place], spans: Sequence[Named]):
    """As it should be, but where words share a token the last one has it."""
    found = _token_tags(words, offsets, spans)
    for word in words:
        own = [_tag(word, span) for span in spans if _inside(word, span)]
        tokens = [t for t, token in enumerate(offsets) if _touches(token, word)]
        found[tokens[0]] = own[0] if own else "O"
    return found


def _in_word_order(words: Sequence[Place], offsets: Sequence[Place], spans: Sequence[Named]):
    """The tags of the words one after the other, as if [CLS] and pieces were not there."""
    own = [[_tag(w, s) for s in spans if _inside(w, s)] for w in words]
    tags: list[str | None] = [tag[0] if tag else "O" for tag in own]
    return (tags + [None] * len(offsets))[: len(offsets)]


def _text_case(generator: random.Random) -> tuple[list[Place], list[Place], list[Named]]:
    """Words in one to three pieces between [CLS] and [SEP], and two or three spans."""
    words, offsets, place = [], [(0, 0)], generator.randint(0, 2)
    for _ in range(generator.randint(9, 12)):
        cuts = [generator.randint(1, 4) for _ in range(generator.randint(1, 3))]
        words.append((place, place + sum(cuts)))
        for cut in cuts:
            offsets.append((place, place + cut))
            place += cut
        place += 1
    first = generator.randint(0, 1)
    spans = [
        (words[first][0], words[first + 1][1], "PARTY"),
        (words[first + 2][0], words[first + 3][1], "PARTY"),
        (words[first + 5][0], words[first + 7][1], "DATE"),
    ]
    return words, [*offsets, (0, 0)], spans


def _token_tags_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    return {
        '"Ottoline pays £2,000", where £2 is one token': (
            [(0, 8), (9, 13), (14, 15), (15, 16), (16, 17), (17, 20)],
            [(0, 0), (0, 3), (3, 8), (9, 13), (14, 16), (16, 17), (17, 20), (0, 0)],
            [(0, 8, "PARTY"), (14, 20, "MONEY")],
        ),
        "a longer text, two parties side by side": _text_case(random.Random(900 + seed)),
    }


token_tags = Exercise(
    number="lab09.1",
    title="the tags of tokens",
    difficulty=3,
    minutes=15,
    reference=_token_tags,
    cases=_token_tags_cases,
    hidden=_token_tags_cases,
    misconceptions=(
        Misconception(
            "every piece",
            "every piece of a word carries its tag: a name of three pieces would be learnt as three"
            " names that begin",
            _token_tags_with(answers=lambda tokens: tokens),
        ),
        Misconception(
            "last piece",
            "the last piece of a word carries its tag, and the first one is to answer",
            _token_tags_with(answers=lambda tokens: tokens[-1:]),
        ),
        Misconception(
            "B everywhere",
            "every word of a span has a B: only its first one begins it",
            _token_tags_with(tag=lambda word, span: f"B-{span[2]}"),
        ),
        Misconception(
            "no B",
            "no word has a B: two names side by side could not be told apart",
            _token_tags_with(tag=lambda word, span: f"I-{span[2]}"),
        ),
        Misconception(
            "first word only",
            "only the first word of a span has a tag, the others are O",
            _token_tags_with(inside=lambda word, span: word[0] == span[0]),
        ),
        Misconception(
            "one word short",
            "the last word of a span is O: the end of a span is the place *after* its last"
            " character, and equal ends are inside",
            _token_tags_with(inside=lambda word, span: span[0] <= word[0] and word[1] < span[1]),
        ),
        Misconception(
            "special tokens are O",
            "[CLS], [SEP] and the later pieces are O, as if somebody had asked them: None is what"
            " the loss leaves out",
            _token_tags_with(unasked="O"),
        ),
        Misconception(
            "outside unasked",
            "words outside of all spans have None, and so nothing teaches the model to say O",
            _token_tags_with(outside=None),
        ),
        Misconception(
            "last word of a token",
            "where two words share a token, the later one overwrites the first: the token would"
            " begin with an I, and the sum of money would have no beginning",
            _for_last_word,
        ),
        Misconception(
            "in the order of words",
            "the tags stand in the order of the words, as if each word were one token and [CLS]"
            " were none: compare characters",
            _in_word_order,
        ),
    ),
    spoilers=("tokens[0]", "range(", "next("),
)

# ---- lab09.2: the loss


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=_IGNORED)


def _loss_of(
    logits: Tensor, labels: Tensor, ignored: int = _IGNORED, reduction: str = "mean"
) -> Tensor:
    """The loss where `labels` may hold other numbers than the right ones."""
    flat = logits.flatten(0, 1), labels.flatten()
    return F.cross_entropy(*flat, ignore_index=ignored, reduction=reduction)


def _mixed_axes(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.reshape(len(logits), logits.shape[2], -1), labels)


def _as_outside(logits: Tensor, labels: Tensor) -> Tensor:
    return _loss(logits, labels.clamp_min(0))


def _mean_over_all(logits: Tensor, labels: Tensor) -> Tensor:
    return _loss_of(logits, labels, reduction="sum") / labels.numel()


def _mean_of_rows(logits: Tensor, labels: Tensor) -> Tensor:
    rows = [_loss(one[None], two[None]) for one, two in zip(logits, labels, strict=True)]
    return torch.stack(rows).mean()


def _twice(logits: Tensor, labels: Tensor) -> Tensor:
    return _loss(logits.softmax(dim=-1), labels)


def _names_only(logits: Tensor, labels: Tensor) -> Tensor:
    return _loss(logits, labels.masked_fill(labels == 0, _IGNORED))


def _as_broken(logits: Tensor, labels: Tensor) -> Tensor:
    """What the lab hands out: axes mixed up, and what is not asked counted as O."""
    return _mixed_axes(logits, labels.clamp_min(0))


def _loss_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = Generator().manual_seed(930 + seed)
    found = {}
    for name, (rows, length, tags) in {
        "2 rows of 6 tokens, 3 tags": (2, 6, 3),
        "3 rows of 5 tokens, 7 tags": (3, 5, 7),
    }.items():
        logits = 2 * torch.randn(rows, length, tags, generator=generator, dtype=torch.float64)
        labels = torch.randint(tags, (rows, length), generator=generator)
        labels[:, 1] = 0
        labels[:, 2] = 1
        labels[:, 0] = _IGNORED
        labels[0, 4:] = _IGNORED
        found[name] = (logits, labels)
    return found


tagging_loss = Exercise(
    number="lab09.2",
    title="a loss that lies",
    difficulty=3,
    minutes=15,
    reference=_loss,
    cases=_loss_cases,
    hidden=_loss_cases,
    misconceptions=(
        Misconception(
            "as it was",
            "nothing has changed yet: there are two faults, one about axes and one about -100",
            _as_broken,
        ),
        Misconception(
            "axes mixed",
            "-100 is left out now, but the axes are still mixed up: reshaping to (B, L, T) does not"
            " *move* the axis of the tags, it deals the same numbers out anew",
            _mixed_axes,
        ),
        Misconception(
            "asked as O",
            "the axes are right now, but places that nobody asks count as O: the model is praised"
            " for saying O to padding",
            _as_outside,
        ),
        Misconception(
            "mean over all places",
            "the sum is right, and it is divided by all places, those that nobody asks included:"
            " the same clause weighs less in a batch with more padding",
            _mean_over_all,
        ),
        Misconception(
            "mean of rows",
            "this is the mean over rows of their means: a word of a short clause then counts more"
            " than one of a long clause",
            _mean_of_rows,
        ),
        Misconception(
            "softmax twice",
            "the loss is nearly the same whatever the scores are: cross-entropy does the softmax"
            " itself",
            _twice,
        ),
        Misconception(
            "a sum",
            "this is the sum over the words that are asked: their mean is wanted",
            lambda logits, labels: _loss_of(logits, labels, reduction="sum"),
        ),
        Misconception(
            "O left out",
            "words outside of all names are left out as well: then nothing teaches the model to say"
            " O",
            _names_only,
        ),
    ),
    spoilers=("flatten", "ignore_index=-100", "transpose(1, 2)", ".mT"),
)

# ---- lab09.3: what two numbers say

_ANSWERS = {"Ada": (0.8, 2 / 3), "Ben": (0.8, 0.0), "Cleo": (0.6, 0.0)}


def _with(**changes: tuple[float, float]) -> dict[str, tuple[float, float]]:
    return _ANSWERS | changes


two_numbers = Exercise(
    number="lab09.3",
    title="two numbers for three taggers",
    difficulty=2,
    minutes=10,
    reference=_ANSWERS,
    misconceptions=(
        Misconception(
            "overlap counts",
            "Ben's spans count as right because they overlap the true ones: start *and* end have to"
            " be right",
            _with(Ben=(0.8, 1.0)),
        ),
        Misconception(
            "half a point",
            "Ben gets half a point for each span: a span with a word too many is missed, and"
            " something else is invented",
            _with(Ben=(0.8, 0.5)),
        ),
        Misconception(
            "recall for Ada",
            "for Ada you give the share of true spans that she finds: F1 also counts how many she"
            " predicts",
            _with(Ada=(0.8, 1 / 2)),
        ),
        Misconception(
            "precision for Ada",
            "for Ada you give the share of her spans that are right: F1 also counts what she"
            " misses",
            _with(Ada=(0.8, 1.0)),
        ),
        Misconception(
            "plain mean for Ada",
            "for Ada you give the plain mean of precision and recall: F1 is their harmonic mean",
            _with(Ada=(0.8, 3 / 4)),
        ),
        Misconception(
            "words of names only",
            "you divide by the words of the names: word accuracy takes all ten words, and those"
            " outside of names are words, too",
            _with(Ada=(0.5, 2 / 3), Ben=(1.0, 0.0), Cleo=(0.0, 0.0)),
        ),
        Misconception(
            "silence is nothing",
            "Cleo says O to every word, and O is *right* for the words outside of all names",
            _with(Cleo=(0.0, 0.0)),
        ),
    ),
)

# ---- lab09.4: what usually follows


def _transitions(sequences: Sequence[Sequence[int]], count: int) -> Tensor:
    table = _counted(sequences, count)
    return (table / table.sum(dim=1, keepdim=True)).log()


def _counted(sequences: Sequence[Sequence[int]], count: int, extra: float = 1.0) -> Tensor:
    table = torch.full((count, count), extra, dtype=torch.float64)
    for sequence in sequences:
        for before, after in pairwise(sequence):
            table[before, after] += 1
    return table


def _unsmoothed(sequences: Sequence[Sequence[int]], count: int) -> Tensor:
    table = _counted(sequences, count, 0.0)
    return (table / table.sum(dim=1, keepdim=True).clamp_min(1)).log()


def _over_columns(sequences: Sequence[Sequence[int]], count: int) -> Tensor:
    table = _counted(sequences, count)
    return (table / table.sum(dim=0)).log()


def _joint(sequences: Sequence[Sequence[int]], count: int) -> Tensor:
    table = _counted(sequences, count)
    return (table / table.sum()).log()


def _end_to_end(sequences: Sequence[Sequence[int]], count: int) -> Tensor:
    return _transitions([[tag for sequence in sequences for tag in sequence]], count)


def _transitions_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = random.Random(960 + seed)
    drawn = [[generator.randrange(4) for _ in range(generator.randint(3, 9))] for _ in range(6)]
    return {
        "three short texts, 3 tags": ([[0, 1, 2, 0], [0, 0, 1], [1]], 3),
        "six texts, 5 tags, one of which never occurs": (drawn, 5),
    }


transitions = Exercise(
    number="lab09.4",
    title="what usually follows",
    difficulty=2,
    minutes=10,
    reference=_transitions,
    cases=_transitions_cases,
    hidden=_transitions_cases,
    misconceptions=(
        Misconception(
            "not smoothed",
            "what was never seen has a probability of 0: start every count at 1",
            _unsmoothed,
        ),
        Misconception(
            "over the columns",
            "the columns sum to 1: asked is what *follows* a tag, and so each row has to",
            _over_columns,
        ),
        Misconception(
            "the wrong way round",
            "rows and columns are exchanged: the tag before is the row",
            lambda sequences, count: _transitions([s[::-1] for s in sequences], count),
        ),
        Misconception(
            "all pairs together",
            "the whole table sums to 1: then frequent tags are favoured twice, and each *row* has"
            " to sum to 1",
            _joint,
        ),
        Misconception(
            "probabilities",
            "these are the probabilities: scores are added, so take their logarithm",
            lambda sequences, count: _transitions(sequences, count).exp(),
        ),
        Misconception(
            "counts",
            "these are the counts: a row has to sum to 1 before you take the logarithm",
            lambda sequences, count: _counted(sequences, count),
        ),
        Misconception(
            "end to end",
            "the last tag of a text is followed by the first one of the next: texts have nothing to"
            " do with each other",
            _end_to_end,
        ),
    ),
    spoilers=("dim=1", "torch.ones", "pairwise"),
)

# ---- lab09.5: the best sequence


def _best(scores: Tensor, steps: Tensor, start: Tensor) -> list[int]:
    best, came_from = scores[0] + start, []
    for score in scores[1:]:
        best, before = (best[:, None] + steps).max(dim=0)
        best = best + score
        came_from.append(before)
    return _followed(best, came_from)


def _followed(best: Tensor, came_from: Sequence[Tensor]) -> list[int]:
    path = [int(best.argmax())]
    for before in reversed(came_from):
        path.append(int(before[path[-1]]))
    return path[::-1]


def _greedy(scores: Tensor, steps: Tensor, start: Tensor) -> list[int]:
    path = [int((scores[0] + start).argmax())]
    for score in scores[1:]:
        path.append(int((score + steps[path[-1]]).argmax()))
    return path


def _alone(scores: Tensor, steps: Tensor, start: Tensor) -> list[int]:
    return scores.argmax(dim=1).tolist()


def _best_so_far(scores: Tensor, steps: Tensor, start: Tensor) -> list[int]:
    best = scores[0] + start
    path = [int(best.argmax())]
    for score in scores[1:]:
        best = (best[:, None] + steps).max(dim=0).values + score
        path.append(int(best.argmax()))
    return path


def _backwards(scores: Tensor, steps: Tensor, start: Tensor) -> list[int]:
    return _best(scores, steps, start)[::-1]


def _worst(scores: Tensor, steps: Tensor, start: Tensor) -> list[int]:
    return _best(-scores, -steps, -start)


def _score_once(scores: Tensor, steps: Tensor, start: Tensor) -> list[int]:
    """Only the steps and the first word count."""
    return _best(torch.cat([scores[:1], torch.zeros_like(scores[1:])]), steps, start)


def _sequence_case(words: int, tags: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    scores, steps, start = (
        2 * torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((words, tags), (tags, tags), (tags,))
    )
    return scores, steps, start


def _best_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    """Drawn until the usual mistakes all give something else."""
    generator = Generator().manual_seed(990 + seed)
    wrong = [_greedy, _alone, _best_so_far, _backwards, _score_once]
    found: dict[str, tuple] = {
        "O, I is impossible": (
            torch.tensor([[-0.4, -1.4, -2.5], [-1.6, -3.0, -0.3]], dtype=torch.float64),
            torch.tensor([[0.0, 0.0, -1e9], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).double(),
            torch.tensor([0.0, 0.0, -1e9], dtype=torch.float64),
        ),
    }
    for words, tags in ((6, 3), (9, 5)):
        case = _sequence_case(words, tags, generator)
        while _clash(case, wrong):
            case = _sequence_case(words, tags, generator)
        found[f"{words} words, {tags} tags"] = case
    return found


def _clash(case: tuple[Tensor, Tensor, Tensor], wrong: Sequence[Callable]) -> bool:
    scores, steps, start = case
    paths = [_best(*case), _best(scores, steps.T, start), _best(scores, steps, 0 * start)]
    paths += [answer(*case) for answer in wrong]
    return len({tuple(path) for path in paths}) < len(paths)


best_sequence = Exercise(
    number="lab09.5",
    title="the best sequence",
    difficulty=4,
    minutes=20,
    reference=_best,
    cases=_best_cases,
    hidden=_best_cases,
    misconceptions=(
        Misconception(
            "each word alone",
            "each word has its own best tag: neither `steps` nor `start` counts",
            _alone,
        ),
        Misconception(
            "greedy",
            "you decide from left to right and never take anything back: a tag that is a little"
            " worse now can be worth it for what follows",
            _greedy,
        ),
        Misconception(
            "best so far",
            "each place has the end of the best sequence *up to there*: those need not be one"
            " sequence. Remember where each best sum came from, and walk back from the end",
            _best_so_far,
        ),
        Misconception(
            "steps transposed",
            "`steps` is read the wrong way round: the row is the tag before, the column the one"
            " after",
            lambda scores, steps, start: _best(scores, steps.T, start),
        ),
        Misconception(
            "start forgotten",
            "`start` does not count for the first word",
            lambda scores, steps, start: _best(scores, steps, 0 * start),
        ),
        Misconception(
            "backwards",
            "the sequence is right and stands the wrong way round: who walks back from the end has"
            " to turn it",
            _backwards,
        ),
        Misconception(
            "worst",
            "this is the sequence with the *lowest* sum",
            _worst,
        ),
        Misconception(
            "scores of the first word only",
            "only the first word's scores count: each word adds its own",
            _score_once,
        ),
    ),
    spoilers=("max(dim=0)", "argmax", "[:, None]"),
)


# ---- lab09.6: memory or skill


def _shares(hits: dict[bool, list[bool]]) -> list[float]:
    return [sum(hits[k]) / len(hits[k]) if hits[k] else math.nan for k in (True, False)]


def _memory_with(
    hit: Callable[[Named, Sequence[Named]], bool] = lambda span, found: span in found,
    *,
    labels: bool = True,
    of_predicted: bool = False,
    swap: bool = False,
) -> Callable:
    """Recall of names that are known and of others, with one thing done in another way."""

    def memory(texts, true, predicted, known):
        listed = {(name, label) if labels else name for name, label in known}
        hits: dict[bool, list[bool]] = {True: [], False: []}
        for text, wanted, found in zip(texts, true, predicted, strict=True):
            asked, among = (found, wanted) if of_predicted else (wanted, found)
            for span in asked:
                name = text[span[0] : span[1]]
                is_known = ((name, span[2]) if labels else name) in listed
                hits[is_known != swap].append(hit(span, among))
        return _shares(hits)

    return memory


_memory = _memory_with()


def _mean_of_texts(texts, true, predicted, known):
    rows = [_memory([x], [t], [p], known) for x, t, p in zip(texts, true, predicted, strict=True)]
    columns = [[row[i] for row in rows if not math.isnan(row[i])] for i in (0, 1)]
    return [sum(column) / len(column) for column in columns]


def _overlaps(span: Named, found: Sequence[Named]) -> bool:
    return any(a < span[1] and span[0] < z and label == span[2] for a, z, label in found)


def _same_place(span: Named, found: Sequence[Named]) -> bool:
    return span[:2] in [tuple(other[:2]) for other in found]


_overlap_counts, _label_ignored = _memory_with(_overlaps), _memory_with(_same_place)
_nameless, _of_predicted = _memory_with(labels=False), _memory_with(of_predicted=True)


def _memory_case(generator: random.Random) -> tuple:
    names = ["Acme", "Bolt", "Hope", "May", "Iona", "Kite", "Moor", "Peel"]
    known = [("Acme", "PARTY"), ("Bolt", "PARTY"), ("Hope", "PARTY"), ("May", "DATE")]
    texts, true, predicted = [], [], []
    for number in range(12):
        chosen = generator.sample(names, 2 + number % 3)
        text = " and ".join(chosen) + " sign"
        labels = [generator.choice(["PARTY", "DATE"]) for _ in chosen]
        starts = [text.index(name) for name in chosen]
        spans = [
            (at, at + len(name), label)
            for at, name, label in zip(starts, chosen, labels, strict=True)
        ]
        changed = [
            [(a, z, label), (a, z, "DATE" if label == "PARTY" else "PARTY"), (a, z - 1, label)]
            for a, z, label in spans
        ]
        draws = [generator.choice([0, 0, 0, 1, 2, 3]) for _ in spans]  # 3: not found
        texts.append(text)
        true.append(spans)
        predicted.append([row[d] for row, d in zip(changed, draws, strict=True) if d < 3])
    return texts, true, predicted, known


def _memory_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    """Drawn until the usual mistakes all give something else."""
    generator = random.Random(990 + seed)
    ideas = [_memory, _overlap_counts, _label_ignored, _nameless, _of_predicted, _mean_of_texts]
    while True:
        case = _memory_case(generator)
        results = [tuple(round(share, 3) for share in idea(*case)) for idea in ideas]
        if len({*results, *(result[::-1] for result in results)}) == 2 * len(ideas):
            return {"twelve short texts": case}


memory_or_skill = Exercise(
    number="lab09.6",
    title="memory or skill",
    difficulty=3,
    minutes=10,
    reference=_memory,
    cases=_memory_cases,
    hidden=_memory_cases,
    misconceptions=(
        Misconception(
            "exchanged",
            "the two numbers are exchanged: first the names that are known",
            _memory_with(swap=True),
        ),
        Misconception(
            "precision",
            "you go through the *predicted* spans: asked is which of the true ones are found",
            _of_predicted,
        ),
        Misconception(
            "overlap counts",
            "a span counts as found when it only overlaps a predicted one of its label",
            _overlap_counts,
        ),
        Misconception(
            "label ignored",
            "a span counts as found whatever label it is given",
            _label_ignored,
        ),
        Misconception(
            "name without its label",
            "*May* as a party is not known where only *May* as a date was seen: a name is known"
            " with its label",
            _nameless,
        ),
        Misconception(
            "mean of texts",
            "this is the mean over texts: add up the spans of all texts, then divide once",
            _mean_of_texts,
        ),
    ),
    spoilers=("in known", "set(known)", "in found"),
)
