"""The handwritten digits: pictures between paper and ink, and two splits that share nothing."""

import pytest
import torch

from encoder_course.data.digits import load_digits


def test_pictures_and_labels():
    train, test = load_digits(), load_digits("test")
    assert len(train) + len(test) == 1797 and len(test) == 450
    for part in (train, test):
        assert part.images.shape == (len(part), 1, 8, 8) and part.images.dtype == torch.float32
        assert part.images.min() == 0 and part.images.max() == 1
        assert set(part.labels.tolist()) == set(range(10))


def test_the_splits_share_no_picture_and_each_digit_is_divided_alike():
    train, test = load_digits(), load_digits("test")
    seen = {tuple(image.flatten().tolist()) for image in train.images}
    assert not seen & {tuple(image.flatten().tolist()) for image in test.images}
    counts = [torch.bincount(part.labels, minlength=10) for part in (train, test)]
    shares = counts[1] / (counts[0] + counts[1])
    assert (shares - 0.25).abs().max() < 0.01


def test_the_same_at_every_call():
    assert torch.equal(load_digits("test").images, load_digits("test").images)
    with pytest.raises(ValueError, match="split 'validation' is not one of"):
        load_digits("validation")
