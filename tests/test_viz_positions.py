"""The figures of notebook 02: what is drawn must be what the tables hold."""

import math

import numpy as np
import pytest
import torch

from encoder_course.nn.positions import sinusoidal
from encoder_course.viz.positions import clock_hands, learning_curves, turned_pairs


def tips(fig):
    return [panel.lines[0].get_xydata()[1] for panel in fig.axes]


def test_hands_show_the_angle_clockwise_from_the_top():
    fig = clock_hands(sinusoidal(5, 4), places=[0, 1, 4], hands=[0, 1])
    assert len(fig.axes) == 6
    assert tips(fig)[0] == pytest.approx([0, 1])  # position 0 points up
    assert tips(fig)[1] == pytest.approx([math.sin(1), math.cos(1)], abs=1e-6)
    assert tips(fig)[5] == pytest.approx([math.sin(0.04), math.cos(0.04)], abs=1e-6)


def test_clock_rows_and_columns_are_named():
    fig = clock_hands(sinusoidal(9, 8), places=[0, 8], hands=[1, 3])
    assert [panel.get_title(loc="center") for panel in fig.axes] == ["0", "8", "", ""]
    assert [panel.get_ylabel() for panel in fig.axes] == ["2, 3", "", "6, 7", ""]


@pytest.mark.parametrize("places, hands", [([5], [0]), ([0], [2])])
def test_hands_that_the_table_lacks(places, hands):
    with pytest.raises(ValueError, match="there are 5 positions of 2 pairs"):
        clock_hands(sinusoidal(5, 4), places=places, hands=hands)


def test_turned_pairs_show_the_score():
    query, key = torch.tensor([1.0, 0.0]), [0.5, 2.0]
    fig = turned_pairs({"near": (query, key), "far": (query, [-0.25, 1.0])})
    titles = [panel.get_title(loc="center") for panel in fig.axes]
    assert titles == ["near\nscore 0.50", "far\nscore -0.25"]
    arrows = [text for text in fig.axes[0].texts if text.get_text() == ""]
    assert [tuple(np.asarray(arrow.xy)) for arrow in arrows] == [(1.0, 0.0), (0.5, 2.0)]
    assert fig.axes[0].get_xlim() == fig.axes[1].get_xlim()  # same scale in compared panels


def test_learning_curves_draw_the_mean_and_the_range():
    runs = {"rotary": [[0.2, 0.8], [0.4, 1.0]], "none": [[0.1, 0.1], [0.1, 0.3]]}
    axes = learning_curves(runs, every=25, title="t").axes[0]
    assert axes.lines[0].get_xydata() == pytest.approx(np.array([[25, 0.3], [50, 0.9]]))
    shade = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (shade.min(), shade.max()) == pytest.approx((0.2, 1.0))
