"""Pictures of one or two digits with captions that say what is in them, and where."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from encoder_course.data.digits import Digits

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIDE = 16  # pixels of a scene in height and width; a digit has 8
STEPS = (0, 4, 8)  # pixels from the edge where a digit may begin
RELATIONS = ("alone", "left", "above")
# Each digit of the training scenes is upright or upside down, black or white; never both changed.
HELD_OUT = (True, True)  # turned, white

TURNED = {False: ("", "upright"), True: ("upside down", "turned upside down")}
WHITE = {
    False: ("", "black on white", "in black ink on white paper"),
    True: ("white on black", "in white ink on black paper"),
}
SAID = {
    "alone": ("a {a}", "the digit {a}", "a picture of a {a}"),
    "left": (
        "a {a} left of a {b}",
        "a {b} right of a {a}",
        "a {a} on the left and a {b} on the right",
    ),
    "above": (
        "a {a} above a {b}",
        "a {b} below a {a}",
        "a {a} at the top and a {b} at the bottom",
    ),
}
# Wordings that no training caption has, of words that training captions have; the style first.
UNSEEN_TURNED = {False: "upright", True: "upside down"}
UNSEEN_WHITE = {False: "on white paper in black ink", True: "on black paper in white ink"}
UNSEEN = {
    "alone": "a picture of the digit {a}",
    "left": "on the right a {b} and on the left a {a}",
    "above": "at the bottom a {b} and at the top a {a}",
}


@dataclass(frozen=True)
class Scene:
    """What a picture means: its digits, how they stand to each other, and in which style.

    With the relation "left", `first` stands left of `second`, with "above" above it. Upside down,
    each digit is turned in its own place. ValueError for another relation, and for a second digit
    that the relation does not want, or lacks.
    """

    first: int
    second: int | None = None
    relation: str = "alone"
    turned: bool = False
    white: bool = False

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise ValueError(f"relation {self.relation!r} is not one of {RELATIONS}")
        if (self.second is None) != (self.relation == "alone"):
            raise ValueError(f"a scene {self.relation!r} has not {self.second} as second digit")

    @property
    def held_out(self) -> bool:
        """Whether it is of the combination that no training scene has."""
        return (self.turned, self.white) == HELD_OUT

    @property
    def swapped(self) -> Scene:
        """The same with its digits exchanged. ValueError for a digit alone."""
        if self.second is None:
            raise ValueError("a digit alone has nothing to be exchanged with")
        return replace(self, first=self.second, second=self.first)


def all_scenes(held_out: bool = False) -> list[Scene]:
    """Every scene with two different digits or one, of the training styles or the one held out."""
    styles = [(turned, white) for turned in (False, True) for white in (False, True)]
    styles = [style for style in styles if (style == HELD_OUT) == held_out]
    pairs = [("alone", a, None) for a in range(10)] + [
        (relation, a, b)
        for relation in RELATIONS[1:]
        for a in range(10)
        for b in range(10)
        if a != b
    ]
    return [Scene(a, b, relation, *style) for relation, a, b in pairs for style in styles]


def caption(scene: Scene, draws: random.Random) -> str:
    """One of the training wordings, drawn."""
    what = _fill(draws.choice(SAID[scene.relation]), scene)
    style = [draws.choice(TURNED[scene.turned]), draws.choice(WHITE[scene.white])]
    draws.shuffle(style)
    return " , ".join(part for part in [what, *style] if part)


def unseen_caption(scene: Scene) -> str:
    """The wording that is kept for tests."""
    what = _fill(UNSEEN[scene.relation], scene)
    return f"{UNSEEN_WHITE[scene.white]} , {UNSEEN_TURNED[scene.turned]} , {what}"


def every_caption(scene: Scene) -> Iterator[str]:
    """All training wordings of one scene."""
    for said in SAID[scene.relation]:
        for turned in TURNED[scene.turned]:
            for white in WHITE[scene.white]:
                for style in {(turned, white), (white, turned)}:
                    yield " , ".join(part for part in (_fill(said, scene), *style) if part)


def draw_scenes(
    scenes: Sequence[Scene], digits: Digits, draws: random.Random
) -> Float[Tensor, "B 1 16 16"]:
    """A picture for each scene, of digits drawn from `digits`, not always in line.

    ValueError where `digits` has no picture of a digit that is asked for.
    """
    rows = {name: (digits.labels == name).nonzero().flatten().tolist() for name in range(10)}
    canvas = torch.zeros(len(scenes), 1, SIDE, SIDE)
    for picture, scene in zip(canvas, scenes, strict=True):
        for digit, (top, left) in zip(
            filter(lambda name: name is not None, (scene.first, scene.second)),
            _places(scene.relation, draws),
            strict=True,
        ):
            if not rows[digit]:
                raise ValueError(f"there is no picture of a {NAMES[digit]} among the digits")
            image = digits.images[draws.choice(rows[digit])]  # (1, 8, 8)
            image = image.flip(1, 2) if scene.turned else image
            picture[:, top : top + 8, left : left + 8] = image
        if scene.white:
            picture.copy_(1 - picture)
    return canvas


def _places(relation: str, draws: random.Random) -> list[tuple[int, int]]:
    """Upper left corners of the digits."""
    if relation == "alone":
        return [(draws.choice(STEPS), draws.choice(STEPS))]
    ends = [(draws.choice(STEPS), 0), (draws.choice(STEPS), 8)]
    return ends if relation == "left" else [(column, row) for row, column in ends]


def _fill(said: str, scene: Scene) -> str:
    second = "" if scene.second is None else NAMES[scene.second]
    said = said.format(a=NAMES[scene.first], b=second)
    return said.replace("a eight", "an eight")
