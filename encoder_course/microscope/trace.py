"""What every tensor of a tiny BERT must be: a run of Hugging Face's, recorded in float64."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from encoder_course import hf
from encoder_course.config import EncoderConfig
from encoder_course.microscope.reference import Encoder as LabEncoder
from encoder_course.nn import Encoder

FILE = Path(__file__).with_name("trace.safetensors")

# No two of B, T, H, K, D, F are equal, so that no wrong axis fits by chance.
CONFIG = EncoderConfig(vocab_size=30, dim=12, layers=2, heads=4, ff_dim=20, max_len=9)

# Modules by their name in lab 04 (left) and in `encoder_course.nn.Encoder`; others are the same.
OTHER_NAMES = {
    "token": "embed.token",
    "position": "embed.position",
    "kind": "embed.segment",
    "norm": "embed.norm",
    "attention.out": "attention.output",
    "norm1": "attention_norm",
    "norm2": "feed_forward_norm",
}

# What the microscope looks at in a block, in order: where it is caught, and what it is called.
IN_A_BLOCK = (
    ("attention.query", "output", "queries"),
    ("attention.key", "output", "keys"),
    ("attention.value", "output", "values"),
    ("attention.out", "input", "heads merged"),
    ("attention.out", "output", "attention"),
    ("norm1", "input", "attention added"),
    ("norm1", "output", "first norm"),
    ("feed_forward.expand", "output", "widened"),
    ("feed_forward.contract", "input", "bent"),
    ("feed_forward.contract", "output", "feed-forward"),
    ("norm2", "input", "feed-forward added"),
    ("norm2", "output", "second norm"),
)
RESULT = "result"


def _stages() -> dict[str, tuple[str, str]]:
    found = {"vectors added": ("norm", "input"), "embedding norm": ("norm", "output")}
    for i in range(CONFIG.layers):
        for module, side, name in IN_A_BLOCK:
            found[f"block {i + 1}: {name}"] = f"blocks.{i}.{module}", side
    return found | {RESULT: ("", "output")}


STAGES = _stages()  # {what it is called: (module of lab 04, "input" or "output")}, in their order


@dataclass(frozen=True)
class Trace:
    """A recorded run: weights by their names in lab 04, the input, and the tensor at each stage."""

    weights: dict[str, Tensor]
    ids: Tensor  # (B, T)
    keep: Tensor  # (B, T), True on real tokens; every row has padding
    kinds: Tensor  # (B, T)
    stages: dict[str, Tensor]


def lab_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of an `encoder_course.nn.Encoder` of BERT's kind under the names of lab 04."""
    renamed = {}
    for name, value in state.items():
        for lab, ours in OTHER_NAMES.items():
            name = name.replace(f"{ours}.", f"{lab}.")
        renamed[name] = value
    return renamed


@torch.no_grad()
def randomise(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter numbers that follow from the seed and its name, and return the module.

    The tables of an encoder (`token.weight`, ...) get small ones: only in vectors of small variance
    can the eps of a norm be seen.
    """
    for name, parameter in module.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + seed)
        spread = 0.01 if name.split(".")[0] in ("token", "position", "kind") else 0.6
        numbers = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.copy_(spread * numbers)
    return module


@torch.no_grad()
def record(
    model: nn.Module, call: Callable[[], Any], places: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Run `call`, and return what went into or came out of modules of `model` at first.

    places: `{stage: (module, "input" or "output")}`; a module that is never called is left out.
    """
    found: dict[str, Any] = {}

    def note(stage: str, seen: Any) -> None:
        # A copy: what comes later may change the tensor in place.
        found.setdefault(stage, seen.clone() if isinstance(seen, Tensor) else seen)

    def before(stage, module, arguments, keywords):
        note(stage, [*arguments, *keywords.values()][0])

    def after(stage, module, arguments, output):
        note(stage, output)

    hooks = []
    for stage, (name, side) in places.items():
        module = model.get_submodule(name)
        if side == "input":
            hook = module.register_forward_pre_hook(partial(before, stage), with_kwargs=True)
        else:
            hook = module.register_forward_hook(partial(after, stage))
        hooks.append(hook)
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return found


@cache
def stored() -> Trace:
    """The trace that ships with the package."""
    from safetensors.torch import load_file

    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "input": {}, "stages": {}}
    for name, tensor in load_file(FILE).items():
        part, _, name = name.partition("/")
        parts[part][name] = tensor
    return Trace(parts["weights"], **parts["input"], stages=parts["stages"])


def make() -> Trace:
    """Record Hugging Face's `BertModel` with random weights, on two rows that both have padding."""
    ours = Encoder(CONFIG).double()
    of_ours = lab_names({name: name for name in ours.state_dict()})  # {name in lab 04: ours}
    theirs = hf.their_names(ours, "bert")  # {ours: Hugging Face's}
    weights = randomise(LabEncoder(CONFIG).double()).state_dict()
    ours.load_state_dict({name: weights[lab] for lab, name in of_ours.items()})
    ids = torch.tensor([[2, 17, 5, 23, 3, 0, 0], [2, 9, 3, 0, 0, 0, 0]])
    keep = ids != CONFIG.pad_id
    kinds = torch.tensor([[0, 0, 1, 1, 1, 0, 0], [0, 1, 1, 0, 0, 0, 0]])

    modules = {_module(lab): _module(theirs[name]) for lab, name in of_ours.items()}
    places = {name: (modules.get(module, ""), side) for name, (module, side) in STAGES.items()}
    bert = hf.to_hf(ours)
    stages = record(bert, lambda: bert(ids, keep.long(), kinds), places)
    stages[RESULT] = stages[RESULT].last_hidden_state
    return Trace(weights, ids, keep, kinds, stages)


def save(trace: Trace, file: Path = FILE) -> None:
    """Write a trace as `stored` reads it: `save(make())` makes the file of the package."""
    from safetensors.torch import save_file

    parts = {"input": {"ids": trace.ids, "keep": trace.keep, "kinds": trace.kinds}}
    parts |= {"weights": trace.weights, "stages": trace.stages}
    tensors = {f"{p}/{name}": t.clone() for p, part in parts.items() for name, t in part.items()}
    save_file(tensors, file)


def _module(parameter: str) -> str:
    return parameter.rpartition(".")[0]
