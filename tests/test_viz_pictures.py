"""Figures made of pictures are checked by what they are drawn from."""

import numpy as np
import pytest

from encoder_course.viz.pictures import labelled_points, paved_plane, picture_rows

PICTURES = np.arange(2 * 3 * 4).reshape(2, 3, 4) / 24


def test_rows_show_each_picture_on_one_scale():
    fig = picture_rows({"first": PICTURES, "second": PICTURES[::-1]}, ["a", "b"], "two rows")
    shown = [axes.images[0] for axes in fig.axes]
    assert len(shown) == 4 and {image.get_clim() for image in shown} == {(0, 1)}
    np.testing.assert_allclose(shown[1].get_array(), PICTURES[1])
    np.testing.assert_allclose(shown[2].get_array(), PICTURES[1])
    assert [fig.axes[0].get_ylabel(), fig.axes[2].get_ylabel()] == ["first", "second"]
    assert [axes.get_title() for axes in fig.axes] == ["a", "b", "", ""]


def test_rows_must_be_equally_long():
    with pytest.raises(ValueError, match=r"\[1, 2\] pictures"):
        picture_rows({"first": PICTURES, "second": PICTURES[:1]})
    with pytest.raises(ValueError, match="1 column labels for 2 columns"):
        picture_rows({"first": PICTURES}, ["a"])


def test_a_plane_keeps_the_order_of_its_pictures():
    tiles = np.stack([PICTURES, 1 - PICTURES])  # (rows 2, columns 2, 3, 4)
    image = paved_plane(tiles, 2.0).axes[0].images[0]
    paved = np.asarray(image.get_array())
    assert paved.shape == (6, 8) and image.get_extent() == [-2, 2, -2, 2]
    np.testing.assert_allclose(paved[:3, 4:], tiles[0, 1])
    np.testing.assert_allclose(paved[3:, :4], tiles[1, 0])


def test_points_are_their_labels():
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    texts = labelled_points(points, [7, 7, 1]).axes[0].texts
    assert [text.get_text() for text in texts] == ["7", "7", "1"]
    assert [text.get_position() for text in texts] == [tuple(point) for point in points]
    assert texts[0].get_color() == texts[1].get_color() != texts[2].get_color()
    with pytest.raises(ValueError, match="3 points, and 2 labels"):
        labelled_points(points, [1, 2])
