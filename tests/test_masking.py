"""Masking: the published proportions to 5 standard errors, and wrong recipes that must fail."""

import math

import pytest
import torch

from encoder_course.text.masking import NOT_ASKED, mask_tokens

MASK, VOCAB, SPECIAL = 4, 1000, 5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ordinary(rows=2000, columns=1000, seed=1):
    return torch.randint(SPECIAL, VOCAB, (rows, columns), generator=generator(seed))


def within(count, trials, probability, sigmas=5.0):
    """Whether a binomial count lies within `sigmas` standard deviations of what is expected."""
    deviation = math.sqrt(trials * probability * (1 - probability))
    return abs(count - trials * probability) <= sigmas * deviation


def check_recipe(ids, inputs, labels, rate=0.15):
    """Assert what Devlin et al. 2018 publish: 15 % chosen; of these 80 / 10 / 10 %."""
    chosen = labels != NOT_ASKED
    assert torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(inputs[~chosen], ids[~chosen])
    asked = int(chosen.sum())
    assert within(asked, ids.numel(), rate), "share chosen"
    masked = inputs[chosen] == MASK
    same = inputs[chosen] == ids[chosen]
    luck = 0.1 / (VOCAB - SPECIAL)  # a random token may be the one that stood there
    assert within(int(masked.sum()), asked, 0.8), "share masked"
    assert within(int(same.sum()), asked, 0.1 + luck), "share unchanged"
    drawn = inputs[chosen][~masked & ~same]
    assert int(drawn.min()) >= SPECIAL, "special token drawn"
    expected = len(drawn) / (VOCAB - SPECIAL)
    counts = torch.bincount(drawn, minlength=VOCAB)[SPECIAL:]
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    freedom = VOCAB - SPECIAL - 1
    assert abs(chi_square - freedom) < 5 * math.sqrt(2 * freedom), "random tokens not uniform"


def masked(ids, **changes):
    options = {"maskable": ids >= SPECIAL, "mask_id": MASK, "vocab_size": VOCAB}
    return mask_tokens(ids, **{**options, "generator": generator(), **changes})


def test_the_published_recipe():
    ids = ordinary()
    check_recipe(ids, *masked(ids))


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_other_rates(rate):
    ids = ordinary(100, 100)
    chosen = masked(ids, rate=rate)[1] != NOT_ASKED
    assert within(int(chosen.sum()), ids.numel(), rate)


def test_choices_are_independent_over_the_batch():
    ids = ordinary()
    chosen = masked(ids)[1] != NOT_ASKED
    both = chosen[:, 1:] & chosen[:, :-1]
    # Neighbouring pairs overlap, hence a little more variance than a binomial: 8 sigmas.
    assert within(int(both.sum()), both.numel(), 0.15**2, sigmas=8)
    both = chosen[1:] & chosen[:-1]
    assert within(int(both.sum()), both.numel(), 0.15**2, sigmas=8)


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        ("share masked", {"mixture": (0.81, 0.10, 0.09)}),
        ("share masked", {"mixture": (1.0, 0.0, 0.0)}),
        ("share unchanged", {"mixture": (0.8, 0.12, 0.08)}),
        ("share chosen", {"rate": 0.152}),
        ("special token drawn", {"special_below": 0}),
        ("not uniform", {"special_below": 15}),
    ],
)
def test_slightly_wrong_recipes_fail(message, changes):
    ids = ordinary()
    with pytest.raises(AssertionError, match=message):
        check_recipe(ids, *masked(ids, **changes))


def test_ten_per_cent_of_the_rest_is_a_known_mistake():
    ids = ordinary()
    inputs, labels = masked(ids, mixture=(1.0, 0.0, 0.0))
    draw = torch.rand(ids.shape, generator=generator(2))
    rest = (labels != NOT_ASKED) & (torch.rand(ids.shape, generator=generator(3)) >= 0.8)
    inputs = torch.where(rest & (draw < 0.9), ids, inputs)
    random_ids = torch.randint(SPECIAL, VOCAB, ids.shape, generator=generator(4))
    inputs = torch.where(rest & (draw >= 0.9), random_ids, inputs)
    with pytest.raises(AssertionError, match="share unchanged"):
        check_recipe(ids, inputs, labels)


def test_special_tokens_and_padding_are_never_chosen():
    ids = ordinary(50, 60)
    ids[:, 0], ids[:, 40], ids[:, 41:] = 2, 3, 0
    inputs, labels = masked(ids, rate=1.0)
    fixed = ids < SPECIAL
    assert torch.equal(inputs[fixed], ids[fixed])
    assert (labels[fixed] == NOT_ASKED).all()
    assert (labels[~fixed] == ids[~fixed]).all()


def test_only_maskable_positions_are_chosen():
    ids = ordinary(50, 60)
    maskable = torch.rand(ids.shape, generator=generator(5)) < 0.5
    labels = masked(ids, maskable=maskable, rate=1.0)[1]
    assert torch.equal(labels != NOT_ASKED, maskable)


def test_the_same_generator_state_gives_the_same_masks():
    ids = ordinary(20, 30)
    before = ids.clone()
    first, again = masked(ids), masked(ids)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[1], masked(ids, generator=generator(9))[1])
    running = generator()
    assert torch.equal(masked(ids, generator=running)[1], first[1])
    assert not torch.equal(masked(ids, generator=running)[1], first[1])
    assert torch.equal(ids, before)


def words_of_three(ids):
    return (torch.arange(ids.shape[1]) // 3).expand(ids.shape)


def is_whole(labels, word_ids):
    """Whether no word of any row is chosen in part."""
    chosen = labels != NOT_ASKED
    count = torch.zeros(len(labels), int(word_ids.max()) + 1, dtype=torch.int64)
    some = count.scatter_add(1, word_ids, chosen.long())
    size = count.scatter_add(1, word_ids, torch.ones_like(word_ids))
    return bool(((some == 0) | (some == size)).all())


def test_whole_words():
    ids = ordinary(2000, 300)
    word_ids = words_of_three(ids)
    inputs, labels = masked(ids, word_ids=word_ids)
    assert is_whole(labels, word_ids)
    assert not is_whole(masked(ids)[1], word_ids)
    chosen_words = int((labels[:, ::3] != NOT_ASKED).sum())
    assert within(chosen_words, 2000 * 100, 0.15)
    chosen = labels != NOT_ASKED
    assert within(int((inputs[chosen] == MASK).sum()), int(chosen.sum()), 0.8)


def test_whole_words_of_any_length_keep_the_rate_over_tokens():
    ids = ordinary(3000, 100)
    starts = torch.rand(ids.shape, generator=generator(6)) < 0.4
    word_ids = starts.long().cumsum(1)
    labels = masked(ids, word_ids=word_ids)[1]
    assert is_whole(labels, word_ids)
    sizes = torch.zeros(3000, 101).scatter_add(1, word_ids, torch.ones(ids.shape))
    deviation = math.sqrt(float((sizes**2).sum()) * 0.15 * 0.85)
    share = int((labels != NOT_ASKED).sum())
    assert abs(share - 0.15 * ids.numel()) < 5 * deviation


def test_words_of_special_tokens_may_be_negative():
    ids = ordinary(4, 9)
    ids[:, 0] = 2
    word_ids = torch.tensor([[-1, 0, 0, 1, 1, 1, 2, 3, 3]]).expand(4, 9)
    labels = masked(ids, word_ids=word_ids, rate=1.0)[1]
    assert (labels[:, 0] == NOT_ASKED).all() and (labels[:, 1:] != NOT_ASKED).all()


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        ("rate", {"rate": 1.5}),
        ("mixture", {"mixture": (0.8, 0.1, 0.2)}),
        ("mixture", {"mixture": (1.2, -0.1, -0.1)}),
        ("special_below is 1000 but vocab_size is 1000", {"special_below": VOCAB}),
        ("mask_id is 1000 but vocab_size is 1000", {"mask_id": VOCAB}),
        ("word_ids", {"word_ids": torch.full((2, 3), -1)}),
    ],
)
def test_bad_input_is_named(message, changes):
    with pytest.raises(ValueError, match=message):
        masked(ordinary(2, 3), **changes)
