"""The box of notebook 00 answers and leaves a page behind; its figure shows every document."""

import pytest

from encoder_course.notebooks import WIDGET_VIEW
from encoder_course.viz.start import AskBox, score_spread


def shout(question: str) -> str:
    return f"<b>{question.upper()}</b>"


def test_box_answers_what_is_typed():
    box = AskBox(shout, "read a file")
    assert box.shown.value == "<b>READ A FILE</b>"
    box.question.value = " sort a list "
    assert box.shown.value == "<b>SORT A LIST</b>"
    box.question.value = "  "
    assert box.shown.value == "Type a question, then press Enter."


def test_box_leaves_a_page_without_the_live_view():
    bundle = AskBox(shout, "a < b?")._repr_mimebundle_()
    assert WIDGET_VIEW in bundle
    assert "a &lt; b?" in bundle["text/html"] and "<b>A < B?</b>" in bundle["text/html"]
    assert "model_id" not in bundle["text/html"] + bundle["text/plain"]


def test_box_has_a_name_for_what_is_typed():
    box = AskBox(shout, "too hot", name="Message")
    assert box.question.description == "Message" and "<strong>Message:</strong>" in box.saved
    box.question.value = ""
    assert box.shown.value == "Type a message, then press Enter."


def test_score_spread_counts_every_document_and_names_the_best():
    scores = {"one": [0.05] * 7 + [0.62], "two": [-0.1, 0.0, 0.31]}
    panels = score_spread(scores).axes
    for axes, (question, values) in zip(panels, scores.items(), strict=True):
        assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(len(values))
        assert question in axes.get_title(loc="left")
        assert axes.texts[0].get_text() == f"best: {max(values):.2f}"
    assert panels[0].get_xlim() == panels[1].get_xlim()


def test_score_outside_of_the_axes_is_refused():
    with pytest.raises(ValueError, match="0.4.*limits"):
        score_spread({"one": [0.1, 0.4]}, limits=(-0.2, 0.3))
