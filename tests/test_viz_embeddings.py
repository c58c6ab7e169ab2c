"""The map of notebook 11 is checked by what it is drawn from."""

import numpy as np
import pytest

from encoder_course.viz.embeddings import named_map

POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [8.0, 1.0], [9.0, 5.0], [9.0, 9.0]])


def test_each_cluster_is_drawn_and_named_at_its_middle():
    fig = named_map(POINTS, [1, 1, 0, 0, 0], ["graphs, nodes", "arrays"], "A map")
    (axes,) = fig.axes
    graphs, arrays = (cloud.get_offsets() for cloud in axes.collections)
    np.testing.assert_allclose(graphs, POINTS[2:])
    np.testing.assert_allclose(arrays, POINTS[:2])
    assert [text.get_text() for text in axes.texts] == ["graphs, nodes (3)", "arrays (2)"]
    np.testing.assert_allclose([text.xy for text in axes.texts], [(9, 5), (0.5, 0)])


def test_no_two_clusters_look_alike():
    fig = named_map(np.random.default_rng(0).normal(size=(40, 2)), range(40), ["a name"] * 40)
    looks = {
        (tuple(cloud.get_facecolor()[0]), cloud.get_paths()[0].vertices.tobytes())
        for cloud in fig.axes[0].collections
    }
    assert len(looks) == 40


def test_a_document_needs_a_place_on_the_plane():
    with pytest.raises(ValueError, match=r"points are \(5, 2\) for 3 documents"):
        named_map(POINTS, [0, 0, 1], ["a", "b"])
