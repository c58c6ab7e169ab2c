"""Search by words and by both: hand-made numbers, laws, wrong formulas, ranks."""

import math
from types import SimpleNamespace

import pytest
import torch

from encoder_course.tasks.bm25 import BM25, Postings, shared_words, words
from encoder_course.tasks.search import (
    HybridSearch,
    Question,
    Search,
    WordSearch,
    rank_report,
    read_arrays,
    write_arrays,
)

TEXTS = ["red apple", "red red car", "blue sky above"]


def scores(texts, question, **settings):
    return BM25([Postings.of(texts)], **settings).scores(question).tolist()


# --- words and BM25 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How do I remove the rows?", ["remove", "row"]),
        ("DataFrame.drop_duplicates", ["data", "frame", "drop", "duplicate"]),
        ("HTMLParser and parseXML", ["html", "parser", "parse", "xml"]),
        ("queries of classes; class, status, axis", "query classe class status axis".split()),
        ("torch.nn.Conv2d", ["torch", "nn", "conv2d"]),
        ("Überall naïve", ["überall", "naïve"]),
        ("", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_the_share_of_words_by_hand():
    texts = ["Sort an array in place.", "Return a sorted copy.", "The arrays."]
    assert shared_words("how do I sort big arrays?", texts) == 2 / 3  # sort, array; not big
    assert shared_words("how do I?", texts) == shared_words("sort", []) == 0


def test_bm25_by_hand():
    # Two of three documents hold "red": idf = ln(1 + 1.5 / 2.5). Lengths 2, 3, 3; mean 8 / 3.
    idf = math.log(1.6)
    first = idf * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / (8 / 3)))
    second = idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / (8 / 3)))
    assert first == pytest.approx(0.5236, abs=1e-4) and second == pytest.approx(0.6243, abs=1e-4)
    assert scores(TEXTS, "red") == pytest.approx([first, second, 0])
    assert scores(TEXTS, "red sky")[2] == pytest.approx(
        math.log(1 + 2.5 / 1.5) * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 9 / 8))
    )


@pytest.mark.parametrize("wrong", [dict(b=0.0), dict(k1=2.0), dict(k1=0.0)])
def test_other_settings_are_other_numbers(wrong):
    assert scores(TEXTS, "red", **wrong) != pytest.approx(scores(TEXTS, "red"))


def test_what_the_settings_mean():
    once, twice, _ = scores(TEXTS, "red", k1=0.0)
    assert once == pytest.approx(twice)  # how often does not count
    short, long = scores(["red", "red and a long tail of words", "blue"], "red", b=0.0)[:2]
    assert short == pytest.approx(long)  # nor how long
    for settings in (dict(k1=-1.0), dict(b=1.5)):
        with pytest.raises(ValueError, match="k1 must be 0 or more and b from 0 to 1"):
            BM25([], **settings)


def test_a_rare_word_says_more_and_a_common_one_is_never_against():
    texts = ["cat dog", "cat fish", "cat bird"]
    assert scores(texts, "dog")[0] > scores(texts, "cat")[0] > 0
    assert scores(texts, "elephant") == [0, 0, 0] == scores(texts, "how do I")


def test_several_parts_are_searched_as_one():
    parts = BM25([Postings.of(TEXTS[:1]), Postings.of([]), Postings.of(TEXTS[1:])])
    for question in ("red", "sky above the car", "none"):
        assert parts.scores(question).tolist() == pytest.approx(scores(TEXTS, question))
    assert BM25([]).scores("red").shape == (0,)


# --- one interface -------------------------------------------------------------------------------


class Fixed(Search):
    """A search whose scores were decided before."""

    def __init__(self, *given, floor=-math.inf):
        super().__init__()
        self.given = torch.tensor(given)
        self.floor = floor

    def index(self, texts, progress=True):
        self.texts = texts

    def scores(self, question):
        return self.given


def test_words_find_only_what_shares_a_word():
    search = WordSearch().fit(TEXTS)
    assert [hit.document for hit in search.query("a red thing", k=9)] == [TEXTS[1], TEXTS[0]]
    assert search.query("green") == []
    reused = WordSearch().use(TEXTS, [Postings.of(TEXTS)])
    assert reused.query("red") == search.query("red")


def test_reciprocal_rank_fusion_by_hand():
    by_meaning, by_words = Fixed(0.9, 0.8, 0.1), Fixed(0.0, 7.0, 2.0, floor=0.0)
    hybrid = HybridSearch([by_meaning, by_words]).fit(["a", "b", "c"])
    expected = [1 / 61, 1 / 62 + 1 / 61, 1 / 63 + 1 / 62]
    assert hybrid.scores("any").tolist() == pytest.approx(expected)
    assert [hit.document for hit in hybrid.query("any")] == ["b", "c", "a"]
    assert by_meaning.texts == by_words.texts == ["a", "b", "c"]
    # Scores as they come would let the search with the larger numbers decide alone.
    assert (by_meaning.given + by_words.given).argsort(descending=True).tolist() == [1, 2, 0]


def test_weights_depth_and_constant_of_the_fusion():
    searches = [Fixed(0.9, 0.8, 0.1), Fixed(0.0, 1.0, 2.0, floor=0.0)]
    weighted = HybridSearch(searches, weights=[1, 0.01]).use(["a", "b", "c"])
    assert [hit.document for hit in weighted.query("any")] == ["a", "b", "c"]
    shallow = HybridSearch(searches, depth=1, constant=0).use(["a", "b", "c"])
    assert shallow.scores("any").tolist() == [1, 0, 1]
    assert {hit.document for hit in shallow.query("any")} == {"a", "c"}
    with pytest.raises(ValueError, match="2 searches but 3 weights"):
        HybridSearch(searches, weights=[1, 1, 1])


@pytest.mark.parametrize("search", [WordSearch(), HybridSearch([WordSearch()])])
def test_all_searches_refuse_the_same(search):
    with pytest.raises(ValueError, match="call fit"):
        search.query("red")
    with pytest.raises(TypeError, match="one str"):
        search.fit("red")
    with pytest.raises(ValueError, match="k must be at least 1"):
        search.fit(TEXTS).query("red", k=0)


# --- ranks ---------------------------------------------------------------------------------------


def test_a_name_takes_one_place_and_any_right_name_will_do():
    documents = [SimpleNamespace(name=name, text=name) for name in ("a", "a", "b", "c")]
    search = Fixed(0.9, 0.8, 0.7, 0.6).fit(documents)
    assert search.rank(Question("?", frozenset({"b"}))) == 2
    assert search.rank(Question("?", frozenset({"c", "b"}))) == 2
    assert search.rank(Question("?", frozenset({"c"})), k=2) == 0
    report = search.evaluate([Question("?", frozenset("a")), Question("?", frozenset("b"))])
    assert report["MRR@10"].value == pytest.approx(0.75) and report.examples == 2


def test_rank_report_by_hand():
    report = rank_report([1, 2, 0, 12], k=10, resamples=100)
    values = {metric.name: metric.value for metric in report}
    assert values == pytest.approx(
        {"found@1": 0.25, "found@10": 0.5, "MRR@10": 0.375, "nDCG@10": (1 + 1 / math.log2(3)) / 4}
    )
    assert report["MRR@10"].low < 0.375 < report["MRR@10"].high


def test_arrays_come_back_and_damage_is_seen(tmp_path):
    path = tmp_path / "folder" / "file.npz"
    write_arrays(path, rows=Postings.of(TEXTS).rows)
    assert read_arrays(path)["rows"].tolist() == Postings.of(TEXTS).rows.tolist()
    path.write_bytes(path.read_bytes()[:-30])
    assert read_arrays(path) == {} == read_arrays(tmp_path / "absent.npz")
    assert [file.name for file in path.parent.iterdir()] == ["file.npz"]
