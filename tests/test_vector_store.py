"""Vectors in a database: the same answers, only what is new, damage, a full disk, two at once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from encoder_course.config import EncoderConfig
from encoder_course.nn import Encoder
from encoder_course.tasks import vector_store
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.rag import Passage
from encoder_course.tasks.search import DocumentSearch, HybridSearch, WordSearch
from encoder_course.tasks.vector_store import TableSearch, key_of
from encoder_course.text.tokenizer import Tokenizer

pytest.importorskip("lancedb")
resource = pytest.importorskip("resource")  # POSIX only

VERBS = "sort open close read write copy move delete count draw".split()
PASSAGES = [
    Passage(package, "1.0", f"{package}.{verb}", "summary", f"{verb.title()} a {thing}.")
    for package, thing in (("files", "file"), ("tables", "table of numbers"))
    for verb in VERBS
]
QUESTION = "how do I copy a file?"


@pytest.fixture(scope="module")
def encoder():
    tokenizer = Tokenizer.train([p.text for p in PASSAGES], vocab_size=200, progress=False)
    torch.manual_seed(0)
    tiny = Encoder(EncoderConfig.tiny(vocab_size=200)).eval()
    return SentenceEncoder(tiny, tokenizer, max_len=64)


@pytest.fixture
def stored(encoder, tmp_path):
    return TableSearch(encoder, tmp_path, Passage).fit(PASSAGES, progress=False)


def reopened(search):
    return TableSearch(search.encoder, search.folder, search.record).open()


# --- the same search -----------------------------------------------------------------------------


def test_it_is_the_exact_search(encoder, stored):
    exact = DocumentSearch(encoder, cache=False).fit(PASSAGES, progress=False)
    for search in (stored, reopened(stored)):
        assert search.documents == PASSAGES
        torch.testing.assert_close(search.scores(QUESTION), exact.scores(QUESTION))
        pairs = zip(search.query(QUESTION, 7), exact.query(QUESTION, 7), strict=True)
        for found, expected in pairs:
            assert found.document == expected.document
            assert found.score == pytest.approx(expected.score, abs=1e-5)
    assert len(stored.query(QUESTION, 99)) == len(PASSAGES)


def test_a_table_of_strings_within_a_hybrid(encoder, tmp_path):
    texts = [passage.text for passage in PASSAGES]
    parts = [TableSearch(encoder, tmp_path), WordSearch()]
    stored = HybridSearch(parts).fit(texts, progress=False)
    exact = HybridSearch([DocumentSearch(encoder, cache=False), WordSearch()])
    exact.fit(texts, progress=False)
    assert torch.equal(stored.scores(QUESTION), exact.scores(QUESTION))
    assert TableSearch(encoder, tmp_path).open().documents == texts


def test_a_condition_on_the_columns(stored):
    found = stored.query(QUESTION, 20, where="package = 'tables'")
    assert [hit.document.package for hit in found] == ["tables"] * len(VERBS)
    with pytest.raises(ValueError, match="has no answer to where='colour = 1'"):
        stored.query(QUESTION, where="colour = 1")


def test_bad_input(encoder, tmp_path, stored):
    with pytest.raises(TypeError, match="got one str"):
        stored.fit("a text")
    with pytest.raises(TypeError, match="a str or a dataclass of them, but one is 3"):
        stored.fit([3])
    with pytest.raises(ValueError, match="k must be at least 1"):
        stored.query(QUESTION, 0)
    with pytest.raises(ValueError, match="nothing to search"):
        TableSearch(encoder, tmp_path / "other").query(QUESTION)


# --- only what is new ----------------------------------------------------------------------------


def test_only_new_documents_are_encoded_and_old_ones_go(stored):
    assert stored.encoded == len(PASSAGES)
    changed = Passage("files", "1.1", "files.sort", "summary", "Sort files by name.")
    stored.fit([*PASSAGES[1:], changed, changed], progress=False)
    assert stored.encoded == 1 and len(stored.documents) == len(PASSAGES)
    assert set(reopened(stored).documents) == {*PASSAGES[1:], changed}
    stored.fit(PASSAGES[:3], progress=False)
    assert stored.encoded == 1 and reopened(stored).documents != []
    assert {hit.document for hit in stored.query(QUESTION, 9)} == set(PASSAGES[:3])


def test_a_reader_keeps_the_version_that_it_opened(stored):
    reader = reopened(stored)
    before = [hit.document for hit in reader.query(QUESTION, 20)]
    stored.fit(PASSAGES[:2], progress=False)
    assert [hit.document for hit in reader.query(QUESTION, 20)] == before
    assert len(reopened(stored).documents) == 2


def test_the_vectors_of_another_encoder_are_not_taken(encoder, stored):
    other = SentenceEncoder(encoder.encoder, encoder.tokenizer, pooling="cls", max_len=64)
    with pytest.raises(ValueError, match="holds the vectors of another encoder"):
        TableSearch(other, stored.folder, Passage).open()
    with pytest.raises(ValueError, match="has the columns package, version, name, section, body"):
        TableSearch(encoder, stored.folder).open()
    again = TableSearch(other, stored.folder, Passage).fit(PASSAGES, progress=False)
    assert again.encoded == len(PASSAGES) and reopened(again).documents == PASSAGES


def test_a_key_changes_with_every_field():
    row = {"package": "p", "body": "b"}
    others = [{"package": "p", "body": "c"}, {"package": "q", "body": "b"}, {"body": "b"}]
    assert len({key_of(other) for other in [row, *others]}) == 4
    assert key_of(row) == key_of({"body": "b", "package": "p"})


# --- what goes wrong -----------------------------------------------------------------------------


def cut_data(table):
    for path in (table / "data").iterdir():
        path.write_bytes(path.read_bytes()[:100])


def overwrite_versions(table):
    for path in (table / "_versions").glob("*.manifest"):
        path.write_bytes(b"junk")


@pytest.mark.parametrize(
    "damage", [cut_data, overwrite_versions, lambda t: shutil.rmtree(t / "data"), shutil.rmtree]
)
def test_a_damaged_table_is_named_and_built_again(stored, damage):
    damage(Path(stored.folder) / "passages.lance")
    with pytest.raises(ValueError, match=f"table in {stored.folder} is missing or damaged.*fit"):
        reopened(stored)
    again = TableSearch(stored.encoder, stored.folder, Passage).fit(PASSAGES, progress=False)
    assert again.encoded == len(PASSAGES) and reopened(again).documents == PASSAGES


def test_on_a_full_disk_the_old_table_stays(stored):
    more = [Passage("p", "1", f"p.{i}", "summary", f"Number {i}. " * 30) for i in range(400)]
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))  # bytes in one file
    try:
        with pytest.raises(OSError, match="could not be written"):
            TableSearch(stored.encoder, stored.folder, Passage).fit(more, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert reopened(stored).documents == PASSAGES


TWO = """
import sys, torch
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.vector_store import TableSearch

encoder, folder, offset = sys.argv[1:]
search = TableSearch(SentenceEncoder.load(encoder), folder)
print("ready", flush=True)
sys.stdin.readline()
for count in range(1, 5):
    search.fit([f"text {i} of {offset}" for i in range(count * 5)], progress=False)
"""


def test_two_processes_that_write_at_once_leave_a_whole_table(encoder, tmp_path):
    saved, folder = encoder.save(tmp_path / "encoder"), tmp_path / "store"
    TableSearch(encoder, folder).fit(["a first text"], progress=False)
    command = [sys.executable, "-c", TWO, str(saved), str(folder)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    workers = [subprocess.Popen([*command, name], **pipes) for name in ("a", "b")]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 2
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    errors = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    held = TableSearch(encoder, folder).open()
    assert len(set(held.documents)) == len(held.documents) >= 20
    assert {text[-1] for text in held.documents} & {"a", "b"}
    assert len(held.query("text", 99)) == held.table.count_rows()


def test_without_lancedb_it_says_what_to_install(encoder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(ImportError, match=r"pip install 'encoder-course\[store\]'"):
        TableSearch(encoder, tmp_path).fit(["a text"], progress=False)
    assert vector_store.MISSING.startswith("LanceDB is not installed")
