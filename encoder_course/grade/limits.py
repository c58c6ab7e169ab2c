"""How much one submission may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the code of one submission may use before it is stopped.

    Raises ValueError where a limit is not positive.
    """

    cell_seconds: float | int = 30  # one cell of the student's
    probe_seconds: float | int = 10  # one test cell
    total_seconds: float | int = 300  # all attempts at one submission together
    megabytes: int = 2048  # memory, on top of what Python and torch take themselves
    processes: int = 32
    disk_megabytes: int = 64  # of the submission's own working directory
    attempts: int = 4  # runs from the start, each without the cells that broke the ones before

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} is {value}, and has to be more than 0")
