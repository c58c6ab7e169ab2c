"""Read a folder or a .zip of downloads, which is other people's data, without trusting it.

Only regular files of a sane size are read, no link is followed, and nothing is ever unpacked by
the name that it brings along.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from encoder_course.grade.course import Refused
from encoder_course.grade.notebook_json import MOST_BYTES, Unreadable, read_bytes

MOST_FILES = 50_000  # of one source


@dataclass(frozen=True)
class Download:
    """A file of a source: its path there, in parts joined by "/", and how to get its bytes.

    `read` raises Refused, with a reason that completes "NAME was left: ...".
    """

    name: str
    read: Callable[[], bytes]


@contextmanager
def downloads(source: Path) -> Iterator[list[Download]]:
    """Every file of a folder or a .zip; the files of a .zip can be read within the context.

    Raises Refused where the source is neither, is damaged, or holds too many files.
    """
    if source.is_dir():
        yield list(_in_folder(source))
        return
    if not source.is_file():
        raise Refused(f"there is no folder or file {source}")
    try:
        archive = zipfile.ZipFile(source)
    except zipfile.BadZipFile:
        raise Refused(f"{source} is neither a folder nor a .zip") from None
    with archive:
        entries = archive.infolist()
        if len(entries) > MOST_FILES:
            raise Refused(f"{source} holds {len(entries):,} files: {MOST_FILES:,} are the most")
        yield [_in_zip(archive, entry) for entry in entries if not entry.is_dir()]


def is_clutter(name: str) -> bool:
    """Whether a file is one that systems leave behind: hidden, or in a hidden folder."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _in_folder(source: Path) -> Iterator[Download]:
    count = 0
    for folder, folders, files in os.walk(source):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted(files + links):
            path = Path(folder) / name
            yield Download(path.relative_to(source).as_posix(), lambda path=path: _read(path))
            if (count := count + 1) > MOST_FILES:
                raise Refused(f"{source} holds more than {MOST_FILES:,} files")


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except Unreadable as problem:
        raise Refused(str(problem)) from None


def _in_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Download:
    def read() -> bytes:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if _leads_out(entry.filename):
            raise Refused("its name leads out of the archive")
        if kind not in (0, stat.S_IFREG):
            raise Refused("it is a link or a device, and no file")
        if entry.flag_bits & 1:
            raise Refused("it is locked with a password")
        try:
            with archive.open(entry) as file:
                data = file.read(MOST_BYTES + 1)
        except Exception as problem:  # each compression has errors of its own
            raise Refused(f"the archive is damaged there: {problem}") from None
        if len(data) > MOST_BYTES:
            raise Refused(f"the file is larger than {MOST_BYTES // 2**20} MB")
        return data

    return Download(entry.filename.replace("\\", "/"), read)


def _leads_out(name: str) -> bool:
    windows = PureWindowsPath(name)  # knows both kinds of slashes, and drives
    return bool(windows.anchor) or ".." in windows.parts
