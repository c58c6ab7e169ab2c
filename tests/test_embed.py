"""Sentence vectors and search: equal to sentence-transformers, order, edges, the cache."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from encoder_course import hf
from encoder_course.config import EncoderConfig
from encoder_course.data.hub import find_minilm
from encoder_course.nn import Encoder
from encoder_course.tasks import search
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.search import DocumentSearch
from encoder_course.text.batching import pad
from encoder_course.text.tokenizer import Tokenizer

TEXTS = [
    "How do I sort a list?",
    "",
    "The court of appeal in Lisbon dismissed the claim. " * 40,  # longer than 256 tokens
    "Sort the elements of an array in place.",
    "naïve 東京 नमस्ते ☕",
    "How do I sort a list?",
    "   ",
    "x",
]


@pytest.fixture(scope="module")
def minilm():
    return SentenceEncoder.minilm()


@pytest.fixture(scope="module")
def expected():
    """The same texts by sentence-transformers."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(find_minilm()), device="cpu")
    return model.encode(TEXTS, convert_to_tensor=True)


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_equals_sentence_transformers(minilm, expected):
    vectors = minilm.encode(TEXTS)
    assert vectors.shape == (8, 384)
    close(vectors, expected)


def test_many_texts_take_the_fast_path_to_the_same_vectors(minilm, expected, monkeypatch):
    close(minilm.encode(TEXTS * 8), expected.repeat(8, 1))
    prepared = []
    monkeypatch.setattr("encoder_course.tasks.embed.suits", lambda encoder: prepared.append(1))
    minilm.encode(TEXTS[3:6])
    assert not prepared  # a few texts are not worth it
    close(minilm.encode(TEXTS[3:4] * 64)[0], expected[3])
    assert prepared


def pooled(minilm, pool):
    """Vectors from padded rows, pooled by `pool(hidden, keep)`."""
    ids, keep = pad(minilm.tokenizer.ids(TEXTS, max_len=256), minilm.tokenizer.pad_id)
    with torch.inference_mode():
        return F.normalize(pool(minilm.encoder(ids, keep), keep), dim=-1)


@pytest.mark.parametrize(
    ("wrong", "correct"),
    [
        (lambda hidden, keep: (hidden * keep[..., None]).sum(1) / keep.sum(1)[:, None], True),
        (lambda hidden, keep: hidden.mean(1), False),
        (lambda hidden, keep: (hidden * ~keep[..., None]).sum(1), False),
        (lambda hidden, keep: hidden[:, 0], False),
    ],
    ids=["masked mean", "mean over padding", "mask inverted", "first token"],
)
def test_only_the_masked_mean_passes(minilm, expected, wrong, correct):
    if correct:
        close(pooled(minilm, wrong), expected)
    else:
        with pytest.raises(AssertionError):
            close(pooled(minilm, wrong), expected)


def test_order_and_company_change_nothing(minilm):
    vectors = minilm.encode(TEXTS)
    close(minilm.encode(TEXTS[::-1]).flip(0), vectors)
    close(minilm.encode(TEXTS[:1]), vectors[:1])
    close(vectors[0], vectors[5])
    close(vectors[1], vectors[6])
    assert vectors[0] @ vectors[3] > 0.5 > vectors[0] @ vectors[2]


def test_no_texts_give_no_vectors(minilm):
    assert minilm.encode([]).shape == (0, 384)


def test_each_pooling_does_what_it_says():
    encoder, tokenizer = hf.minilm()
    row = tokenizer.ids(TEXTS[:1])[0]
    hidden = encoder(torch.tensor([row]))[0].detach()
    for pooling, wanted in (
        ("mean", hidden.mean(0)),
        ("cls", hidden[0]),
        ("max", hidden.max(0).values),
    ):
        model = SentenceEncoder(encoder, tokenizer, pooling, normalise=False)
        close(model.encode(TEXTS[:1])[0], wanted)


def test_layers_stand_side_by_side_with_equal_shares(minilm):
    encoder, tokenizer = minilm.encoder, minilm.tokenizer
    ids = torch.tensor(tokenizer.ids(TEXTS[:1]))
    states = [state[0].mean(0) for state in encoder.inspect(ids).hidden]
    plain = SentenceEncoder(encoder, tokenizer, normalise=False, layers=(6, 2))
    close(plain.encode(TEXTS[:1])[0], torch.cat([states[6], states[2]]))
    model = SentenceEncoder(encoder, tokenizer, layers=(4, 5, 6))
    alone = model.encode(TEXTS[:1])[0]
    parts = torch.cat([F.normalize(states[layer], dim=-1) for layer in (4, 5, 6)])
    close(alone, parts / math.sqrt(3))
    assert model.width == 3 * 384 == len(alone)
    close(model.encode(TEXTS[:1] * 64)[9], alone)  # by the fast path
    close(SentenceEncoder(encoder, tokenizer, layers=[6]).encode(TEXTS), minilm.encode(TEXTS))
    assert model.fingerprint() != minilm.fingerprint()


def test_layers_are_kept_with_the_weights(tmp_path):
    tokenizer = Tokenizer.train(TEXTS, vocab_size=120, progress=False)
    tiny = Encoder(EncoderConfig.tiny(vocab_size=120)).eval()
    model = SentenceEncoder(tiny, tokenizer, max_len=32, layers=(1, 2))
    again = SentenceEncoder.load(model.save(tmp_path))
    assert again.layers == (1, 2) and again.fingerprint() == model.fingerprint()
    torch.testing.assert_close(again.encode(TEXTS[:2]), model.encode(TEXTS[:2]))
    with pytest.raises(ValueError, match="only the last layer's vectors are trained"):
        model.trainable(TEXTS[:2])


def test_the_mode_of_the_encoder_is_given_back(minilm):
    encoder, tokenizer = hf.minilm()
    encoder.train()
    close(SentenceEncoder(encoder, tokenizer).encode(TEXTS[:2]), minilm.encode(TEXTS[:2]))
    assert encoder.training


def test_half_precision_is_near_but_not_equal(minilm):
    encoder, tokenizer = hf.minilm()
    vectors = SentenceEncoder(encoder.bfloat16(), tokenizer).encode(TEXTS)
    assert vectors.dtype == torch.float32
    cosines = (vectors * minilm.encode(TEXTS)).sum(-1)
    assert 0.999 < cosines.min() < 1 - 1e-6


def test_settings_that_disagree_are_named(minilm):
    encoder, tokenizer = minilm.encoder, minilm.tokenizer
    with pytest.raises(ValueError, match="pooling 'median' is not one of"):
        SentenceEncoder(encoder, tokenizer, pooling="median")
    with pytest.raises(ValueError, match="max_len is 513.*positions for 512"):
        SentenceEncoder(encoder, tokenizer, max_len=513)
    for layers in ((), (0,), (3, 7)):
        with pytest.raises(
            ValueError, match=r"layers are \[.*but the encoder has those from 1 to 6"
        ):
            SentenceEncoder(encoder, tokenizer, layers=layers)
    small = Encoder(EncoderConfig.tiny(vocab_size=8192, max_len=512))
    with pytest.raises(ValueError, match="30522 tokens.*vectors for 8192"):
        SentenceEncoder(small, tokenizer)


# --- search --------------------------------------------------------------------------------------

DOCUMENTS = [
    "Return a new sorted list from the items in iterable.",
    "Open a file and return a stream.",
    "Compute the arithmetic mean along the given axis.",
    "Raise an error if the matrix is singular.",
]


class Counting(SentenceEncoder):
    """A sentence encoder that counts how many texts it was given."""

    given = 0

    def encode(self, texts, progress=False):
        self.given += len(texts)
        return super().encode(texts, progress)


@pytest.fixture
def counting(minilm):
    return Counting(minilm.encoder, minilm.tokenizer)


def test_finds_the_document_that_means_the_same(minilm):
    index = DocumentSearch(minilm, cache=False).fit(DOCUMENTS, progress=False)
    for question, answer in (
        ("average of an array", 2),
        ("read from disk", 1),
        ("put in order", 0),
    ):
        hits = index.query(question, k=3)
        assert hits[0].document == DOCUMENTS[answer]
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(index.query("anything", k=99)) == 4


def test_scores_are_cosines_whatever_the_encoder_normalises(minilm):
    raw = SentenceEncoder(minilm.encoder, minilm.tokenizer, normalise=False)
    index = DocumentSearch(raw, cache=False).fit(DOCUMENTS, progress=False)
    hit = index.query(DOCUMENTS[3], k=1)[0]
    assert hit.document == DOCUMENTS[3] and math.isclose(hit.score, 1, abs_tol=1e-5)


def test_records_are_searched_by_their_text_and_returned_whole(minilm):
    records = [SimpleNamespace(name=str(i), text=text) for i, text in enumerate(DOCUMENTS)]
    index = DocumentSearch(minilm, cache=False).fit(records, progress=False)
    assert index.query("average", k=1)[0].document is records[2]


def test_the_same_documents_are_encoded_once(counting, tmp_path):
    first = DocumentSearch(counting, cache_dir=tmp_path).fit(DOCUMENTS, progress=False)
    again = DocumentSearch(counting, cache_dir=tmp_path).fit(DOCUMENTS, progress=False)
    assert counting.given == 4
    assert torch.equal(first.vectors, again.vectors)
    DocumentSearch(counting, cache_dir=tmp_path).fit(DOCUMENTS[::-1], progress=False)
    assert counting.given == 8
    assert len(list(tmp_path.rglob("*.npz"))) == 2
    assert not list(tmp_path.rglob("*.unfinished"))


def test_the_key_knows_texts_borders_and_encoder(minilm):
    other = SentenceEncoder(minilm.encoder, minilm.tokenizer, pooling="cls")
    keys = {
        search.content_key(encoder, texts)
        for encoder in (minilm, other)
        for texts in (["ab", "c"], ["a", "bc"], ["c", "ab"])
    }
    assert len(keys) == 6


def truncate(raw):
    return raw[: len(raw) // 2]


def flip_one_bit(raw):
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]


@pytest.mark.parametrize("damage", [truncate, flip_one_bit, lambda raw: b""])
def test_a_damaged_file_is_built_again(counting, tmp_path, damage):
    vectors = DocumentSearch(counting, cache_dir=tmp_path).fit(DOCUMENTS, False).vectors
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(damage(path.read_bytes()))
    again = DocumentSearch(counting, cache_dir=tmp_path).fit(DOCUMENTS, False).vectors
    assert counting.given == 8
    assert torch.equal(again, vectors)
    DocumentSearch(counting, cache_dir=tmp_path).fit(DOCUMENTS, False)
    assert counting.given == 8


def test_the_environment_names_the_cache(counting, tmp_path, monkeypatch):
    monkeypatch.setenv("ENCODER_COURSE_CACHE", str(tmp_path / "elsewhere"))
    DocumentSearch(counting).fit(DOCUMENTS, False)
    assert list((tmp_path / "elsewhere").rglob("*.npz"))


def test_bad_questions_are_named(minilm):
    index = DocumentSearch(minilm, cache=False)
    with pytest.raises(ValueError, match="call fit"):
        index.query("anything")
    with pytest.raises(TypeError, match="one str"):
        index.fit("a text")
    index.fit(DOCUMENTS, False)
    with pytest.raises(ValueError, match="k must be at least 1, but it is 0"):
        index.query("anything", k=0)
