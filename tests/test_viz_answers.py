"""Figures of notebook 10 are checked by what they are drawn from."""

import numpy as np
import pytest

from encoder_course.viz.answers import span_table, start_and_end

TOKENS = ["the", "rent", "is", "nine"]
START, END = [0.0, -1.0, 2.0, 3.0], [1.0, 0.5, -2.0, 4.0]


def test_bars_have_the_scores_and_the_span_is_shaded():
    fig = start_and_end(TOKENS, START, END, (2, 3))
    for axes, scores in zip(fig.axes, (START, END), strict=True):
        shade, *bars = axes.patches
        assert [bar.get_height() for bar in bars] == scores
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == (1.5, 3.5)
    assert [label.get_text() for label in fig.axes[1].get_xticklabels()] == TOKENS


def test_bars_need_a_score_for_each_token():
    with pytest.raises(ValueError, match="4 tokens"):
        start_and_end(TOKENS, START[1:], END, (0, 1))
    with pytest.raises(ValueError, match=r"span \(3, 4\)"):
        start_and_end(TOKENS, START, END, (3, 4))


def test_forbidden_spans_are_grey_and_the_best_is_framed():
    scores = np.add.outer(START, END)
    fig = span_table(TOKENS, scores, (3, 3), 2)
    shown = np.ma.filled(fig.axes[0].images[0].get_array(), np.nan)
    allowed = {(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)}
    assert {tuple(map(int, place)) for place in np.argwhere(~np.isnan(shown))} == allowed
    assert shown[2, 3] == scores[2, 3]
    (frame,) = fig.axes[0].patches
    assert (frame.get_x(), frame.get_y()) == (2.5, 2.5)
    with pytest.raises(ValueError, match="4 tokens"):
        span_table(TOKENS, scores[:3], (0, 0), 2)
