"""Figures of notebook 07 are checked by what they are drawn from."""

import numpy as np
import pytest

from encoder_course.tasks.metrics import Metric
from encoder_course.viz.contextual import growing, intervals, maps

POINTS = np.array([[0.0, 2.0], [1.0, 0.0], [-4.0, 1.0]])
CLASSES = ["river", "money", "river"]


def test_maps_draw_each_class_in_each_panel_at_its_own_scale():
    fig = maps({"layer 0": POINTS, "layer 1": 10 * POINTS, "layer 2": POINTS}, CLASSES, columns=2)
    first, second, third, spare = fig.axes
    river, money = (cloud.get_offsets() for cloud in first.collections)
    np.testing.assert_allclose(river, POINTS[[0, 2]])
    np.testing.assert_allclose(money, POINTS[[1]])
    assert first.get_xlim() == pytest.approx((-4.4, 4.4))
    assert second.get_xlim() == pytest.approx((-44, 44))
    assert [axes.get_title(loc="left") for axes in (first, second, third)] == [
        "layer 0",
        "layer 1",
        "layer 2",
    ]
    assert not spare.get_visible()
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["river", "money"]


def test_maps_need_a_point_for_each_class():
    with pytest.raises(ValueError, match=r"'a' is \(3, 2\) for 2 points"):
        maps({"a": POINTS}, CLASSES[:2])


METRICS = [Metric("bag", 0.4, 0.3, 0.5), Metric("token", 0.8, 0.7, 0.85)]


def test_intervals_reach_from_low_to_high():
    fig = intervals({"train": METRICS, "test": METRICS}, reference=0.48)
    axes = fig.axes[0]
    bars = [container.get_children()[-1].get_segments() for container in axes.containers]
    reach = [(segment[0, 0], segment[1, 0]) for segments in bars for segment in segments]
    np.testing.assert_allclose(reach, [(0.3, 0.5), (0.7, 0.85)] * 2)
    assert [text.get_text() for text in axes.texts] == ["0.40", "0.80"] * 2
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bag", "token"]
    heights = [text.get_position()[1] for text in axes.texts]
    assert heights == pytest.approx([-0.175, 0.825, 0.175, 1.175])


def test_intervals_need_the_same_names():
    with pytest.raises(ValueError, match="'test' does not measure"):
        intervals({"train": METRICS, "test": METRICS[::-1]})


def test_growing_marks_which_end_is_nearer():
    fig = growing({"the bank is steep": [np.nan, 0.5, 0.2, -0.8]}, ("river", "money"))
    (axes,) = fig.axes
    said = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in said] == [
        (1, 0.5),
        (2, 0.2),
        (3, -0.8),
    ]
    assert [line.get_marker() for line in said] == ["s", "s", "o"]
    assert [label.get_text() for label in axes.get_xticklabels()] == "the bank is steep".split()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["river", "0", "money"]


def test_growing_needs_a_number_for_each_word():
    with pytest.raises(ValueError, match="'the bank' has 2 words and 1 numbers"):
        growing({"the bank": [0.5]}, ("river", "money"))
