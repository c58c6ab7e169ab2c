"""Figures of notebook 03 are checked by what they are drawn from, and by where their words lie."""

from itertools import combinations

import pytest
import torch

from encoder_course.viz.attention import moves, padded_batch, panels


def test_moves_draws_an_arrow_from_the_start_to_each_end():
    groups = {
        "by the river": ({"muddy": (1, 0), "river": (2, 0)}, (1.4, 0.4)),
        "in the city": ({"robbed": (0, 1), "city": (0, 2)}, (0.4, 1.4)),
    }
    axes = moves(groups, (1, 1), "bank", x_label="water").axes[0]
    arrows = [t for t in axes.texts if t.arrow_patch is not None]
    assert [(t.xyann, t.xy) for t in arrows] == [((1, 1), (1.4, 0.4)), ((1, 1), (0.4, 1.4))]
    named = [t for t in axes.texts if t.get_text()]
    words = {"bank", "muddy", "river", "by the river", "robbed", "city", "in the city"}
    assert {t.get_text() for t in named} == words and len(named) == len(words)
    boxes = [t.get_window_extent() for t in named]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert axes.get_xlabel() == "water"


def test_padded_batch_hatches_what_is_not_kept():
    keep = torch.tensor([[True, True, True], [False, True, False]])
    fig = padded_batch([["sort", "a", "list"], ["return"]], keep)
    axes = fig.axes[0]
    assert [t.get_text() for t in axes.texts] == ["sort", "a", "list", "return"]
    assert [bool(p.get_hatch()) for p in axes.patches] == (~keep).flatten().tolist()
    fig.draw_without_rendering()
    for text in axes.texts:  # each word lies inside its cell
        box = text.get_window_extent()
        assert any(
            p.get_window_extent().count_contains(box.get_points()) == 2 for p in axes.patches
        )


def test_padded_batch_needs_a_token_for_each_place_kept():
    with pytest.raises(ValueError, match="row 0 has 1 tokens but keeps 2"):
        padded_batch([["sort"]], torch.tensor([[True, True]]))


def test_panels_share_one_scale():
    maps = {name: torch.eye(3) * scale for name, scale in {"a": 0.5, "b": 1.0, "c": 0.1}.items()}
    fig = panels(maps, "xyz", "uvw", row_title="query", column_title="key", unit="weight")
    shown = [axes for axes in fig.axes if axes.images and axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["a", "b", "c"]
    assert {axes.images[0].get_clim() for axes in shown} == {(0, 1)}
    assert shown[1].images[0].get_array().trace() == pytest.approx(3.0)
    assert [t.get_text() for t in shown[2].get_xticklabels()] == ["u", "v", "w"]
    assert shown[0].get_ylabel() == "query" and shown[2].get_xlabel() == "key"


def test_panels_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        panels({"a": torch.eye(2), "b": torch.eye(3)})
