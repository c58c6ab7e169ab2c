"""Taggers: words, sub-words and tags, allowed sequences, entity F1, learning, damage."""

import random
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import pytest
import torch

from encoder_course.config import EncoderConfig
from encoder_course.data.written import load
from encoder_course.nn import Encoder
from encoder_course.pretrain.state import load_checkpoint
from encoder_course.tasks.decode import allowed, count_transitions, spread, viterbi
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.entities import KINDS, entity_metrics, f1, mistakes, span_counts
from encoder_course.tasks.gazetteer import Gazetteer
from encoder_course.tasks.tag import Tagger
from encoder_course.tasks.training import cross_entropy, seeded
from encoder_course.text.bio import Span, first_tokens, to_spans, to_tags, word_places
from encoder_course.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Example:
    text: str
    spans: tuple[Span, ...] = ()


def marked(text: str) -> Example:
    """An example from a text with its spans in brackets: "[Acme Ltd|PARTY] pays"."""
    plain, spans = "", []
    for part in text.replace("]", "[").split("["):
        name, bar, label = part.partition("|")
        if bar:
            spans.append(Span(len(plain), len(plain) + len(name), label))
        plain += name
    return Example(plain, tuple(spans))


NAMES = ["Acme Ltd", "Bolt & Sons", "O'Neill-Smith GmbH", "Unforgettablehyphenations"]
TRAIN = [
    marked(pattern.format(name, day))
    for name in NAMES
    for day in ("3 May 2024", "1/2/26", "Tuesday")
    for pattern in ("[{0}|PARTY] pays on [{1}|DATE].", "On [{1}|DATE], [{0}|PARTY] may leave.")
]
TEXTS = [example.text for example in TRAIN]


@pytest.fixture(scope="module")
def parts():
    """A tiny encoder with random weights, and a tokenizer that cuts most words in pieces."""
    tokenizer = Tokenizer.train(TEXTS, vocab_size=75, progress=False)
    with seeded(0):
        config = EncoderConfig.tiny(vocab_size=len(tokenizer))
        return Encoder(config).eval(), tokenizer


def tuned(parts, **settings):
    return Tagger(*parts, max_len=64, lr=0.003, head_lr=0.01, **settings)


def frozen(parts, **settings):
    return Tagger(*parts, max_len=64, head_lr=0.03, freeze=True, **settings)


def looked_up(parts, **settings):
    return Gazetteer(**settings)


ALL = [tuned, frozen, looked_up]


# --- words, tags and spans -----------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "test"])
def test_spans_come_back_from_tags(split):
    for clause in load("contracts", split):
        words = word_places(clause.text)
        tags = to_tags(words, clause.spans)
        assert to_spans(words, tags) == clause.spans and len(tags) == len(words)


@pytest.mark.parametrize("small", [True, False], ids=["many pieces", "MiniLM's"])
def test_spans_come_back_from_tags_of_sub_words(parts, small):
    """A tag for the first token of each word is enough, whatever the tokenizer cuts."""
    tokenizer = parts[1] if small else SentenceEncoder.minilm().tokenizer
    pieces = 0
    for example in TRAIN if small else load("contracts"):
        words = word_places(example.text)
        encoded = tokenizer.encode(example.text)
        places = first_tokens(words, encoded.offsets)
        tags = {}
        for place, tag in zip(places, to_tags(words, example.spans), strict=True):
            tags.setdefault(place, tag)
        assert to_spans(words, spread(places, tags)) == example.spans and None not in tags
        pieces += len(encoded) - 2 - len(tags)
    assert pieces > 100


def test_tags_by_hand():
    example = marked("[Acme Ltd|PARTY] [Bolt|PARTY] owes [£5|MONEY].")
    tags = to_tags(word_places(example.text), example.spans)
    assert tags == "B-PARTY I-PARTY B-PARTY O B-MONEY I-MONEY O".split()


def test_an_inside_that_continues_nothing_begins_a_span():
    words = word_places("a b c d e")
    found = to_spans(words, ["I-X", "I-X", "I-Y", "O", "I-Y"])
    assert found == ((0, 3, "X"), (4, 5, "Y"), (8, 9, "Y"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No. 4/B, it's", ["No", ".", "4", "/", "B", ",", "it", "'", "s"]),
        ("हिन्दी में, लिखा।", ["हिन्दी", "में", ",", "लिखा", "।"]),
        ("cafe\u0301s (कि)", ["cafe\u0301s", "(", "कि", ")"]),
        ("نمی\u200cخواهم x", ["نمی\u200cخواهم", "x"]),
        ("Zürich 日本語 ½🙂", ["Zürich", "日本語", "½", "🙂"]),
        (" \n", []),
    ],
)
def test_words_of_several_alphabets(text, words):
    assert [text[start:end] for start, end in word_places(text)] == words


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([Span(0, 2, "X")], r"span 0 to 2 \(X\) does not lie on whole words"),
        ([Span(5, 7, "X")], "5 to 7 .* whole words"),
        ([Span(4, 8, "X")], "4 to 8 .* whole words"),  # begins with a space
        ([Span(9, 5, "X")], "9 to 5 .* whole words"),
        ([Span(0, 99, "X")], "0 to 99 .* whole words"),
        ([Span(0, 9, "X"), Span(5, 9, "Y")], r"span 5 to 9 \(Y\) overlaps another one"),
        ([Span(0, 4, "X"), Span(0, 4, "X")], "overlaps"),
    ],
)
@pytest.mark.parametrize("make", ALL)
def test_spans_that_cannot_be_tagged_are_named(parts, make, spans, message):
    with pytest.raises(ValueError, match=message):
        make(parts).fit([Example("Acme pays us", tuple(spans))], progress=False)


def test_words_may_share_a_token_or_have_none():
    tokenizer = SentenceEncoder.minilm().tokenizer
    text = "Acme \ufffd Ltd £1,000 pays"  # one sign that BERT drops, and one that it adds to the 1
    encoded = tokenizer.encode(text)
    assert "£1" in encoded.tokens
    assert first_tokens(word_places(text), encoded.offsets) == [1, None, 3, 4, 4, 5, 6, 7]
    cut = tokenizer.encode(text, max_len=4)  # [CLS] acme lt [SEP]
    assert first_tokens(word_places(text), cut.offsets)[2:] == [None] * 6


# --- decoding ------------------------------------------------------------------------------------

TAGS = ["O", "B-X", "I-X", "B-Y", "I-Y"]


def is_allowed(tags) -> bool:
    return all(
        not after.startswith("I-") or before in ("B" + after[1:], after)
        for before, after in pairwise(["O", *tags])
    )


@pytest.mark.parametrize("seed", range(5))
def test_viterbi_equals_trying_everything(seed):
    generator = torch.Generator().manual_seed(seed)
    scores = (2 * torch.randn(5, 5, generator=generator)).log_softmax(dim=-1)
    sequences = [tags for tags in product(TAGS, repeat=5) if is_allowed(tags)]
    sums = [sum(scores[w, TAGS.index(t)].item() for w, t in enumerate(s)) for s in sequences]
    assert len(sequences) < 5**5
    assert viterbi(scores, TAGS) == list(sequences[int(np.argmax(sums))])


@pytest.mark.parametrize("seed", range(3))
def test_viterbi_with_transitions_equals_trying_everything(seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(4, 5, generator=generator)
    steps = 3 * torch.randn(5, 5, generator=generator)
    places = [[TAGS.index(t) for t in tags] for tags in product(TAGS, repeat=4) if is_allowed(tags)]
    sums = [
        scores[range(4), path].sum() + sum(steps[a, b] for a, b in pairwise(path))
        for path in places
    ]
    best = [TAGS[i] for i in places[int(torch.stack(sums).argmax())]]
    assert viterbi(scores, TAGS, steps) == best
    assert viterbi(scores, TAGS, 0 * steps) == viterbi(scores, TAGS)


def test_transitions_are_counted():
    table = count_transitions([["B-X", "I-X", "O"], ["O", "O"], []], TAGS, extra=0.5).exp()
    torch.testing.assert_close(table.sum(dim=1), torch.ones(5))
    torch.testing.assert_close(table[0], torch.tensor([1.5, 0.5, 0.5, 0.5, 0.5]) / 3.5)
    torch.testing.assert_close(table[1], torch.tensor([0.5, 0.5, 1.5, 0.5, 0.5]) / 3.5)
    torch.testing.assert_close(table[3], torch.ones(5) / 5)  # never seen: nothing is known


def test_no_inside_follows_outside_or_another_label():
    scores = torch.randn(400, 5, generator=torch.Generator().manual_seed(0)).log_softmax(dim=-1)
    assert is_allowed(viterbi(scores, TAGS))
    assert not is_allowed([TAGS[i] for i in scores.argmax(dim=-1)])  # each word on its own


def test_what_is_allowed_by_hand():
    first, follows = allowed(TAGS)
    assert first.tolist() == [True, True, False, True, False]
    assert follows.int().tolist() == [
        [1, 1, 0, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 1, 1],
        [1, 1, 0, 1, 1],
    ]


def test_decoding_changes_nothing_that_is_allowed():
    tags = "B-X I-X O B-Y B-Y I-Y O".split()
    scores = torch.full((7, 5), -5.0)
    scores[range(7), [TAGS.index(tag) for tag in tags]] = -0.1
    assert viterbi(scores, TAGS) == tags
    assert viterbi(scores[:0], TAGS) == [] and viterbi(scores[:1], TAGS) == ["B-X"]


def test_each_word_has_a_tag_and_they_stay_allowed():
    places = [None, 1, None, None, 2, None, 3, 3, 4, 4, None]
    tags = {1: "B-X", 2: "I-X", 3: "B-X", 4: "O"}
    expected = "O B-X I-X I-X I-X O B-X I-X O O O".split()
    assert spread(places, tags) == expected and is_allowed(expected)
    assert spread([1, 1, 2], {1: "I-X", 2: "I-X"}) == ["I-X"] * 3
    assert spread([], {}) == [] and spread([None, None], {}) == ["O", "O"]


# --- entity F1 -----------------------------------------------------------------------------------

# seqeval 1.2.2 (conlleval's way) on the sequences of `drawn(seed)`: precision, recall, F1, and the
# F1 of A, B and C. Where it is installed the same is asked of it again.
SEQEVAL = [
    [0.68125, 0.712418, 0.696486, 0.706897, 0.686869, 0.693878],
    [0.72561, 0.777778, 0.750789, 0.680412, 0.74, 0.816667],
    [0.671053, 0.708333, 0.689189, 0.673684, 0.755102, 0.640777],
]


def drawn(seed):
    """Forty true and predicted sequences of tags, not all of them allowed."""
    generator = random.Random(seed)
    tags = ["O", "O", "O", "B-A", "I-A", "B-B", "I-B", "B-C", "I-C"]
    lengths = [generator.randint(1, 12) for _ in range(40)]
    true = [[generator.choice(tags) for _ in range(length)] for length in lengths]
    predicted = [
        [tag if generator.random() < 0.7 else generator.choice(tags) for tag in row] for row in true
    ]
    return true, predicted


def our_scores(true, predicted):
    spans = [
        [to_spans([(i, i + 1) for i in range(len(tags))], tags) for tags in rows]
        for rows in (true, predicted)
    ]
    return [metric.value for metric in entity_metrics(*spans, "ABC", resamples=0)]


@pytest.mark.parametrize("seed", range(3))
def test_entity_f1_equals_seqeval(seed):
    assert our_scores(*drawn(seed)) == pytest.approx(SEQEVAL[seed], abs=1e-6)


@pytest.mark.parametrize("seed", range(3, 20))
def test_entity_f1_equals_an_installed_seqeval(seed):
    seqeval = pytest.importorskip("seqeval.metrics")
    true, predicted = drawn(seed)
    each = seqeval.classification_report(true, predicted, output_dict=True)
    scores = [seqeval.precision_score, seqeval.recall_score, seqeval.f1_score]
    expected = [score(true, predicted) for score in scores]
    expected += [each[label]["f1-score"] for label in "ABC"]
    assert our_scores(true, predicted) == pytest.approx(expected)


def test_entity_f1_by_hand():
    true = [(Span(0, 4, "A"), Span(5, 9, "B")), (Span(0, 3, "A"),)]
    found = [(Span(0, 4, "A"), Span(5, 8, "B")), (Span(0, 3, "B"),)]
    report = {metric.name: metric.value for metric in entity_metrics(true, found, "AB")}
    assert report["precision"] == report["recall"] == report["F1"] == 1 / 3
    assert report["F1 A"] == 2 / 3 and report["F1 B"] == 0
    assert f1(span_counts([()], [()], "AB")[:, 0]) == 0  # nothing there and nothing found
    with pytest.raises(ValueError):
        entity_metrics(true, found[:1], "AB")


def test_each_mistake_is_of_one_kind():
    text = "Acme Ltd of Delaware owes Bolt five pounds in May"
    true = [Span(0, 8, "A"), Span(12, 20, "J"), Span(26, 30, "A"), Span(46, 49, "D")]
    found = [Span(0, 4, "A"), Span(12, 20, "A"), Span(31, 42, "M"), Span(46, 49, "D")]
    kinds = {error.kind: str(error) for error in mistakes(text, true, found)}
    assert sorted(kinds) == sorted(KINDS)
    assert kinds["boundary"] == "boundary: 'Acme Ltd' (A) was tagged as 'Acme' (A)"
    assert kinds["type"] == "type: 'Delaware' (J) was tagged as 'Delaware' (A)"
    assert kinds["missed"] == "missed: 'Bolt' (A) was tagged as nothing"
    assert kinds["invented"] == "invented: nothing was tagged as 'five pounds' (M)"
    assert mistakes(text, true, true) == []


def test_a_span_stands_in_one_mistake_only():
    true = [Span(0, 20, "A")]
    found = [Span(0, 4, "B"), Span(5, 9, "A"), Span(10, 20, "A")]
    kinds = [(error.kind, error.predicted) for error in mistakes("x" * 20, true, found)]
    assert kinds == [("boundary", found[2]), ("invented", found[0]), ("invented", found[1])]


# --- the interface -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALL)
def test_the_interface_is_the_same(parts, make, tmp_path):
    tagger = make(parts)
    assert tagger.fit(TRAIN, epochs=3, progress=False) is tagger
    assert tagger.classes == ["DATE", "PARTY"] and tagger.predict([]) == []
    spans = tagger.predict(TEXTS)
    report = tagger.evaluate(TRAIN, resamples=20)
    assert list(report.metrics) == ["precision", "recall", "F1", "F1 DATE", "F1 PARTY"]
    right = sum(len(set(p) & set(x.spans)) for x, p in zip(TRAIN, spans, strict=True))
    assert report["recall"].value == right / 48
    wrong = tagger.mistakes(TRAIN)
    assert sum(error.true is not None for error in wrong) == 48 - right

    saved = tagger.save(tmp_path / "model")
    assert not any(path.suffix in (".pkl", ".pickle", ".pt") for path in saved.rglob("*"))
    loaded = type(tagger).load(saved)
    assert loaded.predict(TEXTS) == spans and loaded.settings == tagger.settings
    assert loaded.classes == tagger.classes


@pytest.mark.parametrize("make", [tuned, looked_up])
def test_what_can_be_learnt_is_learnt(parts, make):
    tagger = make(parts).fit(TRAIN, epochs=60, progress=False)
    assert tagger.predict(TEXTS) == [example.spans for example in TRAIN]
    assert tagger.evaluate(TRAIN, resamples=20)["F1"].low == 1.0


def test_a_layer_on_a_frozen_encoder_learns_few_names_by_heart(parts):
    tagger = frozen(parts).fit(TRAIN, epochs=60, progress=False)
    assert tagger.evaluate(TRAIN, resamples=0)["F1"].value > 0.9


@pytest.mark.parametrize("make", ALL)
def test_spans_are_characters_of_the_text(parts, make):
    """However the text is spaced: offsets are those of the text as it was handed in."""
    tagger = make(parts).fit(TRAIN, epochs=60, progress=False)
    text = "  Acme   Ltd pays on\n\tTuesday ."
    for start, end, label in tagger.predict([text])[0]:
        assert text[start:end].strip() == text[start:end] != "" and label in tagger.classes
    if make is not frozen:
        assert (2, 12, "PARTY") in tagger.predict([text])[0]


@pytest.mark.parametrize("make", ALL)
def test_each_fit_begins_anew_and_a_seed_settles_it(parts, make):
    used = make(parts).fit(TRAIN[::-3], epochs=1, seed=1, progress=False)
    used.fit(TRAIN, epochs=2, seed=4, progress=False)
    fresh = make(parts).fit(TRAIN, epochs=2, seed=4, progress=False)
    for one, other in zip(fresh.state()[0].values(), used.state()[0].values(), strict=True):
        assert torch.equal(one, other)
    assert fresh.predict(TEXTS) == used.predict(TEXTS)


def test_the_encoder_that_is_handed_in_stays_as_it_is(parts):
    before = {name: tensor.clone() for name, tensor in parts[0].state_dict().items()}
    changed = tuned(parts).fit(TRAIN, epochs=1, progress=False).encoder.state_dict()
    assert frozen(parts).fit(TRAIN, epochs=1, progress=False).encoder is parts[0]
    for name, tensor in parts[0].state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(not torch.equal(changed[n], before[n]) for n in before if "query.weight" in n)


def test_transitions_change_only_what_is_made_of_the_scores(parts):
    plain, heavy = (
        tuned(parts, transitions=weight).fit(TRAIN, epochs=1, progress=False) for weight in (0, 99)
    )
    for name, tensor in plain.state()[0].items():
        assert torch.equal(heavy.state()[0][name], tensor)
    for tagger in (plain, heavy):  # scores that mean nothing
        generator = torch.Generator().manual_seed(0)
        torch.nn.init.normal_(tagger.head[2].weight, generator=generator)
    known = {pair for x in TRAIN for pair in pairwise(to_tags(word_places(x.text), x.spans))}
    unseen = [
        sum(pair not in known for tags in tagger.tags(TEXTS) for pair in pairwise(tags))
        for tagger in (plain, heavy)
    ]
    assert unseen[0] > 5 and unseen[1] == 0


def test_validation_stops_training(parts):
    wrong = [Example(x.text, tuple(s._replace(label="DATE") for s in x.spans)) for x in TRAIN]
    tagger = tuned(parts).fit(TRAIN, validation=wrong, epochs=40, progress=False)
    assert len(tagger.history.validation) == tagger.history.best_epoch + 2 < 40


def test_what_a_text_says_does_not_depend_on_its_batch(parts):
    tagger = tuned(parts).fit(TRAIN, epochs=5, progress=False)
    assert [tagger.predict([text])[0] for text in TEXTS] == tagger.predict(TEXTS)


def test_the_course_encoder_is_as_welcome_as_minilm():
    model, tokenizer = load_checkpoint()
    tagger = Tagger(model.encoder, tokenizer, freeze=True, max_len=128)
    assert len(tagger.fit(TRAIN, epochs=1, progress=False).predict(TEXTS)) == len(TEXTS)


# --- sub-words -----------------------------------------------------------------------------------


class Recorder:
    """Stands for an encoder; remembers its output, so that one can ask where the loss pulls."""

    def __init__(self, encoder):
        self.embed = encoder.embed

    def __call__(self, ids, keep):
        self.keep = keep
        self.hidden = torch.zeros(*ids.shape, 32, requires_grad=True)
        return self.hidden


class EveryPiece(Tagger):
    """The wrong version: each piece of a word is trained with the tag of the word."""

    def rows(self, examples):
        found = []
        for (ids, places), tags in super().rows(examples):
            every = list(range(places[0], len(ids) - 1))
            word = [sum(place <= at for place in places) - 1 for at in every]
            found.append(((ids, every), tags[word]))
        return found


def pulled(tagger):
    """How many token positions the loss of the training examples has a gradient at."""
    tagger.fit(TRAIN, epochs=1, progress=False)
    tagger.encoder = Recorder(tagger.encoder)
    cross_entropy(tagger.head, tagger.word_vectors)(tagger.rows(TRAIN)).backward()
    at = tagger.encoder.hidden.grad.abs().sum(dim=-1) > 0  # (B, T)
    assert not at[~tagger.encoder.keep].any() and not at[:, 0].any()  # padding and [CLS]
    return int(at.sum())


def test_only_the_first_token_of_a_word_has_a_label(parts):
    words = sum(len(word_places(text)) for text in TEXTS)
    tokens = sum(len(parts[1].encode(text, special=False)) for text in TEXTS)
    assert pulled(tuned(parts)) == words < tokens
    assert pulled(EveryPiece(*parts, max_len=64)) == tokens  # and so would fail the line above


# --- gazetteer -----------------------------------------------------------------------------------


def test_the_longest_name_wins_and_capitals_count():
    examples = [marked("[Bank|X] and [Bank of Lisbon|Y] and [of|X]")]
    gazetteer = Gazetteer().fit(examples)
    text = "Bank of Lisbon, Bank of Porto, bank of Lisbon"
    found = [(text[a:b], label) for a, b, label in gazetteer.predict([text])[0]]
    assert found == [("Bank of Lisbon", "Y"), ("Bank", "X"), ("of", "X"), ("of", "X")]


def test_a_name_that_is_mostly_an_ordinary_word_is_not_listed():
    examples = [marked("[May|PARTY] may"), marked("May I? May she?")]
    assert Gazetteer(share=0.3).fit(examples).entries == {("May",): "PARTY"}
    assert Gazetteer(share=0.5).fit(examples).entries == {}


def test_of_two_labels_the_more_frequent_one_is_listed():
    examples = [marked("[Delaware|PARTY]"), *2 * [marked("[Delaware|PLACE]")]]
    assert Gazetteer(share=0.1).fit(examples).entries == {("Delaware",): "PLACE"}


def test_memory_alone_finds_few_names_of_contracts():
    gazetteer = Gazetteer().fit(load("contracts"))
    assert gazetteer.evaluate(load("contracts"), resamples=0)["F1"].value > 0.95
    assert 0.1 < gazetteer.evaluate(load("contracts", "test"), resamples=0)["F1"].value < 0.4


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALL)
def test_what_goes_wrong_is_named(parts, make, tmp_path):
    tagger = make(parts)
    with pytest.raises(ValueError, match="call fit first"):
        tagger.predict(TEXTS)
    with pytest.raises(ValueError, match="call fit first"):
        tagger.save(tmp_path)
    with pytest.raises(ValueError, match="none of the 2 examples has a span"):
        tagger.fit([Example("a"), Example("b")])
    with pytest.raises(ValueError, match="none of the 0 examples"):
        tagger.fit([])
    tagger.fit(TRAIN, epochs=1, progress=False)
    with pytest.raises(TypeError, match="one str"):
        tagger.predict("a text")
    folder = tagger.save(tmp_path / "model")
    other = Gazetteer if isinstance(tagger, Tagger) else Tagger
    with pytest.raises(ValueError, match=f"holds a {type(tagger).__name__}, not a"):
        other.load(folder)
    (folder / "task.json").write_text("{")
    with pytest.raises(ValueError, match="task.json is damaged"):
        type(tagger).load(folder)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize(
    "text",
    ["", " \n\t", "🙂", "\u0301", "\x00\ufffd", "हिन्दी में, लिखा।", "契約 12", "a" * 300, "x " * 900],
    ids=["empty", "blank", "sign", "mark", "dropped", "Hindi", "Chinese", "one word", "long"],
)
def test_any_text_is_taken(parts, make, text):
    examples = [*TRAIN, Example(text)]
    tagger = make(parts).fit(examples, epochs=1, progress=False)
    (tags,) = tagger.tags([text])
    assert len(tags) == len(word_places(text)) and is_allowed(tags)
    assert len(tagger.predict([text, TEXTS[0]])) == 2
    assert tagger.evaluate([Example(text)], resamples=5)["recall"].value == 0


def test_examples_without_a_word_alone_teach_nothing(parts):
    """They cannot hold a span either, so the message is that of no span."""
    with pytest.raises(ValueError, match="has a span to learn from"):
        tuned(parts).fit([Example(" ")], progress=False)


def test_what_is_cut_off_is_not_seen(parts):
    text = "Acme Ltd pays on Tuesday. " * 20
    tagger = tuned(parts).fit(TRAIN, epochs=60, progress=False)
    (spans,) = tagger.predict([text])
    words, offsets = word_places(text), parts[1].encode(text, max_len=64).offsets
    (end,) = [words[i] for i in [first_tokens(words, offsets).index(None)]]
    assert spans and spans[-1].end <= end[0]
    assert spans[0] == (0, 8, "PARTY")


def test_spans_behind_the_cut_are_no_error(parts):
    far = "so " * 100
    late = Example(far + TRAIN[0].text, tuple(
        Span(start + len(far), end + len(far), label) for start, end, label in TRAIN[0].spans
    ))  # fmt: skip
    report = tuned(parts).fit([*TRAIN, late], epochs=1, progress=False).evaluate([late])
    assert report["recall"].value == 0


def test_hindi_names_are_found_whole():
    """MiniLM's tokenizer drops some vowel signs: no span may break there."""
    start = SentenceEncoder.minilm()
    examples = [marked("[सुनीता देवी|PARTY] ने लिखा।"), marked("आज [किशोर कुमार|PARTY] गया।")]
    tagger = Tagger(start.encoder, start.tokenizer, head_lr=0.01, max_len=64)
    tagger.fit(examples * 4, epochs=12, progress=False)
    assert tagger.predict([x.text for x in examples]) == [x.spans for x in examples]


@pytest.mark.parametrize("make", [tuned, frozen])
def test_labels_that_fit_did_not_see(parts, make):
    other = marked("[Acme|FIRM] pays")
    tagger = make(parts)
    with pytest.raises(
        ValueError, match=r"tags \['B-FIRM'\] are not among those of fit: \['O', 'B-"
    ):
        tagger.fit(TRAIN, validation=[other], epochs=1, progress=False)
    tagger.fit(TRAIN, epochs=1, progress=False)
    assert tagger.evaluate([other], resamples=5)["F1 FIRM"].value == 0
    assert "FIRM" not in tagger.classes


@pytest.mark.parametrize("make", ALL)
def test_a_label_with_one_example(parts, make):
    examples = [*TRAIN, marked("[Delaware|PLACE] it is")]
    tagger = make(parts).fit(examples, epochs=60 if make is tuned else 1, progress=False)
    assert tagger.classes == ["DATE", "PARTY", "PLACE"]
    if make is not frozen:
        assert tagger.predict([examples[-1].text]) == [examples[-1].spans]
