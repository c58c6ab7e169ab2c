"""Checks of notebook 16: sounds, spectrograms and a space shared with words."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from encoder_course.check.base import Exercise, Misconception


def _angles(frame: Tensor, hertz: float, rate: int) -> Tensor:
    return 2 * math.pi * hertz * torch.arange(len(frame)) / rate


def _turned(frame: Tensor, angles: Tensor) -> float:
    return ((frame @ angles.cos()) ** 2 + (frame @ angles.sin()) ** 2).item()


def _energy(frame: Tensor, hertz: float, rate: int) -> float:
    return _turned(frame, _angles(frame, hertz, rate))


def _one_wave(frame: Tensor, wave: Tensor) -> float:
    return (frame @ wave).item() ** 2


def _energy_cases():
    time = torch.arange(64) / 800
    tone = torch.sin(2 * math.pi * 100 * time + 0.4)
    noise = torch.randn(40, generator=torch.Generator().manual_seed(0))
    return {
        "100 Hz in a tone of 100 Hz": (tone, 100.0, 800),
        "150 Hz in the same tone": (tone, 150.0, 800),
        "30 Hz in noise": (noise, 30.0, 400),
    }


energy = Exercise(
    number="16.1",
    title="how much of a frequency",
    difficulty=3,
    minutes=15,
    reference=_energy,
    cases=_energy_cases,
    tolerance=1e-3,
    misconceptions=(
        Misconception(
            "only the cosine",
            "a tone that starts a quarter of a turn later would not be heard: compare with a"
            " second wave, too",
            lambda frame, hertz, rate: _one_wave(frame, _angles(frame, hertz, rate).cos()),
        ),
        Misconception(
            "added first",
            "the two comparisons may cancel each other: each is squared by itself",
            lambda frame, hertz, rate: _one_wave(
                frame, _angles(frame, hertz, rate).cos() + _angles(frame, hertz, rate).sin()
            ),
        ),
        Misconception(
            "root",
            "this is the strength, whose square is the energy",
            lambda frame, hertz, rate: _energy(frame, hertz, rate) ** 0.5,
        ),
        Misconception(
            "no 2 pi",
            "a full turn is not 1 but 2 pi: you listen at another frequency",
            lambda frame, hertz, rate: _turned(frame, hertz * torch.arange(len(frame)) / rate),
        ),
        Misconception(
            "samples for seconds",
            "the frequency is in turns per second, and you use it per sample",
            lambda frame, hertz, rate: _turned(
                frame, 2 * math.pi * hertz * torch.arange(len(frame))
            ),
        ),
        Misconception(
            "turns per frame",
            "the frequency is in turns per second, and you use it per frame",
            lambda frame, hertz, rate: _turned(
                frame, 2 * math.pi * hertz * torch.arange(len(frame)) / len(frame)
            ),
        ),
        Misconception(
            "mean",
            "a longer frame holds more energy: the comparisons are sums, not means",
            lambda frame, hertz, rate: _energy(frame, hertz, rate) / len(frame) ** 2,
        ),
    ),
    spoilers=("cos()", "sin()", "** 2 +"),
)


places = Exercise(
    number="16.2",
    title="rows of a spectrogram",
    difficulty=1,
    minutes=5,
    reference=70,
    misconceptions=(
        Misconception("kept the last", "the last frame is dropped: it begins at the end", 71),
        Misconception("not mirrored", "the ends are mirrored, so that no time is lost there", 68),
        Misconception("no overlap", "frames overlap: a new one begins every 10 ms", 28),
        Misconception("samples", "not every sample begins a frame", 11_200),
        Misconception("seconds", "a new frame begins every 10 *milli*seconds", 7),
    ),
)


def _logs(energy: Tensor) -> Tensor:
    logs = energy.clamp_min(1e-10).log10()
    return (torch.maximum(logs, logs.max() - 8) + 4) / 4


def _floored(logs: Tensor) -> Tensor:
    return (torch.maximum(logs, logs.max() - 8) + 4) / 4


logs = Exercise(
    number="16.3",
    title="loudness",
    difficulty=2,
    minutes=10,
    reference=_logs,
    cases=lambda: {
        "energies from 0 to 1,000": (
            torch.tensor([[0.0, 1e-12, 1e-4], [1.0, 10.0, 1000.0], [1.0, 1e-9, 1e-3]]),
        ),
        "a quiet sound": (torch.tensor([[1e-6, 1e-9], [1e-3, 3e-5]]),),
    },
    misconceptions=(
        Misconception(
            "natural logarithm",
            "the logarithm has another base than 10",
            lambda energy: _floored(energy.clamp_min(1e-10).log()),
        ),
        Misconception(
            "no floor",
            "silence far below the loudest place still counts: what is 80 dB below it is cut off",
            lambda energy: (energy.clamp_min(1e-10).log10() + 4) / 4,
        ),
        Misconception(
            "floor for each row",
            "each row has a floor of its own: the loudest place of the whole sound sets it",
            lambda energy: (
                (
                    torch.maximum(
                        energy.clamp_min(1e-10).log10(),
                        energy.clamp_min(1e-10).log10().amax(-1, keepdim=True) - 8,
                    )
                    + 4
                )
                / 4
            ),
        ),
        Misconception(
            "not scaled",
            "the logarithms are right, but they are not brought to about -1 to 1",
            lambda energy: _logs(energy) * 4 - 4,
        ),
        Misconception(
            "8 dB",
            "the floor lies too near: 80 dB are 8 powers of ten, not 0.8",
            lambda energy: (
                (
                    torch.maximum(
                        energy.clamp_min(1e-10).log10(),
                        energy.clamp_min(1e-10).log10().max() - 0.8,
                    )
                    + 4
                )
                / 4
            ),
        ),
    ),
    spoilers=("log10()", "- 8", "+ 4"),
)


def _targets(words: Tensor) -> Tensor:
    same = (words[:, None] == words).float()  # (B, B)
    return same / same.sum(dim=1, keepdim=True)


targets = Exercise(
    number="16.4",
    title="who belongs to whom",
    difficulty=3,
    minutes=10,
    reference=_targets,
    cases=lambda: {
        "4 sounds, 2 of one word": (torch.tensor([7, 3, 7, 5]),),
        "6 sounds of 2 words": (torch.tensor([1, 1, 2, 1, 2, 1]),),
    },
    misconceptions=(
        Misconception(
            "only itself",
            "another sound of the same word is treated as wrong, although its text is the same",
            lambda words: torch.eye(len(words)),
        ),
        Misconception(
            "not shared out",
            "rows sum to more than 1 where a word comes twice: they are no distribution",
            lambda words: (words[:, None] == words).float(),
        ),
        Misconception(
            "only the others",
            "a sound is not counted with its own text",
            lambda words: (
                ((words[:, None] == words).float() - torch.eye(len(words)))
                / ((words[:, None] == words).float().sum(1, keepdim=True) - 1).clamp_min(1)
            ),
        ),
        Misconception(
            "everybody",
            "all texts share alike: nothing can be learnt from that",
            lambda words: torch.full((len(words), len(words)), 1 / len(words)),
        ),
        Misconception(
            "divided by the batch",
            "the shares of a row do not sum to 1: divide by how many are right, not by the batch",
            lambda words: (words[:, None] == words).float() / len(words),
        ),
    ),
    spoilers=("== words", "sum(dim=1", "keepdim"),
)
