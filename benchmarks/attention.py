"""Two plain matrix products or PyTorch's fused kernel? Forward alone, and with backward, by length.

    OMP_NUM_THREADS=1 python benchmarks/attention.py

It stands behind `EXPLICIT_UP_TO` in `encoder_course/nn/attention.py`. Each length has 4,096 tokens
in all, no mask, 4 heads of 64 numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch  # noqa: E402
from timing import interleave, speedups  # noqa: E402
from torch import Tensor  # noqa: E402

from encoder_course.nn import attention, fused_attention  # noqa: E402

TOKENS, HEADS, WIDTH = 4096, 4, 64


def explicit(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The readable function, its weights thrown away."""
    return attention(q, k, v)[0]


def forward(attend: Callable[..., Tensor], inputs: list[Tensor]) -> Callable[[], None]:
    """Attention as a trained encoder uses it."""

    def run() -> None:
        with torch.inference_mode():
            attend(*inputs)

    return run


def training(attend: Callable[..., Tensor], inputs: list[Tensor]) -> Callable[[], None]:
    """Attention as training uses it, backward included."""
    learnt = [tensor.clone().requires_grad_() for tensor in inputs]

    def run() -> None:
        torch.autograd.grad(attend(*learnt).sum(), learnt)

    return run


def main() -> None:
    """Print, for each length, how many times faster the explicit form is than the fused one."""
    torch.set_num_threads(1)
    print("| tokens | float32 | with backward | bfloat16 | with backward |")
    print("|---:|---:|---:|---:|---:|")
    for length in (32, 64, 128, 256, 512):
        cells = []
        for dtype in (torch.float32, torch.bfloat16):
            shape = (TOKENS // length, HEADS, length, WIDTH)
            inputs = [torch.randn(shape, dtype=dtype) for _ in range(3)]
            for use in (forward, training):
                ways = {"fused": use(fused_attention, inputs), "explicit": use(explicit, inputs)}
                low, middle, high = speedups(interleave(ways, rounds=15), "fused", "explicit")
                cells.append(f"{middle:.2f} ({low:.2f}-{high:.2f})")
        print(f"| {length} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
