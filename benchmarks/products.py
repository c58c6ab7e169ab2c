"""How fast is one linear layer of MiniLM, in billions of operations per second of CPU time?

OMP_NUM_THREADS=1 python benchmarks/products.py
"""

from __future__ import annotations

import statistics

import torch
from timing import interleave
from torch import nn
from torch.nn import functional as F

from encoder_course.nn.fast import PackedLinear

DIM, FF_DIM = 384, 1536
REPEATS = 30  # products in one measurement


def main() -> None:
    torch.set_num_threads(1)
    print("| tokens | F.linear | medium | prepared | F.linear, GELU | prepared with GELU |")
    print("|---:|---:|---:|---:|---:|---:|")
    for tokens in (300, 1_000, 3_000):
        rates = measure(tokens)
        print(f"| {tokens} |" + "".join(f" {rate:.0f} |" for rate in rates))


@torch.inference_mode()
def measure(tokens: int) -> list[float]:
    """Median rates for so many tokens, in the order of the table."""
    linear = nn.Linear(DIM, FF_DIM)
    hidden = torch.randn(tokens, DIM)
    prepared = PackedLinear(linear.weight, linear.bias)
    bent = PackedLinear(linear.weight, linear.bias, gelu=True)

    def medium(x):
        torch.set_float32_matmul_precision("medium")
        linear(x)
        torch.set_float32_matmul_precision("highest")

    ways = [linear, medium, prepared, lambda x: F.gelu(linear(x)), bent]

    def repeat(way):
        def run():
            for _ in range(REPEATS):
                way(hidden)

        return run

    timings = interleave({str(i): repeat(way) for i, way in enumerate(ways)}, rounds=5)
    operations = 2 * tokens * DIM * FF_DIM * REPEATS
    return [operations / statistics.median(t.cpu) / 1e9 for t in timings.values()]


if __name__ == "__main__":
    main()
