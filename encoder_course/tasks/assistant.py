"""The documentation assistant: an index of the installed packages, kept up to date, and asked."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from encoder_course.data.cache import cache_folder
from encoder_course.data.corpus import Document
from encoder_course.data.help_texts import PUBLIC_PLACES, help_texts
from encoder_course.data.python_docs import python_docs
from encoder_course.data.sources import Package, find_packages
from encoder_course.progress import track
from encoder_course.tasks.bm25 import Postings
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.generate import Generator
from encoder_course.tasks.rag import Assistant, Passage, chunk
from encoder_course.tasks.reranked import RerankedSearch, TokenMatch
from encoder_course.tasks.search import (
    DocumentSearch,
    HybridSearch,
    Question,
    Search,
    WordSearch,
    read_arrays,
    write_arrays,
)

COMMAND = "python -m encoder_course index"
FORMAT = 1  # raise it when the same packages would give other files
SLICE = 512  # passages between two steps of the progress bar
ENOUGH = 10  # questions with an answer, to choose a threshold

# Where the public names of each package are (see `help_texts`); these packages are indexed.
PLACES: Mapping[str, tuple[str, ...]] = PUBLIC_PLACES | {
    "scipy": tuple(
        f"scipy.{name}"
        for name in "cluster.hierarchy fft integrate interpolate io linalg ndimage optimize signal"
        " sparse sparse.linalg spatial spatial.distance special stats".split()
    ),
    "PIL": ("PIL.Image", "PIL.Image.Image", "PIL.ImageDraw", "PIL.ImageOps"),
    "requests": ("requests", "requests.Session", "requests.Response"),
    "tokenizers": ("tokenizers", "tokenizers.Tokenizer"),
    "tqdm": ("tqdm",),
    "joblib": ("joblib",),
}
# The summary of an object and the start of its description. All of the descriptions and the notes
# double the work, and no more of our validation questions are answered.
SECTIONS = ("summary", "description")
PER_SECTION = 1  # passages
WORDS_WEIGHT = 0.3  # of the search by words beside the search by meaning, from those questions
READ_AGAIN = 20  # passages that are matched token by token: 30 are hardly better and take longer
AGAIN_WEIGHT = 3  # of that second reading beside the first one, from those questions
# Importable, but of use to those who work on the package rather than with it.
INTERNAL = tuple(
    "idlelib tkinter turtledemo lib2to3 ensurepip encodings distutils msilib pydoc numpy.core"
    " numpy.distutils numpy.f2py numpy.lib numpy.ma numpy.typing pandas.compat pandas.core"
    " pandas.errors pandas.io pandas.plotting pandas.tseries pandas.util torch.ao torch.backends"
    " torch.compiler torch.distributed torch.export torch.fx torch.jit torch.mtia torch.onnx"
    " torch.package torch.quantization torch.sparse torch.utils.benchmark torch.xpu"
    " matplotlib.backends matplotlib.sphinxext sklearn.externals sklearn.utils".split()
)


def documents_of(package: str) -> list[Document]:
    """The documentation to index of one package, under the names by which it is used.

    A class that lies in ``pandas.core.frame`` is known as ``pandas.DataFrame``: where `help` says
    of a public name what `python_docs` has found under another one, both are the same object.
    """
    public = help_texts({package: PLACES.get(package, ())})
    called = {(_last(document.name), document.text): document.name for document in public}
    found = {(document.name, document.section): document for document in public}
    for name, sections in python_docs([package], progress=False).objects().items():
        summary = sections.get("summary")
        known = summary and called.get((_last(name), summary.text))
        if known or not is_internal(name):
            for section in SECTIONS:
                if section in sections:
                    document = dataclasses.replace(sections[section], name=known or name)
                    found.setdefault((document.name, section), document)
    return list(found.values())


def is_internal(name: str) -> bool:
    """Whether a qualified name is private, or lies in a part of its package that is."""
    private = any(part.startswith("_") for part in name.split("."))
    return private or any(f"{name}.".startswith(f"{place}.") for place in INTERNAL)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def passages_of(package: str) -> list[Passage]:
    """The passages of one package, each text once."""
    passages = {
        passage.text: passage
        for document in documents_of(package)
        for passage in itertools.islice(chunk(document), PER_SECTION)
    }
    return list(passages.values())


@dataclass(frozen=True)
class Part:
    """What is known of one package: its passages, a vector for each, and where each word is."""

    passages: list[Passage]
    vectors: Float[Tensor, "B D"]
    postings: Postings

    def save(self, path: Path) -> None:
        """Write everything into one file, in one step; vectors in half precision."""
        rows = [(p.package, p.version, p.name, p.section, p.body) for p in self.passages]
        write_arrays(
            path,
            passages=_to_bytes(rows),
            vectors=self.vectors.half().cpu().numpy(),
            vocabulary=_to_bytes(list(self.postings.vocabulary)),
            starts=self.postings.starts,
            rows=self.postings.rows,
            counts=self.postings.counts,
            lengths=self.postings.lengths,
        )

    @classmethod
    def load(cls, path: Path) -> Part | None:
        """What `save` wrote, or None where the file is missing or damaged."""
        held = read_arrays(path)
        if not held:
            return None
        passages = [Passage(*row) for row in _from_bytes(held["passages"])]
        words = {word: i for i, word in enumerate(_from_bytes(held["vocabulary"]))}
        postings = Postings(words, *(held[x] for x in ("starts", "rows", "counts", "lengths")))
        return cls(passages, torch.from_numpy(held["vectors"]).float(), postings)


def _to_bytes(value: list) -> np.ndarray:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), dtype=np.uint8)


def _from_bytes(array: np.ndarray) -> list:
    return json.loads(array.tobytes())


class PackageIndex:
    """The passages of the installed packages, one file for each package in each version.

    A package is read and encoded once, and again when its version or the encoder changes. Work
    that is interrupted goes on with the first package that has no file yet. Several environments
    may share the folder (default: the user's cache of this course); each has a list of the files
    that are its own.
    """

    def __init__(self, encoder: SentenceEncoder, folder: str | Path | None = None) -> None:
        self.encoder = encoder
        self.folder = Path(folder) if folder else cache_folder() / "assistant"
        self.key = hashlib.sha256(f"{FORMAT} {encoder.fingerprint()}".encode()).hexdigest()[:12]
        place = hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]
        self.listing = self.folder / f"environment-{place}-{self.key}.json"

    def update(self, packages: Iterable[str] | None = None, progress: bool = True) -> list[Package]:
        """Encode the packages that are new or changed (default: those of `PLACES`), and list them.

        Returns the packages that had to be encoded. ValueError when none is installed.
        """
        found, missing = find_packages(PLACES if packages is None else packages)
        if not found:
            raise ValueError(f"none of these packages is installed here: {', '.join(missing)}")
        changed = [package for package in found if not read_arrays(self.path(package))]
        passages = {
            package.name: passages_of(package.name)
            for package in track(changed, "read", progress, unit=" packages")
        }
        total = sum(map(len, passages.values()))
        with track(None, "encode", progress, total=total, unit=" passages") as bar:
            for package in changed:
                texts = [passage.text for passage in passages[package.name]]
                vectors = [torch.empty(0, self.encoder.width)]
                for start in range(0, len(texts), SLICE):
                    vectors.append(self.encoder.encode(texts[start : start + SLICE]))
                    bar.update(len(vectors[-1]))
                part = Part(passages[package.name], torch.cat(vectors), Postings.of(texts))
                part.save(self.path(package))
        self.describe(files=[self.path(package).name for package in found], threshold=None)
        return changed

    def path(self, package: Package) -> Path:
        """The file of one package in its installed version."""
        return self.folder / f"{package.name}-{package.version}-{self.key}.npz"

    def describe(self, **settings: Any) -> None:
        """Say in one step which files belong to this environment, and which threshold to them."""
        unfinished = self.listing.with_suffix(f".{os.getpid()}.unfinished")
        try:
            unfinished.write_text(json.dumps(settings), "utf-8")
            os.replace(unfinished, self.listing)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    def described(self) -> dict[str, Any]:
        """What `describe` wrote. Before `update`, FileNotFoundError with the command that helps."""
        try:
            return json.loads(self.listing.read_text("utf-8"))
        except (OSError, ValueError):
            raise FileNotFoundError(f"nothing is indexed here yet; run: {COMMAND}") from None

    def search(self) -> HybridSearch:
        """The search over all listed packages, by meaning and by words.

        ValueError, with the command that helps, where a file was lost or damaged since.
        """
        names = self.described()["files"]
        parts = [Part.load(self.folder / name) for name in names]
        if None in parts:
            raise ValueError(f"{names[parts.index(None)]} is lost or damaged; run: {COMMAND}")
        passages = [passage for part in parts for passage in part.passages]
        vectors = torch.cat([part.vectors for part in parts])
        meaning = DocumentSearch(self.encoder, cache=False).use(passages, vectors)
        words = WordSearch().use(passages, [part.postings for part in parts])
        return HybridSearch([meaning, words], weights=[1, WORDS_WEIGHT]).use(passages)

    def assistant(self, generator: Generator | None = None) -> Assistant:
        """The assistant over all listed packages, with the threshold that suits them.

        The threshold is chosen once after each `update`, on the validation questions that the
        listed packages answer and on those that no package does; where there are too few of them,
        it stays as it is.
        """
        search = read_again(self.search(), self.encoder)
        assistant = Assistant(search, self.encoder, generator=generator)
        settings = self.described()
        if settings["threshold"] is None:
            names = {passage.name for passage in assistant.search.documents}
            known = [q for q in questions("validation") if not q.right or q.right & names]
            if sum(bool(question.right) for question in known) >= ENOUGH:
                assistant.fit(known)
            self.describe(files=settings["files"], threshold=assistant.threshold)
        else:
            assistant.threshold = settings["threshold"]
        return assistant


def read_again(search: Search, encoder: SentenceEncoder) -> RerankedSearch:
    """A search whose first passages are compared with the question token by token."""
    return RerankedSearch(search, TokenMatch(encoder), READ_AGAIN, AGAIN_WEIGHT)


def questions(split: str) -> list[Question]:
    """The course's own questions to the documentation, "validation" or "test".

    For validation 100 come with names that answer them, for the test 154; 42 and 55 more are about
    other things. ValueError for another split.
    """
    splits = json.loads(Path(__file__).with_name("questions.json").read_text("utf-8"))
    if split not in splits:
        raise ValueError(f"split {split!r} is not one of {sorted(splits)}")
    return [Question(row["text"], frozenset(row["right"])) for row in splits[split]]
