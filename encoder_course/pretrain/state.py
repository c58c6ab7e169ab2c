"""Two kinds of files: the state of a run that may be killed, and the finished checkpoint."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from encoder_course.config import EncoderConfig
from encoder_course.data.hub import find_course_checkpoint
from encoder_course.nn import MaskedLM
from encoder_course.text.tokenizer import Tokenizer


def save_state(
    folder: Path | str, plan: dict, model: MaskedLM, optimizers: list[Any], history: dict
) -> None:
    """Write everything a run needs to go on; a kill while writing leaves the state before."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {"plan": json.dumps(plan), "history": json.dumps(history)}
    state |= {"model": model.state_dict(), "random": torch.get_rng_state()}
    state |= {"optimizers": [optimizer.state_dict() for optimizer in optimizers]}
    unfinished = folder / f"state.{os.getpid()}.partial"
    torch.save(state, unfinished)
    os.replace(unfinished, folder / "state.pt")


def load_state(
    folder: Path | str, plan: dict, model: MaskedLM, optimizers: list[Any]
) -> dict[str, Any]:
    """Put a saved state back in place and return its history; {} when there is none.

    ValueError when the state is damaged or belongs to a run with other settings (it names them).
    """
    path = Path(folder) / "state.pt"
    if not path.exists():
        return {}
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = json.loads(state["plan"])
    except Exception as error:
        raise ValueError(f"{path} is damaged ({error}); delete it to start anew") from error
    plan = json.loads(json.dumps(plan))
    if before != plan:
        differ = sorted(key for key in plan if before.get(key) != plan[key])
        raise ValueError(
            f"{path} belongs to a run with other settings ({', '.join(differ)} differ);"
            " choose another folder, or delete it to start anew"
        )
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    torch.set_rng_state(state["random"])
    return json.loads(state["history"])


def save_checkpoint(folder: Path | str, model: MaskedLM, tokenizer: Tokenizer) -> Path:
    """Write config, tokenizer and weights (half precision, safetensors) of a finished model."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / "tokenizer.json")
    settings = json.dumps(model.config.to_dict(), indent=2)
    (folder / "config.json").write_text(settings + "\n", encoding="utf-8")
    weights = {
        name: tensor.detach().half().contiguous()
        for name, tensor in model.state_dict().items()
        if name != "head.weight"  # the token embedding, under its second name
    }
    save_file(weights, folder / "model.safetensors")
    return folder


def load_checkpoint(folder: Path | str | None = None) -> tuple[MaskedLM, Tokenizer]:
    """A finished model, in float32, and its tokenizer; by default the shipped course encoder.

    FileNotFoundError when a file is missing, ValueError when one is damaged or does not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = find_course_checkpoint() if folder is None else Path(folder)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"the checkpoint {folder} has no {name}")
    config = EncoderConfig.from_dict(json.loads((folder / "config.json").read_text("utf-8")))
    model = MaskedLM(config)
    try:
        weights = load_file(folder / "model.safetensors")
    except SafetensorError as error:
        raise ValueError(f"{folder / 'model.safetensors'} is damaged: {error}") from error
    weights["head.weight"] = weights.get("encoder.embed.token.weight", torch.empty(0))
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except RuntimeError as error:
        raise ValueError(f"the weights in {folder} do not fit its config: {error}") from error
    return model.eval(), Tokenizer.load(folder / "tokenizer.json")
