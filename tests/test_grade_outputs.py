"""Outputs and attachments of a student: text and real pictures stay, and nothing that can run."""

import base64

from encoder_course.grade.outputs import MOST_LETTERS, clean_attachments, clean_outputs

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


def picture(data=PIXEL, kind="image/png"):
    return {"output_type": "display_data", "data": {kind: data}}


def test_outputs_are_text_and_pictures_only():
    data = {
        "text/plain": ["<Fig", "ure>"],
        "text/html": "<script>alert(1)</script>",
        "image/svg+xml": "<svg onload='alert(1)'/>",
        "application/javascript": "alert(1)",
        "application/vnd.jupyter.widget-view+json": {"model_id": "a"},
    }
    output = {"output_type": "execute_result", "data": data, "metadata": {"a": 1}, "x": "y"}
    kept, cut = clean_outputs(
        [output, {"output_type": "display_data", "data": data | {"text/plain": ""}}]
    )

    assert kept == [
        {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "<Figure>"}}
    ]
    assert cut == 0


def test_a_picture_is_what_it_says_and_nothing_else():
    for fake in ('"><script>alert(1)</script>', "AAAA", PIXEL + '"', "é", "", None, 3, {}, "A" * 5):
        assert clean_outputs([picture(fake)]) == ([], 0)
    assert clean_outputs([picture(PIXEL, "image/jpeg"), picture(PIXEL, "image/gif")]) == ([], 0)
    (kept,), _ = clean_outputs([picture([PIXEL[:10] + "\n", PIXEL[10:]])])
    assert kept["data"] == {"image/png": PIXEL}
    jpeg = base64.b64encode(b"\xff\xd8\xff\xe0").decode()
    assert clean_outputs([picture(jpeg, "image/jpeg")])[0][0]["data"] == {"image/jpeg": jpeg}


def test_a_figure_of_the_course_stays_with_its_words():
    from encoder_course.viz import heatmap, image

    html = image(heatmap([[0.0, 1.0]], title="t"), alt='Two "numbers" & a long enough sentence.')
    (kept,), _ = clean_outputs([{"output_type": "display_data", "data": {"text/html": [html]}}])

    assert kept["data"]["text/plain"] == 'Two "numbers" & a long enough sentence.'
    assert kept["data"]["image/png"] in html


def test_text_is_cut_over_all_outputs_of_a_cell():
    stream = {"output_type": "stream", "name": "stdout", "text": "x" * 15_000}
    kept, cut = clean_outputs([stream, stream, stream, picture()])
    assert [len(one["text"]) for one in kept[:2]] == [15_000, MOST_LETTERS - 15_000]
    assert kept[2:] == clean_outputs([picture()])[0]  # a picture behind much text is not lost
    assert cut == 25_000


def test_only_so_many_outputs_stay():
    assert len(clean_outputs([picture()] * 100)[0]) == 20


def test_attachments_are_pictures_only():
    pasted = {"a.png": {"image/png": PIXEL}, "b.svg": {"image/svg+xml": "<svg/>"}, "c": None}
    assert clean_attachments(pasted) == {"a.png": {"image/png": PIXEL}}
    assert clean_attachments([1]) == {}
