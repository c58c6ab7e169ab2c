"""Learning to compare: the loss by hand, its negatives, short vectors, the reranker."""

import math

import pytest
import torch
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.data.corpus import Corpus, Document, Report
from encoder_course.nn import Encoder
from encoder_course.tasks.contrastive import (
    ContrastiveEncoder,
    Pair,
    distinct,
    info_nce,
    summary_body_pairs,
)
from encoder_course.tasks.embed import POOLINGS, SentenceEncoder, pool_padded
from encoder_course.tasks.rerank import Choice, Reranker, hard_choices
from encoder_course.tasks.search import WordSearch
from encoder_course.text.tokenizer import Tokenizer

ANIMALS = "cat dog fish bird horse cow sheep goat duck goose frog snake bear wolf fox deer".split()
SOUNDS = "mew bark blub sing neigh moo bleat meh quack honk croak hiss growl howl yelp bell".split()
# Each animal is said in one word and heard in another: nothing but training can pair them.
PAIRS = [Pair(f"the {a}", f"it will {s}") for a, s in zip(ANIMALS, SOUNDS, strict=True)]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train([f"{p.first} {p.second}" for p in PAIRS], 250, progress=False)


@pytest.fixture
def encoder(tokenizer):
    torch.manual_seed(0)
    return SentenceEncoder(Encoder(EncoderConfig.tiny(vocab_size=250)), tokenizer, max_len=16)


# --- the loss ------------------------------------------------------------------------------------


def test_info_nce_by_hand():
    first, second = torch.eye(2), torch.tensor([[1.0, 0.0], [3.0, 3.0]])
    # Cosines [[1, c], [0, c]] with c = 1 / sqrt(2); each row and each column is a choice of two.
    c, t = 1 / math.sqrt(2), 0.5
    rows = math.log(1 + math.exp((c - 1) / t)) + math.log(1 + math.exp((0 - c) / t))
    columns = math.log(1 + math.exp((0 - 1) / t)) + math.log(2)
    assert info_nce(first, second, t).item() == pytest.approx((rows + columns) / 4)


def test_what_the_loss_is_at_its_ends():
    same = torch.ones(8, 4)
    assert info_nce(same, same).item() == pytest.approx(math.log(8))  # cannot tell: chance
    apart = torch.eye(8)
    assert info_nce(apart, apart, 0.01).item() < 1e-6
    assert info_nce(apart, apart.roll(1, 0), 0.01).item() == pytest.approx(100, rel=1e-3)
    assert info_nce(apart, 5 * apart).item() == pytest.approx(info_nce(apart, apart).item())
    with pytest.raises(ValueError, match="temperature must be above 0, but it is 0"):
        info_nce(apart, apart, 0.0)


def test_equal_texts_never_meet_in_a_batch():
    pairs = [Pair("a", "b"), Pair("A ", "c"), Pair("d", " B"), Pair("e", "f"), Pair("g", "a")]
    assert distinct(pairs) == [pairs[0], pairs[3]]
    # What it would cost: the same text twice is a negative of itself, and the loss never gets low.
    twice = F.normalize(torch.randn(4, 8), dim=-1)[[0, 0, 1, 2]]
    assert info_nce(twice, twice, 0.01).item() >= math.log(2) / 2 - 1e-4


def test_pairs_of_a_corpus():
    def document(name, section, text):
        return Document("p", "1", name, "function", section, text)

    corpus = Corpus(
        [
            document("p.a", "summary", "Sort a list."),
            document("p.a", "description", "word " * 100),
            document("p.b", "summary", "Sort a  LIST."),
            document("p.b", "description", "Something else."),
            document("p.c", "description", "No summary."),
        ],
        Report(1, 1, 5),
    )
    (pair,) = summary_body_pairs(corpus, words=10)
    assert pair == Pair("Sort a list.", "word " * 9 + "word")


# --- training ------------------------------------------------------------------------------------


def test_training_pairs_what_belongs_together(encoder):
    model = ContrastiveEncoder(encoder)
    before = model.evaluate(PAIRS, resamples=0)["found@1"].value
    model.fit(PAIRS, epochs=30, batch=16, lr=3e-3, progress=False)
    assert before < 0.3 and model.evaluate(PAIRS, resamples=0)["found@1"].value > 0.9
    assert model.history.steps[0] > math.log(16) * 0.8 > 1 > model.history.steps[-1]
    vectors = model.predict([PAIRS[0].first, PAIRS[0].second])
    assert vectors[0] @ vectors[1] > 0.8


def test_the_same_seed_gives_the_same_weights(encoder, tokenizer):
    vectors = []
    for _ in range(2):
        torch.manual_seed(0)
        fresh = Encoder(EncoderConfig.tiny(vocab_size=250, dropout=0.1))
        model = ContrastiveEncoder(SentenceEncoder(fresh, tokenizer, max_len=16))
        model.fit(PAIRS, epochs=2, batch=8, lr=1e-3, seed=3, progress=False)
        vectors.append(model.predict(["the cat"]))
    assert torch.equal(*vectors)


def test_training_stops_when_validation_gets_worse(encoder):
    # What is asked of it in validation is the opposite of what it learns.
    swapped = [Pair(a.first, b.second) for a, b in zip(PAIRS, PAIRS[1:] + PAIRS[:1], strict=True)]
    model = ContrastiveEncoder(encoder)
    model.fit(PAIRS, validation=swapped, epochs=40, lr=3e-3, patience=2, progress=False)
    history = model.history
    assert len(history.validation) == history.best_epoch + 2 < 40


def test_widths_train_the_beginning_of_the_vector(tokenizer):
    found = {}
    for widths in ((), (2,)):
        torch.manual_seed(0)
        tiny = Encoder(EncoderConfig.tiny(vocab_size=250))
        encoder = SentenceEncoder(tiny, tokenizer, max_len=16)
        model = ContrastiveEncoder(encoder, widths=widths)
        model.fit(PAIRS, epochs=30, batch=16, lr=3e-3, progress=False)
        short = SentenceEncoder(tiny, tokenizer, max_len=16, width=2)
        report = ContrastiveEncoder(short).evaluate(PAIRS, resamples=0)
        found[widths] = report["MRR@10"].value
    assert found[(2,)] > found[()] + 0.1
    with pytest.raises(ValueError, match=r"widths are \(33,\) but the encoder gives 32"):
        ContrastiveEncoder(encoder, widths=(33,))


# --- vectors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", POOLINGS)
def test_vectors_with_gradients_are_the_vectors(encoder, tokenizer, pooling):
    texts = ["the cat", "it will bark and bark and bark"]
    model = SentenceEncoder(encoder.encoder.eval(), tokenizer, pooling, normalise=False, max_len=16)
    trainable = model.trainable(texts)
    assert torch.allclose(trainable, model.encode(texts), atol=1e-5) and trainable.requires_grad
    # Not so where padding is pooled with the rest.
    hidden, keep = torch.randn(1, 3, 4), torch.tensor([[True, True, False]])
    everything = pool_padded(hidden, torch.ones_like(keep), pooling)
    changed = hidden.clone()
    changed[0, 2] += 100
    assert torch.equal(pool_padded(changed, keep, pooling), pool_padded(hidden, keep, pooling))
    assert pooling == "cls" or not torch.equal(
        pool_padded(changed, torch.ones_like(keep), pooling), everything
    )


def test_a_width_cuts_before_the_length_is_made_one(encoder, tokenizer):
    whole = SentenceEncoder(encoder.encoder, tokenizer, normalise=False, max_len=16)
    short = SentenceEncoder(encoder.encoder, tokenizer, max_len=16, width=8)
    vectors = short.encode(["the cat", "the dog"])
    expected = F.normalize(whole.encode(["the cat", "the dog"])[:, :8], dim=-1)
    assert torch.allclose(vectors, expected, atol=1e-6)
    assert short.fingerprint() != encoder.fingerprint()
    for width in (0, 33):
        with pytest.raises(ValueError, match=f"width is {width} but the encoder gives 32"):
            SentenceEncoder(encoder.encoder, tokenizer, max_len=16, width=width)


def test_save_and_load(encoder, tokenizer, tmp_path):
    model = SentenceEncoder(encoder.encoder, tokenizer, "max", False, 16, 8)
    again = SentenceEncoder.load(model.save(tmp_path / "here"))
    assert again.fingerprint() == model.fingerprint()
    trained = ContrastiveEncoder.load(tmp_path / "here", temperature=0.1)
    assert torch.equal(trained.predict(["the cat"]), model.encode(["the cat"]))
    (tmp_path / "here" / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="SentenceEncoder in .* is damaged"):
        SentenceEncoder.load(tmp_path / "here")
    with pytest.raises(ValueError, match="there is no task.json"):
        SentenceEncoder.load(tmp_path)


# --- reading both together -----------------------------------------------------------------------


def test_hard_choices_are_what_the_search_confuses():
    pairs = [Pair("sort a list", "order list items"), Pair("open", "list of files in a folder")]
    pairs.append(Pair("list", "a list of items"))
    choices = hard_choices(pairs, WordSearch(), wrong=1)
    assert choices[0] == Choice("sort a list", "order list items", ("a list of items",))
    assert "open" not in [choice.question for choice in choices]  # nothing shares its word
    assert all(choice.right not in choice.wrong for choice in choices)


@pytest.fixture
def choices():
    """The sound of each animal, among those of the two that follow it."""
    sounds = [pair.second for pair in PAIRS]
    return [
        Choice(pair.first, pair.second, tuple((sounds + sounds)[i + 1 : i + 3]))
        for i, pair in enumerate(PAIRS)
    ]


def test_a_reranker_learns_to_prefer_the_right_text(encoder, tokenizer, choices, tmp_path):
    model = Reranker(encoder.encoder, tokenizer, max_len=16)
    assert model.evaluate(choices, resamples=0)["found@1"].value < 0.8
    model.fit(choices, epochs=80, batch=16, lr=3e-3, progress=False)
    assert model.evaluate(choices, resamples=0)["found@1"].value > 0.9
    texts = ["it will sing", "it will bark", "it will blub"]
    assert model.predict("the dog", texts)[0] == "it will bark"
    alone = torch.cat([model.scores("the dog", [text]) for text in texts])
    assert torch.allclose(model.scores("the dog", texts), alone, atol=1e-5)
    again = Reranker.load(model.save(tmp_path))
    assert torch.equal(again.scores("the cat", texts), model.scores("the cat", texts))
    assert model.scores("the cat", []).shape == (0,)


def test_a_reranker_names_what_is_wrong(encoder, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="max_len is 65 but the encoder has positions for 64"):
        Reranker(encoder.encoder, tokenizer, max_len=65)
    encoder.save(tmp_path)
    with pytest.raises(ValueError, match="holds a SentenceEncoder, not a Reranker"):
        Reranker.load(tmp_path)


def test_the_loss_of_a_reranker_by_hand(encoder, tokenizer):
    model = Reranker(encoder.encoder.eval(), tokenizer, max_len=16)
    model.model.eval()
    choice = Choice("the cat", "it will mew", ("it will bark", "it will moo"))
    right, *wrong = model.scores(choice.question, [choice.right, *choice.wrong]).tolist()
    expected = -right + math.log(sum(math.exp(score) for score in (right, *wrong)))
    assert model.loss([choice, choice]).item() == pytest.approx(expected, abs=1e-5)
