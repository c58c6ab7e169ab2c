"""Scenes: what a caption says is what the picture shows, and what is held out is nowhere else."""

import random
from dataclasses import replace

import pytest
import torch

from encoder_course.data.digits import Digits, load_digits
from encoder_course.data.scenes import (
    NAMES,
    Scene,
    all_scenes,
    caption,
    draw_scenes,
    every_caption,
    unseen_caption,
)

# One picture for each digit, in which every digit has another shade in its upper left corner.
PLAIN = Digits(torch.zeros(10, 1, 8, 8), torch.arange(10))
PLAIN.images[:, 0, 0, 0] = (torch.arange(10) + 1) / 11


def draw(scene, seed=0, digits=PLAIN):
    return draw_scenes([scene], digits, random.Random(seed))[0, 0]


def corners(picture, scene):
    """Where the marked pixels of the digits are, by digit: {digit: (row, column)}."""
    picture = 1 - picture if scene.white else picture
    found = {}
    for row, column in (picture > 1e-3).nonzero().tolist():
        found[round(picture[row, column].item() * 11) - 1] = (row, column)
    return found


def test_the_scenes():
    seen, held = all_scenes(), all_scenes(held_out=True)
    assert len(seen) == 3 * 190 and len(held) == 190 and not set(seen) & set(held)
    assert not any(scene.held_out for scene in seen) and all(scene.held_out for scene in held)
    # Each half of the combination that is held out is in the training scenes, for every digit.
    for half in ("turned", "white"):
        assert {s.first for s in seen if getattr(s, half)} == set(range(10))


def test_left_is_left_and_above_is_above():
    for seed in range(20):
        places = corners(draw(Scene(3, 7, "left"), seed), Scene(3, 7, "left"))
        assert places[3][1] < places[7][1]
        places = corners(draw(Scene(3, 7, "above"), seed), Scene(3, 7, "above"))
        assert places[3][0] < places[7][0]


@pytest.mark.parametrize("relation", ["left", "above"])
def test_upside_down_turns_each_digit_in_its_place(relation):
    scene = Scene(1, 2, relation)
    turned = replace(scene, turned=True)
    upright, other = corners(draw(scene), scene), corners(draw(turned), turned)
    assert other == {digit: (row + 7, column + 7) for digit, (row, column) in upright.items()}


def test_white_is_the_negative():
    scene = Scene(5, 9, "left", turned=True)
    assert torch.equal(draw(replace(scene, white=True)), 1 - draw(scene))


def test_digits_lie_side_by_side_and_inside():
    digits = Digits(torch.ones(10, 1, 8, 8), torch.arange(10))
    for relation, ink in (("alone", 64), ("left", 128), ("above", 128)):
        second = None if relation == "alone" else 4
        for seed in range(10):
            assert draw(Scene(8, second, relation), seed, digits).sum() == ink


def test_captions_say_the_digits_and_the_style():
    draws = random.Random(0)
    for scene in [*all_scenes(), *all_scenes(held_out=True)]:
        for words in (caption(scene, draws).split(), unseen_caption(scene).split()):
            digits = {NAMES.index(word) for word in words if word in NAMES}
            assert digits == {scene.first, scene.second} - {None}
            assert ("upside" in words) == scene.turned
            if "paper" in words:
                assert ("black paper" in " ".join(words)) == scene.white
    assert "an eight" in unseen_caption(Scene(1, 8, "left"))


def test_no_two_scenes_share_a_caption():
    said = {}
    for scene in [*all_scenes(), *all_scenes(held_out=True)]:
        for text in {*every_caption(scene), unseen_caption(scene)}:
            assert said.setdefault(text, scene) == scene


def test_test_wordings_are_new_and_their_words_are_not():
    training = {text for scene in all_scenes() for text in every_caption(scene)}
    words = {word for text in training for word in text.split()}
    for scene in [*all_scenes(), *all_scenes(held_out=True)]:
        assert unseen_caption(scene) not in training
        assert set(unseen_caption(scene).split()) <= words
    draws = random.Random(0)
    assert all(caption(scene, draws) in training for scene in all_scenes())


def test_the_same_draws_give_the_same_pictures():
    scenes, digits = all_scenes()[:20], load_digits("test")
    first, again = (draw_scenes(scenes, digits, random.Random(3)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == (20, 1, 16, 16)
    assert not torch.equal(first, draw_scenes(scenes, digits, random.Random(4)))


def test_what_goes_wrong_is_named():
    with pytest.raises(ValueError, match="relation 'under' is not one of"):
        Scene(1, 2, "under")
    with pytest.raises(ValueError, match="has not None as second digit"):
        Scene(1, relation="left")
    with pytest.raises(ValueError, match="has not 2 as second digit"):
        Scene(1, 2)
    nothing = Digits(torch.zeros(1, 1, 8, 8), torch.tensor([3]))
    with pytest.raises(ValueError, match="no picture of a four"):
        draw(Scene(4), digits=nothing)
    with pytest.raises(ValueError, match="alone"):
        _ = Scene(4).swapped
