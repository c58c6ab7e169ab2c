"""Measure several ways to do the same thing side by side, on a machine that others use too.

Each round runs every candidate once, in an order that rotates, so that a busy minute slows all of
them alike; a ratio is taken within its round, and the median of the rounds is reported with its
quartiles. CPU time counts the work of all threads and, unlike wall time, not the waiting for a
core that somebody else has.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of one candidate, one entry per round."""

    cpu: list[float]
    wall: list[float]


def interleave(candidates: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, Timing]:
    """Run every candidate once to warm up, then `rounds` times in rotating order."""
    if rounds < 1 or not candidates:
        raise ValueError(f"{rounds} rounds of {len(candidates)} candidates measure nothing")
    names = list(candidates)
    timings = {name: Timing([], []) for name in names}
    for name in names:
        candidates[name]()
    for start in range(rounds):
        for i in range(len(names)):
            name = names[(start + i) % len(names)]
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            candidates[name]()
            timings[name].cpu.append(time.process_time() - cpu)
            timings[name].wall.append(time.perf_counter() - wall)
    return timings


def speedups(timings: dict[str, Timing], reference: str, name: str) -> tuple[float, float, float]:
    """How many times less CPU time than the reference: lower quartile, median, upper quartile."""
    pairs = zip(timings[reference].cpu, timings[name].cpu, strict=True)
    ratios = [theirs / ours for theirs, ours in pairs]
    if len(ratios) == 1:
        return ratios[0], ratios[0], ratios[0]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, middle, high


def table(timings: dict[str, Timing], reference: str) -> str:
    """A Markdown table, the fastest last; ValueError for a reference that was not measured."""
    if reference not in timings:
        raise ValueError(f"the reference {reference!r} is not among {', '.join(timings)}")
    lines = [
        f"| | CPU s | wall s | times faster than {reference} (quartiles) |",
        "|---|---:|---:|---:|",
    ]
    for name in sorted(timings, key=lambda name: -statistics.median(timings[name].cpu)):
        cpu, wall = (statistics.median(x) for x in (timings[name].cpu, timings[name].wall))
        low, middle, high = speedups(timings, reference, name)
        lines.append(f"| {name} | {cpu:.2f} | {wall:.2f} | {middle:.2f} ({low:.2f}-{high:.2f}) |")
    return "\n".join(lines)
