"""Figures are checked by what they are drawn from, and by where their words lie."""

import base64
import re
import struct
import sys
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from encoder_course import viz
from encoder_course.viz import palette
from encoder_course.viz.labels import spread

ALT = "The loss falls from 9 to 4 nats & then stays where it is."


def png(markup: str) -> bytes:
    return base64.b64decode(re.search(r'base64,([^"]+)"', markup)[1])


@pytest.fixture
def shown(monkeypatch):
    """Pretend to be in a notebook and collect what it displays."""
    import IPython
    from IPython import display

    out = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace())
    monkeypatch.setattr(display, "display", lambda html: out.append(html.data))
    return out


def boxes(texts):
    renderer = texts[0].figure.canvas.get_renderer()
    return [text.get_window_extent(renderer) for text in texts]


# ---- show


def test_show_puts_out_one_image_with_its_words(shown):
    fig, axes = viz.new_figure(5, 2)
    axes.plot([9, 4])
    assert viz.show(fig, ALT) is None
    (markup,) = shown
    assert markup.startswith('<img alt="The loss falls from 9 to 4 nats &amp; then stays')
    assert 'width="480"' in markup and "max-width:100%" in markup
    assert struct.unpack(">II", png(markup)[16:24]) == (960, 384)  # twice the pixels it takes


def test_same_figure_same_bytes():
    one, two = (viz.image(viz.bars({"a": 1.0, "b": 2.0}), ALT) for _ in range(2))
    assert one == two and b"Software" not in png(one)


@pytest.mark.parametrize("alt", ["", "a plot", " " * 50])
def test_alt_must_say_something(alt):
    fig, _ = viz.new_figure(2, 2)
    with pytest.raises(ValueError, match="alt is"):
        viz.show(fig, alt)
    with pytest.raises(ValueError, match="alt is"):
        viz.show_html("<p>x</p>", alt)


def test_outside_a_notebook_nothing_is_displayed(capsys):
    viz.show(viz.bars({"a": 1.0}), ALT)
    viz.show_html("<p>x</p>", ALT)
    assert capsys.readouterr().out == ""


def test_pyplot_keeps_no_figure():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    viz.show(viz.bars({"a": 1.0}), ALT)
    viz.show(pyplot.figure(figsize=(2, 2)), ALT)
    assert pyplot.get_fignums() == []


def test_html_table(shown):
    markup = viz.html_table(
        ["text", "tokens", "price"], [["नमस्ते <b>", 1234, 0.56789], ["hi", 1, 2.0]], "Price & size"
    )
    assert ' lang="hi">नमस्ते &lt;b&gt;</td>' in markup and markup.count("lang=") == 1
    assert ">1,234<" in markup and ">0.568<" in markup and "Price &amp; size</caption>" in markup
    viz.show_html(markup, ALT)
    assert 'aria-label="The loss falls' in shown[0] and markup in shown[0]
    with pytest.raises(ValueError, match="row 1 has 1 cells for 2 columns"):
        viz.html_table(["a", "b"], [[1, 2], [1]])


# ---- palette


def contrast(one, other):
    light, dark = sorted((palette._luminance(one), palette._luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", [*palette.OKABE_ITO.values(), "white", "#808080", (0.2, 0.5, 1)])
def test_words_can_be_read(colour):
    assert contrast(palette.text_on(colour), colour) >= 4.5
    assert contrast(palette.ink(colour), "white") >= 4.5


def test_contrast_is_that_of_wcag():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.01)
    assert palette.text_on("navy") == "white" and palette.text_on("yellow") == "black"


def test_classes_differ_in_more_than_colour():
    assert len(set(viz.class_colours(8))) == 8
    assert len(set(palette.MARKERS)) == len(set(palette.DASHES)) == 8
    with pytest.raises(ValueError, match="9 classes"):
        viz.class_colours(9)


def test_style_ends_with_its_block():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with viz.style():
        assert matplotlib.rcParams["axes.titlelocation"] == "left"
        assert "DejaVu Sans" in matplotlib.rcParams["font.family"]
    viz.bars({"a": 1.0})
    assert dict(matplotlib.rcParams) == before


# ---- heatmap


def test_heatmap_draws_its_numbers():
    matrix = torch.tensor([[0.1, 0.9], [float("nan"), 0.5]], requires_grad=True)
    axes = viz.heatmap(matrix, ["the", "cat"], ["a", "b"], "Weights", unit="weight").axes[0]
    drawn = axes.images[0].get_array()
    assert drawn.filled(-1).ravel() == pytest.approx([0.1, 0.9, -1, 0.5])
    assert [t.get_text() for t in axes.texts] == ["0.10", "0.90", "0.50"]
    assert [t.get_color() for t in axes.texts] == ["white", "black", "black"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["the", "cat"]
    assert axes.get_title(loc="left") == "Weights" and axes.images[0].get_clim()[0] == 0


def test_heatmap_writes_no_minus_before_a_zero():
    words = [t.get_text() for t in viz.heatmap([[-0.001, -0.01, 0.004]]).axes[0].texts]
    assert words == ["0.00", "-0.01", "0.00"]


def test_signed_heatmap_has_its_zero_in_the_middle():
    matrix = np.array([[-1.0, 3.0]])
    fig = viz.heatmap(matrix, signed=True)
    assert fig.axes[0].images[0].get_clim() == (-3, 3)
    assert [t.get_text() for t in fig.axes[1].get_yticklabels()] == ["-3", "0", "+3"]
    with pytest.raises(ValueError, match="evenly about zero"):
        viz.heatmap(matrix, signed=True, limits=(-1, 3))


def test_large_heatmaps_carry_no_numbers_and_panels_share_limits():
    assert not viz.heatmap(np.ones((20, 20))).axes[0].texts
    fig, panels = viz.new_figure(6, 3, columns=2)
    for panel, scale in zip(panels, (1, 5), strict=True):
        viz.heatmap(np.eye(2) * scale, limits=(0.0, 5.0), axes=panel, colour_bar=False)
    assert len(fig.axes) == 2 and {p.images[0].get_clim() for p in panels} == {(0, 5)}


def test_heatmap_labels_must_fit():
    with pytest.raises(ValueError, match="3 column_labels for 2"):
        viz.heatmap(np.eye(2), column_labels=["a", "b", "c"])


# ---- curves


def test_spread_keeps_order_and_gaps_and_moves_no_more_than_needed():
    assert spread([0.0, 5.0, 9.0], 1.0) == [0, 5, 9]
    assert spread([3.0, 3.0], 1.0) == [2.5, 3.5]
    heights = [0.5, 0.1, 0.52, 0.48, 0.9, 0.5]
    placed = spread(heights, 0.1)
    order = np.argsort(heights, kind="stable")
    assert (np.diff(np.array(placed)[order]) >= 0.1 - 1e-9).all()
    assert placed[1] == 0.1 and placed[4] == 0.9
    assert np.mean([placed[i] for i in (0, 2, 3, 5)]) == pytest.approx(0.5)


def test_curves_are_named_where_they_end_without_overlap():
    x = np.arange(10)
    lines = {f"run {n}": (x, x * 0 + 5 + n / 100) for n in range(6)}
    axes = viz.curves(lines, "Loss", "step", "nats", baselines={"unigram": 5.03}).axes[0]
    assert [line.get_label() for line in axes.lines] == [*lines, "unigram"]
    assert (axes.lines[3].get_ydata() == 5.03).all()
    assert sorted(t.get_text() for t in axes.texts) == sorted([*lines, "unigram"])
    axes.figure.draw_without_rendering()
    assert not any(a.overlaps(b) for a, b in combinations(boxes(axes.texts), 2))
    frame = axes.figure.bbox
    assert all(box.x1 <= frame.x1 and box.y1 <= frame.y1 for box in boxes(axes.texts))


def test_curves_have_bands_and_scales():
    x = [1, 10, 100]
    fig = viz.curves({"a": (x, [3, 2, 1])}, bands={"a": ([2, 1, 0], [4, 3, 2])}, log_x=True)
    axes = fig.axes[0]
    assert axes.get_xscale() == "log" and len(axes.collections) == 1


# ---- bars


def test_bars_print_their_values_from_the_top_down():
    values = {"majority": 0.333333, "ours": 0.9, "parameters": 1_234_567}
    axes = viz.bars(values, {"ours": 0.02}, unit="accuracy", highlight="ours").axes[0]
    assert [p.get_width() for p in axes.patches] == list(values.values())
    assert [t.get_text() for t in axes.texts] == ["0.333", "0.9 ± 0.02", "1,234,567"]
    assert axes.yaxis_inverted() and [t.get_weight() for t in axes.texts][1] == "bold"
    with pytest.raises(ValueError, match="no bar is named"):
        viz.bars(values, highlight="theirs")
    with pytest.raises(ValueError, match="no bar is named"):
        viz.bars(values, {"theirs": 1})


def test_numbers_of_negative_bars_stay_clear_of_the_names():
    axes = viz.bars({"a rather long name": -14_000_000, "b": 23_000_000}).axes[0]
    axes.figure.draw_without_rendering()
    assert boxes(axes.texts)[0].x0 > boxes(axes.get_yticklabels())[0].x1


# ---- words


def test_words_do_not_overlap():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(20, 2))
    labels = [f"word {n}" for n in range(20)]
    axes = viz.scatter_words(points, labels, ["river", "money"] * 10, "Senses").axes[0]
    assert [t.get_text() for t in axes.texts] == labels
    drawn = [dots.get_offsets() for dots in axes.collections]
    assert np.array_equal(drawn[0], points[::2]) and np.array_equal(drawn[1], points[1::2])
    (legend,) = axes.figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["river", "money"]
    overlaps = [a.overlaps(b) for a, b in combinations(boxes(axes.texts), 2)]
    assert sum(overlaps) <= 1  # twenty random words leave hardly one without a place
    with pytest.raises(ValueError, match="2 labels for 3"):
        viz.scatter_words(np.eye(3)[:, :2], ["a", "b"])


def test_importing_viz_leaves_matplotlib_alone():
    import subprocess

    code = "import sys, encoder_course.viz; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
