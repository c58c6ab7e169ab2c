"""Vectors that live in a database: the same search, without the documents in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.search import Hit, Search

MISSING = "LanceDB is not installed; this brings it: pip install 'encoder-course[store]'"


def columns_of(record: type | None) -> list[str]:
    """The columns that a kind of document needs: its fields, or "text" for strings (None)."""
    return ["text"] if record is None else [part.name for part in dataclasses.fields(record)]


def row_of(document: Any) -> dict[str, str]:
    """One document as its columns, all of them text. TypeError for anything else."""
    if isinstance(document, str):
        return {"text": document}
    if dataclasses.is_dataclass(document) and not isinstance(document, type):
        row = {name: getattr(document, name) for name in columns_of(type(document))}
        if all(isinstance(value, str) for value in row.values()):
            return row
    raise TypeError(f"a document is a str or a dataclass of them, but one is {document!r}")


def key_of(row: dict[str, str]) -> str:
    """A name that changes with anything in a row."""
    text = json.dumps(row, ensure_ascii=False, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


class TableSearch(Search):
    """Documents in a table of LanceDB, ranked by the cosine of their vectors with the question's.

    `folder` is a folder, or the address of a store of objects (``s3://...``). `fit` makes the table
    hold these documents: only new ones are encoded, and those no longer there go. Another process
    takes them up with `open`; it keeps seeing the version that it opened. `record` is the class of
    the documents (a dataclass whose fields are strings), None for strings. Without an index of its
    own the table compares with every vector, so the answers are those of `DocumentSearch`. A table
    that cannot be read is a ValueError; a changed bit inside a vector is not noticed.
    """

    def __init__(
        self,
        encoder: SentenceEncoder,
        folder: str | Path,
        record: type | None = None,
        table: str = "passages",
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.folder = str(folder)
        self.record = record
        self.name = table
        self.encoded = 0  # documents that the last `fit` had to encode
        self.table: Any = None
        self.places: dict[str, int] = {}  # key -> place in `documents`

    def fit(self, documents: Sequence[Any], progress: bool = True) -> TableSearch:
        """Make the table hold just these documents. OSError where it cannot be written."""
        if isinstance(documents, str):
            raise TypeError("fit takes a list of documents, but got one str")
        rows = {key_of(row): row for row in map(row_of, documents)}
        self.write(rows, dict(zip(rows, self.unique(documents), strict=True)), progress)
        self.take(rows)
        return self

    def index(self, texts: list[str], progress: bool = True) -> None:
        self.fit(texts, progress)

    def unique(self, documents: Sequence[Any]) -> list[str]:
        """The texts to encode, one for each different document."""
        texts = {key_of(row_of(d)): d if isinstance(d, str) else d.text for d in documents}
        return list(texts.values())

    def write(self, rows: dict[str, dict], texts: dict[str, str], progress: bool) -> None:
        """Bring the table to these rows, changing as little of it as is needed."""
        try:
            self.table = self.opened()
            held = set(self.column("key"))
        except ValueError:  # none, a damaged one, or one of another encoder
            held = None
        new = [key for key in rows if not held or key not in held]
        self.encoded = len(new)
        vectors = self.encoder.encode([texts[key] for key in new], progress)
        data = self.arrow(new, [rows[key] for key in new], vectors)
        gone = sorted(held - set(rows)) if held else []
        try:
            if held is None:
                self.database().drop_table(self.name, ignore_missing=True)
                self.table = self.database().create_table(self.name, data)
            elif new:
                self.table.merge_insert("key").when_not_matched_insert_all().execute(data)
            if gone:
                self.table.delete(f"key IN ({', '.join(map(repr, gone))})")
        except RuntimeError as error:
            raise OSError(f"the table in {self.folder} could not be written: {error}") from error

    def open(self) -> TableSearch:
        """Take the documents that the table holds. ValueError where it is missing or damaged."""
        self.table = self.opened()
        names = columns_of(self.record)
        columns = [self.column(name) for name in ["key", *names]]
        pairs = zip(*columns, strict=True)
        self.take({key: dict(zip(names, values, strict=True)) for key, *values in pairs})
        return self

    def take(self, rows: dict[str, dict]) -> None:
        """Remember the documents of these rows, and where each stands."""
        make = (lambda text: text) if self.record is None else self.record
        self.documents = [make(**row) for row in rows.values()]
        self.places = {key: place for place, key in enumerate(rows)}

    def scores(self, question: str) -> Float[Tensor, " B"]:
        scores = torch.zeros(len(self.documents))
        for key, score in self.nearest(question, limit=self.table.count_rows()):
            if key in self.places:  # another process may have added some
                scores[self.places[key]] = score
        return scores

    def query(self, text: str, k: int = 5, where: str | None = None) -> list[Hit]:
        """As in any search. `where`: a condition on the columns, such as ``package = 'numpy'``."""
        if not len(self.documents) or k < 1:
            return super().query(text, k)  # which says what is wrong
        found = self.nearest(text, limit=k, where=where)
        return [Hit(score, self.documents[self.places[key]]) for key, score in found]

    def nearest(
        self, question: str, limit: int, where: str | None = None
    ) -> list[tuple[str, float]]:
        """(key, cosine) of the nearest rows, the nearest first."""
        vector = self.encoder.encode([question])[0].numpy()
        with self.readable(f", or has no answer to where={where!r}" if where else ""):
            asked = self.table.search(vector).distance_type("cosine").limit(limit)
            asked = asked.where(where) if where else asked
            found = asked.select(["key", "_distance"]).to_arrow().to_pydict()
        return [(k, 1 - d) for k, d in zip(found["key"], found["_distance"], strict=True)]

    def opened(self) -> Any:
        """The table, whose vectors are of this encoder."""
        with self.readable():
            table = self.database().open_table(self.name)
            made_by = (table.schema.metadata or {}).get(b"encoder", b"").decode()
            columns = [name for name in table.schema.names if name not in ("key", "vector")]
        if made_by != self.encoder.fingerprint():
            raise ValueError(f"the table in {self.folder} holds the vectors of another encoder")
        if columns != columns_of(self.record):
            raise ValueError(f"the table in {self.folder} has the columns {', '.join(columns)}")
        return table

    def column(self, name: str) -> list[str]:
        """One column of the whole table."""
        with self.readable():
            return self.table.search().select([name]).to_arrow()[name].to_pylist()

    def database(self) -> Any:
        """The connection. ImportError that says what to install."""
        os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of each table that it creates
        try:
            import lancedb
        except ImportError as error:
            raise ImportError(MISSING) from error
        return lancedb.connect(self.folder)

    def arrow(self, keys: list[str], rows: list[dict], vectors: Float[Tensor, "B D"]) -> Any:
        """The rows as a table in memory, with the name of the encoder in its description."""
        import pyarrow as pa

        width = self.encoder.width
        flat = pa.array(vectors.reshape(-1).numpy(), pa.float32())
        columns = {"key": pa.array(keys, pa.string())}
        for name in columns_of(self.record):
            columns[name] = pa.array([row[name] for row in rows], pa.string())
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, width)
        return pa.table(columns).replace_schema_metadata({"encoder": self.encoder.fingerprint()})

    @contextlib.contextmanager
    def readable(self, also: str = "") -> Iterator[None]:
        """Say of any failure to read which table it was and what helps."""
        try:
            yield
        except (RuntimeError, OSError, ValueError) as error:
            raise ValueError(
                f"the table in {self.folder} is missing or damaged{also}: {error}; fit it again"
            ) from error
