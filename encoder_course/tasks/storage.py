"""A trained task in a folder: settings as JSON, numbers as safetensors, nothing pickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SETTINGS, WEIGHTS, ENCODER = "task.json", "task.safetensors", "encoder"


def write_task(
    folder: str | Path, kind: str, settings: dict[str, Any], tensors: dict[str, Tensor]
) -> Path:
    """Write the two files of a task. An encoder goes into the sub-folder `ENCODER`.

    The settings come last: a folder whose writing was interrupted is one without settings.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).unlink(missing_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    text = json.dumps({"kind": kind, **settings}, indent=1, ensure_ascii=False)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")
    return folder


def read_task(folder: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The settings and tensors of a task of this kind; ValueError that names what is wrong."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    for name in (SETTINGS, WEIGHTS):
        if not (folder / name).is_file():
            raise ValueError(f"there is no {name} in {folder}, so it holds no {kind}")
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        found = settings.pop("kind")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / SETTINGS} is damaged: {error!r}") from error
    if found != kind:
        raise ValueError(f"{folder} holds a {found}, not a {kind}")
    try:
        return settings, load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged: {error}") from error


def load_weights(module: torch.nn.Module, tensors: dict[str, Tensor], folder: str | Path) -> None:
    """Put stored tensors into a module; ValueError where they do not fit."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{Path(folder) / WEIGHTS} does not fit its settings: {error}") from error
