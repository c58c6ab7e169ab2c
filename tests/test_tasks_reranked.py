"""The second look: tokens matched by hand, ranks added up, nothing lost and nothing invented."""

import pytest
import torch
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.nn import Encoder
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.reranked import RerankedSearch, TokenMatch
from encoder_course.tasks.search import HybridSearch, Search, WordSearch
from encoder_course.text.tokenizer import Tokenizer

TEXTS = ["red apple", "red red car", "blue sky above", "a red red sky"]


class Fixed(Search):
    """A search whose scores are given."""

    def __init__(self, given):
        super().__init__()
        self.given = torch.tensor(given)

    def index(self, texts, progress=True):
        pass

    def scores(self, question):
        return self.given


class Longest:
    """Prefers long texts, and remembers what it was asked."""

    def scores(self, question, texts):
        self.asked = question, list(texts)
        return torch.tensor([float(len(text)) for text in texts])


# --- the wrapper ---------------------------------------------------------------------------------


def test_ranks_are_added_by_hand():
    search = Fixed([0.9, 0.5, 0.7, 0.1]).fit(TEXTS)
    scorer = Longest()
    reranked = RerankedSearch(search, scorer, depth=3, weight=2)
    # Ranks by the search 1, 3, 2, 4; by length, of the first three, 3, 2, 1.
    expected = [1 / 61 + 2 / 63, 1 / 63 + 2 / 62, 1 / 62 + 2 / 61, 1 / 64]
    torch.testing.assert_close(reranked.scores("red?"), torch.tensor(expected))
    assert scorer.asked == ("red?", [TEXTS[0], TEXTS[2], TEXTS[1]])
    assert [hit.document for hit in reranked.query("red?", 4)] == [TEXTS[i] for i in (2, 0, 1, 3)]


def test_weight_zero_is_the_search_and_a_large_one_is_the_scorer():
    search = Fixed([0.9, 0.5, 0.7, 0.1]).fit(TEXTS)
    for weight, order in ((0, [0, 2, 1, 3]), (1e6, [2, 3, 1, 0])):
        found = RerankedSearch(search, Longest(), depth=4, weight=weight).query("red?", 4)
        assert [TEXTS.index(hit.document) for hit in found] == order


def test_what_was_not_found_stays_out():
    words = WordSearch().fit(TEXTS, progress=False)
    found = RerankedSearch(words, Longest()).query("sky", 4)
    assert {hit.document for hit in found} == {TEXTS[2], TEXTS[3]}
    assert RerankedSearch(words, Longest()).query("zebra", 4) == []


def test_fit_reaches_the_searches_below():
    reranked = RerankedSearch(HybridSearch([WordSearch()]), Longest()).fit(TEXTS, progress=False)
    assert reranked.query("blue", 1)[0].document == TEXTS[2]


def test_bad_settings():
    for settings in (dict(depth=0), dict(weight=-1)):
        with pytest.raises(ValueError, match="depth must be 1 or more and weight 0 or more"):
            RerankedSearch(WordSearch(), Longest(), **settings)


# --- matching tokens -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def match():
    tokenizer = Tokenizer.train(TEXTS, vocab_size=80, progress=False)
    torch.manual_seed(0)
    tiny = Encoder(EncoderConfig.tiny(vocab_size=80)).eval()
    return TokenMatch(SentenceEncoder(tiny, tokenizer, max_len=32))


@torch.no_grad()
def test_tokens_are_matched_as_a_loop_does(match):
    model, tokenizer = match.encoder.encoder, match.encoder.tokenizer
    rows = [model(torch.tensor([ids]))[0] for ids in tokenizer.ids(["red sky", *TEXTS])]
    question, *texts = rows
    expected = [
        sum(max(float(F.cosine_similarity(q, t, dim=0)) for t in text) for q in question[1:-1])
        / (len(question) - 2)
        for text in texts
    ]
    found = match.scores("red sky", TEXTS)
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


def test_a_text_matches_itself_best_and_neighbours_change_nothing(match):
    scores = match.scores(TEXTS[2], TEXTS)
    assert scores.argmax() == 2 and scores[2] == pytest.approx(1, abs=1e-5)
    alone = match.scores(TEXTS[2], [TEXTS[1]])
    torch.testing.assert_close(alone[0], scores[1], atol=1e-5, rtol=0)
    assert match.scores("red", []).shape == (0,)
