"""Word vectors: counts, PPMI and SVD worked out by hand, and wrong ways that must differ."""

import math

import numpy as np
import pytest
import torch
from scipy import sparse

from encoder_course.text.word_vectors import cooccurrences, ppmi, svd_vectors, word_vectors

SORT, PLOT, THE, LIST, ARRAY, CURVE, LINE = range(7)
DOCS = torch.tensor([[SORT, THE, LIST], [SORT, THE, ARRAY], [PLOT, THE, CURVE], [PLOT, THE, LINE]])
FOUR_ROWS = np.array([  # rows and columns: sort, plot, the, list, array, curve, line
    [0.0, 0.0, 2.0, 0.5, 0.5, 0.0, 0.0],
    [0.0, 0.0, 2.0, 0.0, 0.0, 0.5, 0.5],
    [2.0, 2.0, 0.0, 1.0, 1.0, 1.0, 1.0],
    [0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    [0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0],
])  # fmt: skip


@pytest.fixture
def documents():
    return torch.randint(30, (60, 12), generator=torch.Generator().manual_seed(0))


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


# ---- counts


def test_counts_by_hand():
    assert np.array_equal(cooccurrences(DOCS, 7, window=2).toarray(), FOUR_ROWS)


def test_window_of_one_sees_next_neighbours_only():
    assert np.array_equal(
        cooccurrences(DOCS, 7, window=1).toarray(), np.where(FOUR_ROWS == 0.5, 0.0, FOUR_ROWS)
    )


def test_a_pair_d_places_apart_counts_one_over_d():
    row = torch.arange(6)[None]
    counts = cooccurrences(row, 6, window=4).toarray()
    assert counts[0] == pytest.approx([0, 1, 1 / 2, 1 / 3, 1 / 4, 0])


def test_a_token_meets_itself_from_both_sides():
    counts = cooccurrences(torch.tensor([[3, 3, 1]]), 4, window=2).toarray()
    assert counts[3, 3] == 2.0 and counts[3, 1] == counts[1, 3] == 1.5


def test_counts_are_symmetric_and_every_pair_is_in_them(documents):
    counts = cooccurrences(documents, 30, window=4)
    rows, length = documents.shape
    pairs = 2 * rows * sum((length - d) / d for d in range(1, 5))
    assert np.allclose(counts.toarray(), counts.toarray().T)
    assert counts.sum() == pytest.approx(pairs, rel=1e-6)


def test_rows_do_not_meet(documents):
    """Wrong: one long text, in which the end of a document is next to the start of another."""
    apart = cooccurrences(documents, 30, window=3).toarray()
    one_by_one = sum(cooccurrences(row[None], 30, window=3).toarray() for row in documents)
    assert np.allclose(apart, one_by_one)
    assert not np.allclose(apart, cooccurrences(documents.reshape(1, -1), 30, window=3).toarray())


def test_window_may_be_wider_than_the_row():
    assert np.array_equal(cooccurrences(DOCS, 7, window=50).toarray(), FOUR_ROWS)
    assert cooccurrences(torch.tensor([[1], [2]]), 3).nnz == 0


# ---- PPMI


def test_ppmi_by_hand():
    """20 pairs in all; "list" has 1.5 of them, "sort" 3, "the" 8."""
    information = ppmi(cooccurrences(DOCS, 7, window=2), smoothing=1.0).toarray()
    assert information[LIST, SORT] == pytest.approx(math.log(0.5 * 20 / (1.5 * 3)), abs=1e-6)
    assert information[LIST, THE] == pytest.approx(math.log(1.0 * 20 / (1.5 * 8)), abs=1e-6)
    assert information[LIST, PLOT] == 0.0 and np.array_equal(information, information.T)


def test_smoothing_by_hand():
    """Only the context is smoothed: 1.5 (four words), 3 (two) and 8, each to the power 0.75."""
    information = ppmi(cooccurrences(DOCS, 7, window=2)).toarray()
    context = 4 * 1.5**0.75 + 2 * 3**0.75 + 8**0.75
    expected = math.log(0.5 / 20 / (1.5 / 20 * 3**0.75 / context))
    assert information[LIST, SORT] == pytest.approx(expected, abs=1e-6)
    swapped = math.log(0.5 / 20 / (3 / 20 * 1.5**0.75 / context))
    assert information[SORT, LIST] == pytest.approx(swapped, abs=1e-6)


def test_smoothing_lowers_rare_contexts():
    plain, smooth = (ppmi(cooccurrences(DOCS, 7, 2), power).toarray() for power in (1.0, 0.75))
    assert smooth[SORT, LIST] < plain[SORT, LIST]
    assert smooth[LIST, THE] > plain[LIST, THE]


def test_what_chance_would_give_is_no_information():
    counts = sparse.csr_matrix(np.outer([1.0, 2.0, 4.0], [1.0, 2.0, 4.0]))
    assert np.abs(ppmi(counts, smoothing=1.0).toarray()).max() < 1e-6


def test_less_than_chance_is_cut_off_at_zero(documents):
    """Wrong: PMI without the cut, which stores how *seldom* two words meet."""
    information = ppmi(cooccurrences(documents, 30))
    assert information.nnz > 0 and information.data.min() > 0
    assert information.nnz < cooccurrences(documents, 30).nnz


def test_ppmi_does_not_depend_on_the_size_of_the_text(documents):
    counts = cooccurrences(documents, 30)
    assert np.allclose(ppmi(counts).toarray(), ppmi(counts * 10).toarray(), atol=1e-5)


def test_ppmi_tells_words_apart_that_share_only_the_article():
    """Wrong: raw counts, in which "list" and "curve" look alike because both follow "the"."""
    counts = cooccurrences(DOCS, 7, window=2)
    raw, information = counts.toarray(), ppmi(counts, smoothing=1.0).toarray()
    assert cosine(raw[LIST], raw[CURVE]) == pytest.approx(0.8)
    assert cosine(information[LIST], information[CURVE]) < 0.4
    assert cosine(information[LIST], information[ARRAY]) == pytest.approx(1.0)


# ---- SVD


def test_vectors_multiply_back_to_a_matrix_of_low_rank():
    parts = np.random.default_rng(0).normal(size=(12, 3))
    matrix = parts @ parts.T  # symmetric, without negative directions, rank 3
    vectors = svd_vectors(sparse.csr_matrix(matrix), 3).double().numpy()
    assert vectors.shape == (12, 3)
    assert np.allclose(vectors @ vectors.T, matrix, atol=1e-4)
    plain = svd_vectors(sparse.csr_matrix(matrix), 2).double().numpy()
    assert not np.allclose(plain @ plain.T, matrix, atol=1e-1)


def test_what_is_lost_is_the_directions_left_out():
    """No matrix of rank 2 comes closer (Eckart and Young, 1936)."""
    parts = np.random.default_rng(1).normal(size=(12, 12))
    matrix = parts @ parts.T
    strength = np.linalg.svd(matrix, compute_uv=False)
    vectors = svd_vectors(sparse.csr_matrix(matrix), 2).double().numpy()
    lost = np.linalg.norm(matrix - vectors @ vectors.T)
    assert lost == pytest.approx(np.linalg.norm(strength[2:]), rel=1e-3)


def test_columns_carry_the_root_of_their_strength():
    """Wrong: left directions alone (all of length 1), or weighted by the whole strength."""
    matrix = ppmi(cooccurrences(DOCS, 7, window=2))
    strength = np.linalg.svd(matrix.toarray(), compute_uv=False)[:3]
    squares = (svd_vectors(matrix, 3) ** 2).sum(dim=0).numpy()
    assert squares == pytest.approx(strength, rel=1e-4)
    assert not np.allclose(squares, 1.0, atol=0.1)
    assert not np.allclose(squares, strength**2, rtol=0.1)


def test_one_seed_one_answer(documents):
    one, other = (word_vectors(documents, 30, 8, seed=3) for _ in range(2))
    assert torch.equal(one, other) and one.dtype == torch.float32


def test_word_vectors_are_the_three_steps(documents):
    by_steps = svd_vectors(ppmi(cooccurrences(documents, 30, 2)), 5, seed=1)
    assert torch.equal(word_vectors(documents, 30, 5, window=2, seed=1), by_steps)
    assert not torch.equal(word_vectors(documents, 30, 5, window=3, seed=1), by_steps)


def test_words_of_one_kind_end_up_together():
    vectors = word_vectors(DOCS, 7, 4, window=2).numpy()
    assert cosine(vectors[LIST], vectors[ARRAY]) == pytest.approx(1.0, abs=1e-3)
    assert cosine(vectors[LIST], vectors[CURVE]) < 0.5


# ---- bad input


@pytest.mark.parametrize("bad", [-1, 7])
def test_ids_must_be_in_the_vocabulary(bad):
    with pytest.raises(ValueError, match=rf"token id {bad} is out of range.* 7 tokens"):
        cooccurrences(torch.tensor([[0, bad, 2]]), 7)


@pytest.mark.parametrize("window", [0, -2])
def test_a_window_must_hold_a_neighbour(window):
    with pytest.raises(ValueError, match=f"at least 1 place to each side, but it is {window}"):
        cooccurrences(DOCS, 7, window=window)


@pytest.mark.parametrize("dim", [0, 8])
def test_directions_must_fit_the_matrix(dim):
    with pytest.raises(ValueError, match=f"{dim} directions asked for, but the matrix has 7 rows"):
        svd_vectors(cooccurrences(DOCS, 7), dim)
