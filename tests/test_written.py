"""The written sets: they load, nothing repeats, spans fit their words, and the cards are right."""

import json
import re
import sys
import types
import unicodedata
from collections import Counter

import numpy as np
import pytest

from encoder_course.data import public, written
from encoder_course.data.written import FOLDER, KINDS, SPLITS, load
from encoder_course.tasks.assistant import questions
from encoder_course.tasks.bm25 import words
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.text.bio import Span, to_tags, word_places

SHARED_WORDS = 0.6  # Jaccard of the words of two texts, at most
COSINE = 0.85  # of MiniLM's vectors of two texts, at most
LOOKED_AT = 0.3  # cosine of the TF-IDF rows from which on MiniLM is asked

INTENTS = {
    "billing": {"refund", "invoice_question", "change_plan", "payment_failed"},
    "technical": {"login_problem", "crash_or_error", "slow", "how_to", "feature_missing"},
    "general": {"opening_hours", "feedback", "other_question"},
}
LABELS = {"PARTY", "CASE_REF", "DATE", "MONEY", "LEGAL_TERM", "JURISDICTION"}


@pytest.fixture(scope="module")
def sets():
    """Both splits of all six sets."""
    return {name: {split: load(name, split) for split in SPLITS} for name in KINDS}


@pytest.fixture(scope="module")
def minilm():
    return SentenceEncoder.minilm()


# --- no repeats ----------------------------------------------------------------------------------


def texts_of(name, records):
    """The English texts of each record."""
    if name == "similarity":
        return [(record.a, record.b) for record in records]
    return [(record.en if name == "parallel" else record.text,) for record in records]


def near_repeats(items, minilm):
    """What stands twice, or nearly so, in different items (tuples of texts).

    MiniLM sees only texts that share some rare word with another one: all of them would take half
    a minute. A paraphrase without a common word passes.
    """
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    numbers, texts = zip(*((i, text) for i, item in enumerate(items) for text in item), strict=True)
    apart = np.triu(np.not_equal.outer(numbers, numbers), 1)

    held = CountVectorizer(token_pattern=r"\w+", binary=True).fit_transform(texts)
    shared = (held @ held.T).toarray()
    size = shared.diagonal()
    repeats = shared > SHARED_WORDS * (size[:, None] + size - shared)

    tfidf = TfidfVectorizer(tokenizer=words, token_pattern=None, sublinear_tf=True)
    rows = tfidf.fit_transform(texts)
    near = apart & ((rows @ rows.T).toarray() > LOOKED_AT)
    places = np.flatnonzero(near.any(axis=0) | near.any(axis=1))
    vectors = minilm.encode([texts[i] for i in places]).numpy()
    repeats[np.ix_(places, places)] |= vectors @ vectors.T > COSINE
    return [(texts[i], texts[j]) for i, j in np.argwhere(repeats & apart)]


@pytest.mark.parametrize("name", KINDS)
def test_nothing_repeats_within_or_across_the_splits(sets, minilm, name):
    records = [record for split in SPLITS for record in sets[name][split]]
    assert near_repeats(texts_of(name, records), minilm) == []


def test_no_question_of_one_split_nearly_repeats_in_the_other(minilm):
    one, other = ({q.text for q in questions(split)} for split in ("validation", "test"))
    found = near_repeats([(text,) for text in sorted(one | other)], minilm)
    assert [pair for pair in found if not (one.issuperset(pair) or other.issuperset(pair))] == []


@pytest.mark.parametrize(
    "planted",
    [
        "either party may terminate this agreement, by giving ninety days' notice in writing!",
        "By giving notice of sixty days in writing, either party may end this agreement.",
        "The agreement may be terminated by either of the parties on 60 days' written notice.",
    ],
    ids=["another number", "another order", "other words"],
)
def test_a_planted_near_repeat_is_found(sets, minilm, planted):
    items = texts_of("contracts", sets["contracts"]["train"])[:40]
    assert near_repeats(items, minilm) == []
    assert near_repeats([*items, (planted,)], minilm) == [(items[0][0], planted)]


def test_two_sentences_of_one_item_may_be_alike(minilm):
    alike = ("The cat sat on the mat.", "The cat sat on the old mat.")
    assert near_repeats([alike, ("Rain is due.", "Snow fell.")], minilm) == []
    assert near_repeats([alike[:1], alike[1:]], minilm) == [alike]


# --- what is in the records ----------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("split", SPLITS)
def test_texts_are_clean(sets, name, split):
    for record in sets[name][split]:
        for field, value in vars(record).items():
            if isinstance(value, str):
                assert value and value == value.strip(), (field, record)
                assert unicodedata.normalize("NFC", value) == value, (field, record)
                assert "\n" not in value and "\t" not in value, (field, record)


@pytest.mark.parametrize("split", SPLITS)
def test_labels_are_known(sets, split):
    reviews, support = sets["reviews"][split], sets["support"][split]
    assert {review.label for review in reviews} == {"positive", "negative"}
    assert {review.domain for review in reviews} == {"kitchen", "hotel", "software"}
    assert {review.hard for review in reviews} == {None, "negation", "irony", "mixed"}
    for message in support:
        assert message.intent in INTENTS[message.label]
        assert message.other != message.intent
    assert {message.other for message in support} == {None}.union(*INTENTS.values())
    assert {span.label for clause in sets["contracts"][split] for span in clause.spans} == LABELS
    assert {pair.score for pair in sets["similarity"][split]} == {i / 2 for i in range(11)}
    assert {use.sense for use in sets["senses"]["test"]} == {
        use.sense for use in sets["senses"]["train"]
    }


@pytest.mark.parametrize("split", SPLITS)
def test_spans_lie_on_whole_words_in_order_and_do_not_overlap(sets, split):
    for clause in sets["contracts"][split]:
        to_tags(word_places(clause.text), clause.spans)  # ValueError where they do not
        assert list(clause.spans) == sorted(clause.spans)


@pytest.mark.parametrize("split", SPLITS)
def test_the_ambiguous_word_is_where_it_is_said_to_be(sets, split):
    for use in sets["senses"][split]:
        assert (use.start, use.end) in word_places(use.text)
        assert use.text[use.start : use.end].lower() in (use.word, use.word + "s", use.word + "es")


@pytest.mark.parametrize("split", SPLITS)
def test_translations_are_in_their_scripts(sets, split):
    for sentence in sets["parallel"][split]:
        assert re.search("[\u0900-\u097f]", sentence.hi)
        assert not re.search("[\u0900-\u097f]", sentence.en + sentence.pt)
        assert len({sentence.en, sentence.pt, sentence.hi}) == 3


# --- the data cards ------------------------------------------------------------------------------


def counted(records, field):
    return Counter(getattr(record, field) for record in records)


def claims(name, train, test):
    """What the card has to say, counted in the files."""
    if name == "reviews":
        yield f"| reviews | {len(train)} | {len(test)} |"
        labels = [counted(split, "label") for split in (train, test)]
        cells = [f"{count['positive']} / {count['negative']}" for count in labels]
        yield f"| positive / negative | {cells[0]} | {cells[1]} |"
        hard = [counted(split, "hard") for split in (train, test)]
        cells = [f"{count['negation']} / {count['irony']} / {count['mixed']}" for count in hard]
        yield f"| hard: negation / irony / mixed | {cells[0]} | {cells[1]} |"
    elif name == "support":
        yield f"{len(train)} messages in the training split and {len(test)} in the test split"
        for label, intents in INTENTS.items():
            each = {counted(train, "intent")[intent] for intent in intents}
            cells = (counted(train, "label")[label], *each)
            yield "| {}, {} each | {} |".format(*cells, counted(test, "label")[label])
        two = [len(split) - counted(split, "other")[None] for split in (train, test)]
        yield f"({two[0]} training and {two[1]} test messages"
    elif name == "contracts":
        yield f"| clauses | {len(train)} | {len(test)} |"
        bare = [sum(not clause.spans for clause in split) for split in (train, test)]
        yield f"| clauses with no span | {bare[0]} | {bare[1]} |"
        spans = [[span for clause in split for span in clause.spans] for split in (train, test)]
        yield f"| spans in all | {len(spans[0])} | {len(spans[1])} |"
        for label, count in counted(spans[0], "label").items():
            marked = {c.text[s.start : s.end] for c in train for s in c.spans if s.label == label}
            yield f"| `{label}` | {count} | {len(marked)} | {counted(spans[1], 'label')[label]} |"
    elif name == "senses":
        each = [set(Counter((u.word, u.sense) for u in split).values()) for split in (train, test)]
        senses = len({(use.word, use.sense) for use in train})
        yield f"Training split: {each[0].pop()} sentences for each of the {senses} senses"
        yield f"{len(train)} in all. Test split: {each[1].pop()} for each, {len(test)} in all."
        assert not each[0] and not each[1]
    elif name == "parallel":
        yield f"| sentences, each in three languages | {len(train)} | {len(test)} |"
    else:
        yield f"Training split: {len(train)} pairs"
        yield f"Test split: {len(test)} pairs"


@pytest.mark.parametrize("name", KINDS)
def test_the_data_card_counts_what_is_there(sets, name):
    card = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    for claim in claims(name, *sets[name].values()):
        assert claim in card
    assert "CC BY 4.0" in card


# --- loading -------------------------------------------------------------------------------------


def test_what_cannot_be_loaded_is_named(tmp_path):
    with pytest.raises(ValueError, match="no written set 'review', only reviews"):
        load("review")
    with pytest.raises(ValueError, match="no split 'dev', only train and test"):
        load("reviews", "dev")
    with pytest.raises(FileNotFoundError, match=r"reviews.train.jsonl is missing; install"):
        load("reviews", folder=tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 of contracts.train.jsonl is no Clause: "),
        ('{"text": "a"}', "is no Clause: .*missing"),
        ('{"text": "a", "clause": "term", "spans": [[0, 1]]}', "is no Clause"),
        ('{"text": "a", "clause": "term", "spans": [], "mood": 1}', "is no Clause: .*'mood'"),
        ("[1]", "is no Clause"),
    ],
    ids=["cut off", "field missing", "span without label", "field too many", "no object"],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    good = json.dumps({"text": "On Monday.", "clause": "term", "spans": [[3, 9, "DATE"]]})
    path = tmp_path / "contracts.train.jsonl"
    path.write_text(good + "\n", encoding="utf-8")
    (clause,) = load("contracts", folder=tmp_path)
    assert clause == written.Clause("On Monday.", "term", (Span(3, 9, "DATE"),))
    path.write_text(f"{good}\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load("contracts", folder=tmp_path)


# --- public benchmarks, through a stand-in for `datasets` ----------------------------------------


class Rows(list):
    """What `load_dataset` gives, as far as it is used."""

    def __init__(self, rows, **features):
        super().__init__(rows)
        self.features = features


def names(*names):
    return types.SimpleNamespace(names=list(names))


HUB = {
    "stanfordnlp/sst2": Rows(
        [{"sentence": "a joyless , idiotic film ", "label": 0}], label=names("negative", "positive")
    ),
    "legacy-datasets/banking77": Rows(
        [{"text": "\nMy card is lost", "label": 1}], label=names("top_up", "lost_card")
    ),
    "eriktks/conll2003": Rows(
        [{"tokens": ["Ada", "Li", "left", "Rome", "Paris"], "ner_tags": [1, 2, 0, 3, 3]}],
        ner_tags=types.SimpleNamespace(feature=names("O", "B-PER", "I-PER", "B-LOC")),
    ),
    "rajpurkar/squad": Rows(
        [
            {
                "question": " Who? ",
                "context": "Ada and Li, or Ada",
                "answers": {"text": ["Ada", "Li", "Ada"], "answer_start": [0, 8, 0]},
            }
        ]
    ),
}


@pytest.fixture
def datasets(monkeypatch):
    calls = []

    def load_dataset(path, revision, split):
        calls.append((path, revision, split))
        if path not in HUB:
            raise OSError("no network")
        return HUB[path]

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    return calls


def test_benchmarks_come_as_the_records_of_the_written_sets(datasets):
    review = written.Review("a joyless , idiotic film", "negative", "film", None)
    assert public.load("sst2") == (review,)
    message = written.Message("My card is lost", "lost_card", "lost_card", None)
    assert public.load("banking77", "test") == (message,)
    (clause,) = public.load("conll2003", "validation")
    assert clause.text == "Ada Li left Rome Paris"
    assert clause.spans == ((0, 6, "PER"), (12, 16, "LOC"), (17, 22, "LOC"))
    question = public.Question("Who?", "Ada and Li, or Ada", ((0, 3), (8, 10)))
    assert public.load("squad") == (question,)
    assert datasets[2] == ("eriktks/conll2003", "refs/convert/parquet", "validation")


def test_what_stands_in_the_way_of_a_benchmark_is_named(datasets, monkeypatch):
    with pytest.raises(ValueError, match="no benchmark 'imdb', only sst2"):
        public.load("imdb")
    with pytest.raises(ValueError, match="no labels; use its validation split"):
        public.load("sst2", "test")
    with pytest.raises(ConnectionError, match="rajpurkar/squad_v2 did not come .*OSError"):
        public.load("squad_v2")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match="pip install datasets"):
        public.load("sst2")
