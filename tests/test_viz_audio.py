"""Figures of sounds are checked by what they are drawn from."""

import numpy as np
import pytest

from encoder_course.nn.mel import mel_filters
from encoder_course.viz.audio import band_of, centre_of, filter_bank, spectrograms, waveforms


def test_waves_share_their_scales():
    fig = waveforms({"loud": np.ones(160), "quiet": np.full(80, 0.1)}, "two sounds")
    loud, quiet = fig.axes
    assert loud.lines[0].get_xdata()[-1] == pytest.approx(159 / 16_000)
    assert loud.get_ylim() == quiet.get_ylim() and loud.get_xlim() == quiet.get_xlim()
    assert [axes.get_title(loc="left") for axes in fig.axes] == ["loud", "quiet"]


def test_spectrograms_stand_with_low_pitches_below_on_one_scale():
    rows = np.arange(12.0).reshape(3, 4)  # 3 places in time, 4 bands
    fig = spectrograms({"a": rows, "b": rows / 2})
    one, other = (axes.images[0] for axes in fig.axes[:2])
    np.testing.assert_allclose(one.get_array(), rows.T)
    assert one.origin == "lower" and one.get_clim() == other.get_clim() == (0, 11)
    assert one.get_extent()[1] == pytest.approx(0.03)
    with pytest.raises(ValueError, match=r"\[3, 4\] bands"):
        spectrograms({"a": rows, "b": rows[:, :3]})


def test_bands_and_hertz():
    assert band_of(centre_of(7, 40), 40) == pytest.approx(7)
    assert centre_of(0, 40) < 200 and 7_000 < centre_of(39, 40) < 8_000


def test_marked_filters_stand_out_and_are_named_at_their_peaks():
    filters = mel_filters(40).numpy()
    fig = filter_bank(filters, (3, 30), "two of forty")
    (axes,) = fig.axes
    assert len(axes.lines) == 42
    for text, line, band in zip(axes.texts, axes.lines[40:], (3, 30), strict=True):
        assert text.get_text() == f"band {band}"
        assert text.xy[0] == pytest.approx(filters[:, band].argmax() * 40)
        assert line.get_ydata().max() == pytest.approx(1) and line.get_ydata()[-1] == 0
