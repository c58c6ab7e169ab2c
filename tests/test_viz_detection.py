"""Figures of notebook 06 are checked by what they are drawn from."""

import pytest

from encoder_course.viz.detection import arms, suspicion

TOKENS, CHANCES, REPLACED = ["sort", "the", "banana"], [0.1, 0.2, 0.7], [False, False, True]


def run(arm, seed, *accuracies):
    points = [
        {"flops": 1e12 * i, "cpu_seconds": 60.0 * i + seed, "task": accuracy}
        for i, accuracy in enumerate(accuracies)
    ]
    return {"arm": arm, "seed": seed, "points": points}


RUNS = [run("A", 0, 0.5, 0.6), run("A", 1, 0.5, 0.8), run("B", 0, 0.5, 0.4)]


def test_each_token_has_a_bar_and_forgeries_are_marked():
    (axes,) = suspicion(TOKENS, CHANCES, REPLACED).axes
    bars = sorted((bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in axes.patches)
    assert [height for _, height in bars] == CHANCES
    assert axes.lines[0].get_xdata().tolist() == [2]
    assert [label.get_text() for label in axes.get_xticklabels()] == TOKENS


def test_tokens_and_chances_must_be_equally_many():
    with pytest.raises(ValueError, match="3 tokens, 2 chances"):
        suspicion(TOKENS, CHANCES[1:], REPLACED)


def test_an_arm_is_the_mean_of_its_seeds_and_each_seed_a_row_of_points():
    fig = arms(RUNS, {"task": {"words": 0.55}})
    work, time = fig.axes
    mean, first, second, *_ = work.lines
    assert mean.get_ydata() == pytest.approx([0.5, 0.7])
    assert first.get_ydata().tolist() == [0.5, 0.6] and second.get_ydata().tolist() == [0.5, 0.8]
    assert work.lines[-1].get_ydata() == [0.55, 0.55]
    assert time.lines[0].get_xdata() == pytest.approx([0.5 / 60, 1 + 0.5 / 60])
    band = work.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0.5, 0.8)


def test_runs_must_have_equally_many_points():
    with pytest.raises(ValueError, match="A: "):
        arms([*RUNS, run("A", 2, 0.5)], {"task": {}})
