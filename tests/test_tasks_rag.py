"""The assistant: passages, an index that is resumed, answers with sources, refusals."""

import errno
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch

from encoder_course.config import EncoderConfig
from encoder_course.data.corpus import Document
from encoder_course.data.sources import Package
from encoder_course.nn import Encoder
from encoder_course.tasks import assistant as module
from encoder_course.tasks import command
from encoder_course.tasks.assistant import (
    AGAIN_WEIGHT,
    READ_AGAIN,
    PackageIndex,
    Part,
    documents_of,
    is_internal,
    questions,
)
from encoder_course.tasks.bm25 import Postings
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.generate import ServedGenerator, configured_generator, prompt
from encoder_course.tasks.rag import NOT_FOUND, Assistant, Passage, chunk, sentences
from encoder_course.tasks.reranked import RerankedSearch, TokenMatch
from encoder_course.tasks.search import DocumentSearch, HybridSearch, Question, WordSearch
from encoder_course.text.tokenizer import Tokenizer

HELP = {
    "sorted": "Return a new list of all items in ascending order. The list itself stays.",
    "open": "Open a file and return a stream. Raises OSError if that fails.",
    "statistics.mean": "Compute the arithmetic mean, the average of the data.",
    "shutil.rmtree": "Delete a directory and all the files and folders in it.",
    "time.sleep": "Wait for a number of seconds.",
    "random.choice": "Choose a random element from a sequence.",
}
PASSAGES = [Passage("python", "3.11", name, "summary", body) for name, body in HELP.items()]


def document(text, name="pkg.thing"):
    return Document("pkg", "1.0", name, "function", "description", text)


# --- passages ------------------------------------------------------------------------------------


def test_sentences_end_where_they_end():
    text = "Sort it, e.g. by name. Uses numpy 2.0 inside.\n\nIt is fast! Is it? a line without end"
    assert sentences(text) == [
        "Sort it, e.g. by name.",
        "Uses numpy 2.0 inside.",
        "It is fast!",
        "Is it? a line without end",
    ]
    assert sentences(" \n ") == []


TEXT = "One two three. Four five six. Seven eight nine. Ten."


@pytest.mark.parametrize(
    ("longest", "overlap", "expected"),
    [
        (6, 0, ["One two three. Four five six.", "Seven eight nine. Ten."]),
        (6, 1, ["One two three. Four five six.", "Four five six. Seven eight nine.", None]),
        (3, 1, ["One two three.", "Four five six.", "Seven eight nine.", "Ten."]),
        (2, 0, ["One two", "three.", "Four five", "six.", "Seven eight", "nine. Ten."]),
        (99, 5, [TEXT]),
    ],
)
def test_chunks(longest, overlap, expected):
    expected = [piece or "Seven eight nine. Ten." for piece in expected]
    passages = list(chunk(document(TEXT), longest, overlap))
    assert [passage.body for passage in passages] == expected
    assert all(len(passage.body.split()) <= longest for passage in passages)
    assert {(p.package, p.version, p.name, p.section) for p in passages} == {
        ("pkg", "1.0", "pkg.thing", "description")
    }
    assert passages[0].text == f"pkg.thing: {expected[0]}"


def test_chunks_of_nothing_and_bad_settings():
    assert list(chunk(document(""))) == []
    for settings in (dict(longest=0), dict(overlap=-1)):
        with pytest.raises(ValueError, match="longest is .* overlap"):
            list(chunk(document(TEXT), **settings))


# --- the index -----------------------------------------------------------------------------------


class Counting(SentenceEncoder):
    given = 0

    def encode(self, texts, progress=False):
        self.given += len(texts)
        return super().encode(texts, progress)


@pytest.fixture(scope="module")
def tiny():
    tokenizer = Tokenizer.train([p.text for p in PASSAGES], vocab_size=200, progress=False)
    torch.manual_seed(0)
    return Encoder(EncoderConfig.tiny(vocab_size=200)).eval(), tokenizer


@pytest.fixture
def counting(tiny):
    return Counting(*tiny, max_len=64)


@pytest.fixture
def installed(monkeypatch):
    """Three packages of two passages each, in versions that a test may change."""
    versions = {"one": "1.0", "two": "1.0", "three": "1.0"}

    def find(names):
        found = [Package(name, versions[name], Path()) for name in names if name in versions]
        return found, [name for name in names if name not in versions]

    def passages(package):
        own = PASSAGES[2 * list(versions).index(package) :][:2]
        return [Passage(package, versions[package], p.name, p.section, p.body) for p in own]

    monkeypatch.setattr(module, "find_packages", find)
    monkeypatch.setattr(module, "passages_of", passages)
    return versions


def update(index, installed):
    return [package.name for package in index.update(installed, progress=False)]


def test_only_what_changed_is_encoded_again(counting, installed, tmp_path):
    index = PackageIndex(counting, tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing is indexed here yet; run: python -m"):
        index.search()
    assert update(index, installed) == ["one", "two", "three"] and counting.given == 6
    assert update(index, installed) == [] and counting.given == 6
    installed["two"] = "1.1"
    assert update(index, installed) == ["two"] and counting.given == 8
    found = index.search().documents
    assert [p.version for p in found] == ["1.0", "1.0", "1.1", "1.1", "1.0", "1.0"]
    with pytest.raises(ValueError, match="none of these packages is installed here: four"):
        index.update(["four"])


def test_another_encoder_has_its_own_files(counting, installed, tmp_path):
    update(PackageIndex(counting, tmp_path), installed)
    other = SentenceEncoder(counting.encoder, counting.tokenizer, pooling="cls", max_len=64)
    assert update(PackageIndex(other, tmp_path), installed) == ["one", "two", "three"]


def test_a_build_that_was_killed_goes_on(counting, installed, tmp_path, monkeypatch):
    index, save = PackageIndex(counting, tmp_path), Part.save

    def killed(part, path):
        if part.passages[0].package == "two":
            raise KeyboardInterrupt
        save(part, path)

    monkeypatch.setattr(Part, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        update(index, installed)
    assert len(list(tmp_path.glob("*.npz"))) == 1
    monkeypatch.setattr(Part, "save", save)
    assert update(index, installed) == ["two", "three"]
    assert len(index.search().documents) == 6
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_damaged_file_is_named_and_built_again(counting, installed, tmp_path):
    index = PackageIndex(counting, tmp_path)
    update(index, installed)
    path = index.path(Package("two", "1.0", Path()))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="two-1.0-.* is lost or damaged; run: python -m"):
        index.search()
    assert update(index, installed) == ["two"]


def test_a_full_disk_leaves_what_was_there(counting, installed, tmp_path, monkeypatch):
    index = PackageIndex(counting, tmp_path)
    update(index, ["one", "two"])
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(file, **arrays):
        file.write(b"the beginning of")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("encoder_course.tasks.search.np.savez", full)
        with pytest.raises(OSError, match="No space left on device"):
            update(index, ["one", "two", "three"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert len(index.search().documents) == 4

    def no_room(path, text, encoding):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", no_room)
        with pytest.raises(OSError, match="No space left on device"):
            index.describe(files=[], threshold=0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert update(index, ["one", "two", "three"]) == ["three"]


BUILD = """
import sys
from encoder_course.tasks import assistant
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.rag import Passage

saved, folder = sys.argv[1:]
assistant.passages_of = lambda package: [
    Passage(package, "1.0", f"{package}.{i}", "summary", f"Number {i} of {package}.")
    for i in range(40)
]
index = assistant.PackageIndex(SentenceEncoder.load(saved), folder)
print("ready", flush=True)
sys.stdin.readline()
index.update(["numpy", "torch", "tqdm"], progress=False)
print(len(index.search().documents), flush=True)
"""


def test_two_processes_that_index_at_once_leave_a_whole_index(counting, tmp_path):
    encoder = SentenceEncoder(counting.encoder, counting.tokenizer, max_len=64)
    saved, folder = encoder.save(tmp_path / "encoder"), tmp_path / "index"
    command = [sys.executable, "-c", BUILD, str(saved), str(folder)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    workers = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 2
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    printed = [worker.communicate(timeout=120) for worker in workers]
    assert [output for output, _ in printed] == ["120\n"] * 2, printed
    held = PackageIndex(encoder, folder).search().documents
    assert len({passage.text for passage in held}) == len(held) == 120
    assert len(list(folder.glob("*.npz"))) == 3 and not list(folder.glob("*.unfinished"))


def test_the_stored_search_is_the_search(counting, installed, tmp_path):
    index = PackageIndex(counting, tmp_path)
    update(index, installed)
    stored, texts = index.search(), [passage.text for passage in PASSAGES]
    vectors = counting.encode(texts)
    torch.testing.assert_close(stored.searches[0].vectors, vectors, atol=2e-3, rtol=0)  # halves
    fresh = WordSearch().fit(texts)
    question = "a list of files"
    torch.testing.assert_close(stored.searches[1].scores(question), fresh.scores(question))


def test_a_part_comes_back_whole(tmp_path):
    part = Part(PASSAGES, torch.randn(6, 8).half().float(), Postings.of(list(HELP.values())))
    part.save(tmp_path / "part.npz")
    again = Part.load(tmp_path / "part.npz")
    assert again.passages == PASSAGES and torch.equal(again.vectors, part.vectors)
    assert again.postings.vocabulary == part.postings.vocabulary
    assert Part.load(tmp_path / "other.npz") is None


def test_documents_carry_the_names_people_use(tmp_path, monkeypatch):
    monkeypatch.setenv("ENCODER_COURSE_CACHE", str(tmp_path))
    documents = {(d.name, d.section): d for d in documents_of("tqdm")}
    assert ("tqdm.tqdm", "summary") in documents
    assert {d.package for d in documents.values()} == {"tqdm"}
    assert not any(is_internal(name) for name, _ in documents)
    assert is_internal("torch._dynamo.optimize") and is_internal("pandas.core.frame.DataFrame")
    assert not is_internal("pandas.coreless") and not is_internal("json.dump")


# --- answers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm():
    return SentenceEncoder.minilm()


@pytest.fixture(scope="module")
def assistant(minilm):
    searches = [DocumentSearch(minilm, cache=False), WordSearch()]
    return Assistant(HybridSearch(searches).fit(PASSAGES, False), minilm, threshold=0.4)


ASKED = [
    Question("put the entries of a list in order", frozenset({"sorted"})),
    Question("average of some numbers", frozenset({"statistics.mean"})),
    Question("remove a folder with everything in it", frozenset({"shutil.rmtree"})),
    Question("which train goes to Berlin tonight?"),
    Question("my invoice was charged twice"),
]


def test_the_best_sentence_is_the_answer_and_is_cited(assistant):
    answer = assistant.ask("put the entries of a list in order")
    assert answer.text == "sorted: Return a new list of all items in ascending order."
    first = answer.sources[0]
    assert first.passage is PASSAGES[0] and first.sentence in first.passage.body
    assert first.score == answer.score >= assistant.threshold
    assert "[1] sorted (python 3.11, summary): Return a new list" in str(answer)
    assert len({source.passage.name for source in answer.sources}) == len(answer.sources) == 4


def test_what_is_not_there_is_not_answered(assistant):
    answer = assistant.ask("which train goes to Berlin tonight?")
    assert answer.text == NOT_FOUND == str(answer) and answer.sources == ()
    assert answer.score < assistant.threshold
    with pytest.raises(ValueError, match="the question is empty"):
        assistant.ask("  ")


def test_fit_finds_a_threshold_between_the_two_kinds(assistant):
    fitted = Assistant(assistant.search, assistant.encoder, threshold=-1.0)
    assert fitted.evaluate(ASKED, resamples=0)["refused"].value == 0
    fitted.fit(ASKED)
    report = fitted.evaluate(ASKED, resamples=0)
    assert {metric.name: metric.value for metric in report} == {
        "answered": 1,
        "right": 1,
        "cited": 1,
        "refused": 1,
    }
    with pytest.raises(ValueError, match="questions with an answer and questions without"):
        fitted.fit(ASKED[:3])


def test_the_threshold_by_hand(assistant, monkeypatch):
    scores = {"a": 0.9, "b": 0.7, "c": 0.3, "x": 0.5, "y": 0.1}
    monkeypatch.setattr(Assistant, "best_score", lambda self, question: scores[question])
    right = frozenset({"any"})
    asked = [Question(name, right) for name in "abc"] + [Question("x"), Question("y")]
    fitted = Assistant(assistant.search, assistant.encoder).fit(asked)
    # Above 0.6: two of three with an answer, none without (gain 2/3). Above 0.2: 3/3 - 1/2.
    assert fitted.threshold == pytest.approx(0.6)


def test_a_generator_gets_the_sources_and_a_reranker_the_order(assistant):
    prompts = []

    class LastFirst:
        def scores(self, question, texts):
            return torch.arange(float(len(texts)))

    written = Assistant(
        assistant.search,
        assistant.encoder,
        generator=lambda text: prompts.append(text) or "Use sorted [1].",
        threshold=0.4,
    )
    answer = written.ask("put the entries of a list in order")
    assert answer.text == "Use sorted [1]." and answer.sources[0].passage.name == "sorted"
    assert "[1] sorted: Return a new list" in prompts[0]
    assert written.ask("which train goes to Berlin?").text == NOT_FOUND and len(prompts) == 1
    assert assistant.order("?", PASSAGES) == list(HELP)
    written.reranker = LastFirst()
    assert written.order("?", PASSAGES) == list(HELP)[::-1]


# --- a generator behind an address ---------------------------------------------------------------


@pytest.fixture
def served():
    """A server that answers any chat with what it was told last, and keeps the requests."""

    class Handler(BaseHTTPRequestHandler):
        requests = []

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.requests.append((self.path, self.headers["Authorization"], body))
            said = f" heard: {body['messages'][-1]['content']} "
            reply = {"choices": [{"message": {"content": said}}]} if body["model"] == "m" else {}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(reply).encode())

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/", Handler.requests
    server.shutdown()
    server.server_close()


def test_a_served_model_is_asked_in_the_chat_format(served):
    url, requests = served
    assert ServedGenerator(url, "m", "secret")("hello") == "heard: hello"
    path, authorization, body = requests[0]
    assert (path, authorization) == ("/v1/chat/completions", "Bearer secret")
    assert body == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    with pytest.raises(ValueError, match="no answer from the generator at http"):
        ServedGenerator(url, "another")("hello")


def test_the_environment_configures_the_generator(monkeypatch):
    monkeypatch.delenv("ENCODER_COURSE_GENERATOR_URL", raising=False)
    assert configured_generator() is None
    monkeypatch.setenv("ENCODER_COURSE_GENERATOR_URL", "http://localhost:1/v1")
    with pytest.raises(ValueError, match="URL is set but ENCODER_COURSE_GENERATOR_MODEL is not"):
        configured_generator()
    monkeypatch.setenv("ENCODER_COURSE_GENERATOR_MODEL", "m")
    assert configured_generator() == ServedGenerator("http://localhost:1/v1", "m")
    with pytest.raises(ValueError, match="no answer from the generator at http://localhost:1/v1"):
        configured_generator()("hello")


def test_the_prompt_numbers_the_sources():
    text = prompt("why?", ["because", "so"])
    assert "[1] because\n[2] so" in text and text.endswith("Question: why?\nAnswer:")


# --- questions and commands ----------------------------------------------------------------------


def test_the_questions_of_the_two_splits():
    validation, test = questions("validation"), questions("test")
    for split, known, others in ((validation, 100, 42), (test, 154, 55)):
        assert [bool(question.right) for question in split] == [True] * known + [False] * others
    texts = [question.text for question in (*validation, *test)]
    assert len(set(texts)) == len(texts)
    with pytest.raises(ValueError, match="split 'train' is not one of"):
        questions("train")


def test_the_commands(counting, installed, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ENCODER_COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(command.SentenceEncoder, "minilm", classmethod(lambda cls: counting))
    assert command.ask(["how", "so?"]) == 1
    assert "run: python -m encoder_course index" in capsys.readouterr().err
    assert command.index(["one", "two"]) == 0
    assert "4 passages of 2 packages are indexed, 2 packages anew" in capsys.readouterr().out
    assert command.ask(["open", "a", "file"]) == 0
    printed = capsys.readouterr().out
    assert "[1]" in printed or NOT_FOUND in printed
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patched:
        patched.setattr(PackageIndex, "update", lambda self, names: (_ for _ in ()).throw(full))
        assert command.index(["one"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert command.index(["nowhere"]) == 1
    assert "none of these packages" in capsys.readouterr().err


def test_the_assistant_matches_tokens_as_well(counting, installed, tmp_path, monkeypatch):
    index = PackageIndex(counting, tmp_path)
    update(index, installed)
    monkeypatch.setattr(module, "questions", lambda split: [])
    plain, question = index.search(), "a list of files"
    again = RerankedSearch(plain, TokenMatch(counting), READ_AGAIN, AGAIN_WEIGHT)
    found = index.assistant().search.scores(question)
    torch.testing.assert_close(found, again.scores(question))
    assert not torch.allclose(found, plain.scores(question))


def test_the_threshold_is_chosen_once_after_an_update(counting, installed, tmp_path, monkeypatch):
    index = PackageIndex(counting, tmp_path)
    update(index, installed)
    asked = [Question("list", frozenset({"sorted"}))] * 10 + [Question("the average of the data")]
    monkeypatch.setattr(module, "questions", lambda split: asked)
    first = index.assistant().threshold
    given = counting.given
    assert index.assistant().threshold == first != Assistant(index.search(), counting).threshold
    assert counting.given == given
    assert index.described()["threshold"] == first
