"""Figures of sounds are checked by what they are drawn from."""

import numpy as np
import pytest

from encoder_course.viz.audio import band_of, centre_of, spectrograms, waveforms


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
