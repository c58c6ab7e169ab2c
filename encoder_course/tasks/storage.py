"""A trained task in a folder: settings as JSON, numbers as safetensors, nothing pickled."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from torch import Tensor, nn

SETTINGS, WEIGHTS, ENCODER = "task.json", "task.safetensors", "encoder"


class Stored(ABC):
    """What can be written into a folder once it is fitted, and read back as it was.

    `settings` are those keyword arguments of the constructor that are kept. A class whose
    constructor begins with an encoder writes it into the sub-folder `ENCODER` and gives it back in
    `stored`.
    """

    kept: tuple[str, ...] = ("classes",)  # attributes that `fit` sets, plain data

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.classes: list[str] = []  # empty until `fit`

    def require_fit(self) -> None:
        """Raise ValueError before `fit`."""
        if not self.classes:
            raise ValueError(f"the {type(self).__name__} has learnt nothing: call fit first")

    def save(self, folder: str | Path) -> Path:
        """Write everything into a folder that `load` of the same class reads."""
        self.require_fit()
        tensors, learnt = self.state()
        learnt |= {name: getattr(self, name) for name in self.kept}
        settings = {"kind": type(self).__name__, "settings": self.settings, "learnt": learnt}
        return write_folder(Path(folder), settings, tensors)

    @classmethod
    def load(cls, folder: str | Path, **options: Any) -> Stored:
        """What `save` wrote. ValueError that names what is missing, damaged or of another kind.

        `options`: arguments of the constructor that are not stored, such as `cache`.
        """
        folder = Path(folder)
        settings, tensors = read_folder(folder, cls.__name__)
        try:
            task = cls(*cls.stored(folder), **settings["settings"], **options)
            learnt = settings["learnt"]
            for name in cls.kept:
                setattr(task, name, learnt[name])
            task.restore(tensors, learnt)
        except (KeyError, TypeError, RuntimeError) as error:  # torch's, where shapes do not fit
            raise ValueError(f"the {cls.__name__} in {folder} is damaged: {error}") from error
        return task

    @classmethod
    def stored(cls, folder: Path) -> tuple[Any, ...]:
        """The first arguments of the constructor, where an encoder is among them."""
        return ()

    @abstractmethod
    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What was learnt: tensors, and plain data beside `kept`."""

    @abstractmethod
    def restore(self, tensors: dict[str, Tensor], learnt: dict[str, Any]) -> None:
        """The inverse of `state`."""


class WithHead(Stored):
    """A stored task whose learnt part is a module, `head`, that `new_head` makes anew."""

    head: nn.Module

    @abstractmethod
    def new_head(self) -> nn.Module:
        """A head of the right size; `classes` is set."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self.head.state_dict(), {}

    def restore(self, tensors: dict[str, Tensor], learnt: dict[str, Any]) -> None:
        self.head = self.new_head().eval()
        self.head.load_state_dict(tensors)


def write_folder(folder: Path, settings: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    """Write the two files, the settings last: where writing was interrupted, they are missing."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).unlink(missing_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    text = json.dumps(settings, indent=1, ensure_ascii=False)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")
    return folder


def read_folder(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The settings and tensors of a task of this kind; ValueError that names what is wrong."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for name in (SETTINGS, WEIGHTS):
        if not (folder / name).is_file():
            raise ValueError(f"there is no {name} in {folder}, so it holds no {kind}")
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        found = settings["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / SETTINGS} is damaged: {error!r}") from error
    if found != kind:
        raise ValueError(f"{folder} holds a {found}, not a {kind}")
    try:
        return settings, load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged: {error}") from error
