"""Figures of notebook 04 are checked by what they are drawn from, and by where their words lie."""

from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from encoder_course.viz.encoder import budget, difference_map, hull

SQUARE = [[0.0, 0.0], [0.0, 2.0], [2.0, 2.0], [2.0, 0.0], [1.0, 1.0]]


def test_hull_goes_around_the_corners_and_not_through_the_middle():
    averages = torch.tensor([[0.5, 0.5], [1.0, 0.7]])
    fig = hull(SQUARE, list("abcde"), {"averages": averages}, "five tokens")
    axes = fig.axes[0]
    (region,) = axes.patches
    assert {tuple(xy) for xy in region.get_xy()} == {tuple(xy) for xy in SQUARE[:4]}
    cloud, corners = (points.get_offsets() for points in axes.collections)
    np.testing.assert_allclose(cloud, averages)
    assert len(corners) == 5
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["averages"]
    fig.draw_without_rendering()
    boxes = [t.get_window_extent() for t in axes.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_hull_needs_a_label_for_each_point():
    with pytest.raises(ValueError, match="2 labels for 5 points"):
        hull(SQUARE, ["a", "b"], {})


MODELS = {
    "small": {"token table": 3_000_000, "attention": 900_000, "norms": 100_000},
    "large": {"token table": 2_000_000, "attention": 8_000_000, "norms": 0},
}


def test_budget_fills_each_bar_and_writes_what_fits():
    axes = budget(MODELS, "two models").axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([75, 22.5, 2.5, 20, 80, 0])
    starts = [bar.get_x() for bar in axes.patches]
    assert starts == pytest.approx([0, 75, 97.5, 0, 20, 100])
    words = [t.get_text() for t in axes.texts]
    assert words == ["3.0 M", "0.9 M", "4.0 M", "2.0 M", "8.0 M", "10.0 M"]
    assert [t.get_text() for t in axes.get_yticklabels()] == list(MODELS)


def test_budget_words_stay_in_their_bars():
    fig = budget(MODELS)
    axes = fig.axes[0]
    fig.draw_without_rendering()
    inside = [t for t in axes.texts if t.get_ha() == "center"]
    for text in inside:
        box = text.get_window_extent()
        assert any(
            p.get_window_extent().count_contains(box.get_points()) == 2 for p in axes.patches
        )


def test_budget_needs_the_same_parts():
    with pytest.raises(ValueError, match="other has the parts"):
        budget({"one": {"a": 1}, "other": {"b": 1}})


ROWS = {
    "right": [0.0, 2e-15, 3e-15],
    "segments forgotten": [22.0, 1.0, 1.5],
    "wrong second layer": [1e-16, 2e-15, 0.4],
}


def test_difference_map_frames_the_first_layer_that_differs():
    axes = difference_map(ROWS, ["embeddings", "layer 1", "layer 2"]).axes[0]
    frames = [p for p in axes.patches if isinstance(p, Rectangle)]
    centres = [(p.get_x() + 0.46, p.get_y() + 0.44) for p in frames]
    assert centres == [pytest.approx((0, 1)), pytest.approx((2, 2))]
    assert axes.images[0].get_array()[1, 2] == pytest.approx(np.log10(1.5))
    words = [t.get_text() for t in axes.texts]
    assert words[:5] == ["0", "2e-15", "3e-15", "22", "1.0"] and words[8] == "0.4"


def test_difference_map_needs_a_number_for_each_column():
    with pytest.raises(ValueError, match="'a' has 1 numbers for 2 columns"):
        difference_map({"a": [1.0]}, ["x", "y"])
