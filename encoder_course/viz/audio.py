"""Waveforms and spectrograms, with seconds below and hertz beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.nn.mel import HOP, RATE, to_hertz, to_mel
from encoder_course.viz.palette import AMOUNTS, OKABE_ITO, class_colours, ink, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKED = (200, 500, 1_000, 2_000, 4_000)  # Hz, on the axis of a spectrogram


@style()
def waveforms(waves: Mapping[str, Any], title: str = "") -> Figure:
    """Draw `{name: samples}` below each other, all on one scale of time and loudness."""
    sounds = {name: np.asarray(wave, dtype=float) for name, wave in waves.items()}
    fig, panels = new_figure(
        7.0, 0.6 + 1.2 * len(sounds), rows=len(sounds), sharex=True, sharey=True, squeeze=False
    )
    for axes, (name, wave) in zip(panels[:, 0], sounds.items(), strict=True):
        axes.plot(np.arange(len(wave)) / RATE, wave, color=OKABE_ITO["blue"], linewidth=0.7)
        axes.set_title(name, fontsize=10, fontweight="normal")
    panels[-1, 0].set_xlabel("seconds")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


@style()
def spectrograms(pictures: Mapping[str, Any], title: str = "") -> Figure:
    """Draw `{name: log-mel rows (T, M)}` side by side, low pitches below, one scale for all.

    ValueError for pictures of different numbers of bands.
    """
    found = {name: np.asarray(rows, dtype=float) for name, rows in pictures.items()}
    bands = {rows.shape[1] for rows in found.values()}
    if len(bands) != 1:
        raise ValueError(f"the spectrograms have {sorted(bands)} bands, and need equally many")
    count = bands.pop()
    low, high = min(r.min() for r in found.values()), max(r.max() for r in found.values())
    fig, panels = new_figure(7.5, 3.0, columns=len(found), sharey=True, squeeze=False)
    for axes, (name, rows) in zip(panels[0], found.items(), strict=True):
        image = axes.imshow(
            rows.T, origin="lower", aspect="auto", cmap=AMOUNTS, vmin=low, vmax=high,
            extent=(0, len(rows) * HOP / RATE, -0.5, count - 0.5),
        )  # fmt: skip
        axes.set_title(name, fontsize=10, fontweight="normal")
        axes.set_xlabel("seconds")
    panels[0, 0].set_yticks([band_of(hertz, count) for hertz in MARKED], [f"{h:,}" for h in MARKED])
    panels[0, 0].set_ylabel("hertz (mel scale)")
    fig.colorbar(image, ax=panels, label="log energy, scaled")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


@style()
def filter_bank(filters: Any, marked: Sequence[int], title: str = "") -> Figure:
    """Draw each band's weights over frequency, (201, M) with the largest as 1; some are named."""
    weights = np.asarray(filters, dtype=float)
    weights = weights / weights.max(axis=0)
    hertz = np.linspace(0, RATE / 2, len(weights))
    fig, axes = new_figure(7.5, 2.6)
    axes.plot(hertz, weights, color="#B8B8B8", linewidth=0.6)
    for position, band in enumerate(marked):
        colour = class_colours(len(marked))[position]
        inside = np.flatnonzero(weights[:, band])
        shown = slice(max(inside[0] - 1, 0), inside[-1] + 2)
        axes.plot(hertz[shown], weights[shown, band], color=colour, linewidth=2)
        axes.annotate(
            f"band {band}", (hertz[weights[:, band].argmax()], 1), xytext=(0, 5),
            textcoords="offset points", ha="center", fontsize=9, color=ink(colour),
        )  # fmt: skip
    axes.set(xlabel="hertz", ylabel="weight, largest = 1", ylim=(0, 1.15))
    axes.set_title(title, pad=12)
    return fig


def band_of(hertz: float | int, bands: int) -> float:
    """The number of the band, with a fraction, whose centre is at a frequency."""
    import torch

    mels = to_mel(torch.tensor([float(hertz), RATE / 2], dtype=torch.float64))
    return float(mels[0] / mels[1] * (bands + 1) - 1)


def centre_of(band: int, bands: int) -> float:
    """The frequency, in hertz, at the centre of a band."""
    import torch

    top = to_mel(torch.tensor(RATE / 2, dtype=torch.float64))
    return float(to_hertz(top * (band + 1) / (bands + 1)))
