"""The figures of notebook 01 draw what they are given, and refuse what they cannot draw."""

import re

import pytest

from encoder_course.text.bpe import BPE
from encoder_course.viz.tokens import grouped_bars, marked_pieces, merge_tree, padding_area


def test_marked_pieces_keep_the_text_and_alternate():
    text = "R&D, <token>izer"
    markup = marked_pieces(text, [(0, 0), (0, 3), (5, 12), (12, 16), (0, 0)])
    marked = re.findall(r'<span style="([^"]*)">([^<]*)</span>', markup)
    assert [inside for _, inside in marked] == ["R&amp;D", "&lt;token&gt;", "izer"]
    assert marked[0][0] == marked[2][0] != marked[1][0]
    plain = re.sub(r"<[^>]*>", "", markup).replace("&lt;", "<").replace("&gt;", ">")
    assert plain.replace("&amp;", "&") == text


@pytest.mark.parametrize("offsets", [[(3, 5), (2, 4)], [(0, 9)]])
def test_offsets_that_run_backwards_or_leave_the_text_are_refused(offsets):
    with pytest.raises(ValueError, match="of 6 characters"):
        marked_pieces("tokens", offsets)


def test_a_merge_tree_names_every_piece_and_every_merge():
    bpe = BPE.train(["token tokens taken broken spoken"], vocab_size=40)
    steps = bpe.steps("spoken")
    axes = merge_tree(steps, bpe.ranks).axes[0]
    texts = [text.get_text() for text in axes.texts]
    pieces = {piece for step in steps for piece in step}
    numbers = {
        f"{rank + 1}" for pair, rank in bpe.ranks.items() if "".join(pair) in pieces - {*steps[0]}
    }
    assert pieces | numbers == set(texts)
    assert len(axes.lines) == 2 * (len(steps) - 1)
    axes.figure.draw_without_rendering()
    frame = axes.figure.bbox
    boxes = [text.get_window_extent() for text in axes.texts]
    assert all(box.x0 >= 0 and box.x1 <= frame.x1 and box.y1 <= frame.y1 for box in boxes)


def test_a_tree_of_steps_that_do_not_follow_is_refused():
    with pytest.raises(ValueError, match="two neighbours joined"):
        merge_tree([["a", "b", "c"], ["ac", "b"]], {("a", "c"): 0})


def test_padding_area_states_the_share_and_draws_every_row():
    fig = padding_area({"mixed": [[1, 3], [2, 2]], "sorted": [[1, 2], [2, 3]]})
    mixed, ordered = fig.axes
    assert mixed.get_title(loc="left") == "mixed: 20% padding"
    assert ordered.get_title(loc="left") == "sorted: 20% padding"
    assert [bar.get_width() for bar in mixed.patches] == [1, 3, 2, 0, 2, 2, 0, 0]


def test_grouped_bars_split_off_the_hatched_part():
    values = {"Hindi": {"one": 8.0, "two": 3.0}, "English": {"one": 2.0, "two": 1.0}}
    fig = grouped_bars(values, hatched={"Hindi": {"two": 2.5}}, hatched_name="[UNK]")
    axes = fig.axes[0]
    said = [text.get_text() for text in axes.texts]
    assert said == ["one: 8", "two: 3, of these 2.5 [UNK]", "one: 2", "two: 1"]
    assert [bar.get_width() for bar in axes.patches[2:4]] == [0.5, 2.5]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["Hindi", "English"]
    with pytest.raises(ValueError, match="group 'b'"):
        grouped_bars({"a": {"one": 1}, "b": {"two": 1}})
