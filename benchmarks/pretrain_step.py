"""How fast is a training step? Ours against Hugging Face's BertForMaskedLM, same weights and masks.

    OMP_NUM_THREADS=1 python benchmarks/pretrain_step.py

A step is forward, backward and AdamW on the same 15 % masked rows of full length. Loss and gradient
of the first step must agree with the reference within 1e-4, or the run stops; only bfloat16, whose
difference is printed, may be further off.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import torch  # noqa: E402
from timing import interleave, table  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from encoder_course import hf  # noqa: E402
from encoder_course.config import EncoderConfig  # noqa: E402
from encoder_course.nn import MaskedLM  # noqa: E402
from encoder_course.text.masking import mask_tokens  # noqa: E402

REFERENCE = "BertForMaskedLM"
HALF = "ours, bfloat16"
TOLERANCE = 1e-4
Loss = Callable[[Tensor, Tensor], Tensor]


def losses(ours: MaskedLM, theirs: nn.Module) -> dict[str, tuple[nn.Module, Loss]]:
    """The candidates: a model of its own each, and how it turns inputs and labels into a loss."""
    half = copy.deepcopy(ours)

    def half_loss(inputs: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return half(inputs, labels=labels)

    return {
        REFERENCE: (theirs, lambda inputs, labels: theirs(inputs, labels=labels).loss),
        "ours": (ours, lambda inputs, labels: ours(inputs, labels=labels)),
        HALF: (half, half_loss),
    }


def gradient(model: nn.Module, loss: Tensor) -> Tensor:
    """The gradient that a loss sends to the token embedding."""
    loss.backward()
    name = "bert.embeddings.word_embeddings.weight"
    weights = dict(model.named_parameters())
    found = weights[name if name in weights else "encoder.embed.token.weight"].grad.clone()
    model.zero_grad()
    return found


def main() -> None:
    """Check that the candidates agree, time them, print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=16)
    options.add_argument("--length", type=int, default=128)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--threads", type=int, default=1)
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    size = dict(vocab_size=8192, dim=256, layers=4, heads=4, ff_dim=1024)
    model = MaskedLM(EncoderConfig(**size))
    candidates = losses(model, hf.to_hf(model))

    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, size["vocab_size"], (asked.rows, asked.length), generator=generator)
    inputs, labels = mask_tokens(ids, ids >= 5, 4, size["vocab_size"], generator)

    first = {name: loss(inputs, labels) for name, (_, loss) in candidates.items()}
    gradients = {name: gradient(candidates[name][0], loss) for name, loss in first.items()}
    for name in candidates:
        apart = abs(first[name] - first[REFERENCE]).item()
        turned = (gradients[name] - gradients[REFERENCE]).abs().max().item()
        print(f"{name}: loss {first[name]:.5f}, off by {apart:.1e}, gradient by {turned:.1e}")
        if name != HALF and max(apart, turned) > TOLERANCE:
            raise SystemExit(f"{name} does not compute what {REFERENCE} computes")

    def step(model: nn.Module, loss: Loss) -> Callable[[], None]:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

        def run() -> None:
            loss(inputs, labels).backward()
            optimizer.step()
            optimizer.zero_grad()

        return run

    steps = {name: step(*candidate) for name, candidate in candidates.items()}
    print(table(interleave(steps, asked.rounds), REFERENCE))


if __name__ == "__main__":
    main()
