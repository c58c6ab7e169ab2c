"""Padding, batches by budget and packed chunks: their laws, and wrong versions that break them."""

import random

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from encoder_course.text.batching import chunks, length_batches, pad

CLS, SEP = 2, 3


def random_rows(count=200, longest=40, seed=0):
    draw = random.Random(seed)
    return [[draw.randrange(5, 99) for _ in range(draw.randint(0, longest))] for _ in range(count)]


def test_pad_by_hand():
    ids, keep = pad([[7, 8, 9], [5]], pad_id=0)
    assert ids.dtype == torch.int64 and ids.tolist() == [[7, 8, 9], [5, 0, 0]]
    assert keep.dtype == torch.bool and keep.tolist() == [[True] * 3, [True, False, False]]


def test_pad_equals_torch():
    rows = random_rows()
    tensors = [torch.tensor(row, dtype=torch.int64) for row in rows]
    assert torch.equal(pad(rows, 1)[0], pad_sequence(tensors, batch_first=True, padding_value=1))


def test_keep_does_not_depend_on_the_value_of_padding():
    rows = [[0, 0, 5], [0]]  # 0 is a real token here and the padding too
    assert pad(rows, pad_id=0)[1].sum(1).tolist() == [3, 1]


def test_pad_to_a_length():
    ids, keep = pad([[7], []], pad_id=9, length=3)
    assert ids.tolist() == [[7, 9, 9], [9, 9, 9]] and keep.sum().item() == 1


def test_pad_refuses():
    with pytest.raises(ValueError, match="no rows"):
        pad([], 0)
    with pytest.raises(ValueError, match="a row has 3 tokens but length is 2"):
        pad([[1, 2, 3]], 0, length=2)


def check_batches(batches, lengths, budget):
    """Every row once, never more than `budget` tokens after padding, shortest first."""
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[i] for i in batch) <= budget
    order = [lengths[i] for batch in batches for i in batch]
    assert order == sorted(order)


@pytest.mark.parametrize("budget", [40, 100, 1000, 10**6])
def test_length_batches(budget):
    lengths = [len(row) for row in random_rows()]
    batches = length_batches(lengths, budget)
    check_batches(batches, lengths, budget)
    # No batch could have taken in the first row of the next one.
    for batch, following in zip(batches, batches[1:], strict=False):
        assert (len(batch) + 1) * lengths[following[0]] > budget


def test_a_budget_of_unpadded_tokens_is_not_enough():
    lengths = [1, 1, 1, 9]
    with pytest.raises(AssertionError):
        check_batches([[0, 1, 2, 3]], lengths, budget=12)
    check_batches(length_batches(lengths, 12), lengths, budget=12)


def test_sorting_saves_most_of_the_padding():
    lengths = [len(row) for row in random_rows(2000, 128)]

    def padded(batches):
        return sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)

    arrival = [list(range(start, start + 16)) for start in range(0, 2000, 16)]
    assert padded(length_batches(lengths, 2048)) < 1.05 * sum(lengths) < 0.6 * padded(arrival)


def test_length_batches_edges():
    assert length_batches([], 8) == []
    assert length_batches([8], 8) == [[0]]
    with pytest.raises(ValueError, match="row 1 has 9 tokens but the budget is 8"):
        length_batches([3, 9], 8)
    with pytest.raises(ValueError, match="budget"):
        length_batches([1], 0)


def test_chunks_by_hand():
    packed = chunks([[11, 12, 13], [14], [15, 16, 17, 18]], 4, CLS, SEP)
    assert packed.tolist() == [[CLS, 11, 12, 13], [CLS, SEP, 14, SEP], [CLS, 15, 16, 17]]


def check_chunks(packed, rows, length):
    """Rows are full; without [CLS] they read as the documents, each closed by [SEP]."""
    stream = [i for row in rows for i in [*row, SEP]]
    assert packed.dtype == torch.int64
    assert packed.shape == (len(stream) // (length - 1), length)
    assert (packed[:, 0] == CLS).all()
    read = packed[:, 1:].flatten().tolist()
    assert read == stream[: len(read)]


@pytest.mark.parametrize("length", [2, 3, 17, 128])
def test_chunks_lose_nothing_but_the_tail(length):
    rows = random_rows()
    check_chunks(chunks(rows, length, CLS, SEP), rows, length)


def test_chunks_without_separators_fail():
    rows = random_rows()
    flat = torch.tensor([i for row in rows for i in row])
    text = flat[: len(flat) // 16 * 16].view(-1, 16)
    wrong = torch.cat([torch.full((len(text), 1), CLS), text], dim=1)
    with pytest.raises(AssertionError):
        check_chunks(wrong, rows, 17)


def test_chunks_refuse():
    with pytest.raises(ValueError, match="length must be at least 2"):
        chunks([[5]], 1, CLS, SEP)
    with pytest.raises(ValueError, match="the documents have 2 tokens but one row needs 7"):
        chunks([[5]], 8, CLS, SEP)
    with pytest.raises(ValueError, match="0 tokens"):
        chunks([], 8, CLS, SEP)
