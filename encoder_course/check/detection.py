"""Checks of notebook 06: replaced token detection."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception


def _forge(ids: Tensor, asked: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    forged = torch.where(asked, drawn, ids)
    return forged, forged != ids


def _forge_cases():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 20, (3, 8), generator=generator)
    asked = torch.rand(3, 8, generator=generator) < 0.5
    drawn = torch.randint(5, 20, (3, 8), generator=generator)
    drawn[:, ::3] = ids[:, ::3]  # some draws are lucky
    by_hand = (
        torch.tensor([[7, 8, 9, 10]]),
        torch.tensor([[False, True, True, False]]),
        torch.tensor([[11, 8, 12, 13]]),
    )
    return {"4 tokens, one of 2 draws lucky": by_hand, "3 rows of 8": (ids, asked, drawn)}


forge = Exercise(
    number="6.1",
    title="forge",
    difficulty=2,
    minutes=10,
    reference=_forge,
    cases=_forge_cases,
    misconceptions=(
        Misconception(
            "lucky draws",
            "a draw that hits the original is called replaced, although nobody could see a"
            " difference",
            lambda ids, asked, drawn: (torch.where(asked, drawn, ids), asked),
        ),
        Misconception(
            "everywhere",
            "tokens that were never masked are forged as well",
            lambda ids, asked, drawn: (drawn, drawn != ids),
        ),
        Misconception(
            "judged by the draw",
            "tokens that kept their place are called replaced, because a draw that was not used"
            " differs from them",
            lambda ids, asked, drawn: (torch.where(asked, drawn, ids), drawn != ids),
        ),
        Misconception(
            "upside down",
            "original and replaced have changed places: True stands where the token was replaced",
            lambda ids, asked, drawn: (_forge(ids, asked, drawn)[0], ~_forge(ids, asked, drawn)[1]),
        ),
        Misconception(
            "wrong side",
            "the draws stand where nothing was masked, and the masked places kept their originals",
            lambda ids, asked, drawn: _forge(ids, ~asked, drawn),
        ),
    ),
    spoilers=("torch.where", "forged != ids", "masked_scatter"),
)


share = Exercise(
    number="6.2",
    title="how many are forged",
    difficulty=1,
    minutes=5,
    reference=0.09,
    misconceptions=(
        Misconception("all masked", "some draws hit the original, and count as original", 0.15),
        Misconception("the lucky ones", "this is the share of tokens with a *lucky* draw", 0.06),
        Misconception(
            "of the masked", "this is their share among the masked tokens, not among all", 0.6
        ),
        Misconception("lucky of the masked", "this is how often the generator is right", 0.4),
        Misconception("original", "this is the share of tokens that are original", 0.91),
    ),
)


def _detection(scores: Tensor, replaced: Tensor, keep: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores[keep], replaced[keep].float())


def _detection_cases():
    generator = torch.Generator().manual_seed(1)
    scores = 2 * torch.randn(3, 6, generator=generator)
    replaced = torch.rand(3, 6, generator=generator) < 0.3
    keep = torch.arange(6) < torch.tensor([[6], [4], [3]])
    row = (
        torch.tensor([[2.0, -1.0, 0.0, -3.0]]),
        torch.tensor([[True, False, True, False]]),
        torch.tensor([[True, True, True, False]]),
    )
    return {"4 tokens, the last one padding": row, "3 rows": (scores, replaced & keep, keep)}


detection = Exercise(
    number="6.3",
    title="the loss of the discriminator",
    difficulty=3,
    minutes=15,
    reference=_detection,
    cases=_detection_cases,
    misconceptions=(
        Misconception(
            "replaced only",
            "only replaced tokens count: calling everything a forgery would be perfect",
            lambda scores, replaced, keep: F.softplus(-scores[replaced]).mean(),
        ),
        Misconception(
            "padding counts",
            "padding is judged as well, and there is nothing to learn from it",
            lambda scores, replaced, keep: F.binary_cross_entropy_with_logits(
                scores, replaced.float()
            ),
        ),
        Misconception(
            "padding in the mean",
            "padding adds nothing to the sum, but it is still counted when the mean is taken",
            lambda scores, replaced, keep: (
                F.binary_cross_entropy_with_logits(scores, replaced.float(), reduction="none")
                * keep
            ).mean(),
        ),
        Misconception(
            "sum",
            "long rows and large batches cost more: the mean over tokens is asked for",
            lambda scores, replaced, keep: F.binary_cross_entropy_with_logits(
                scores[keep], replaced[keep].float(), reduction="sum"
            ),
        ),
        Misconception(
            "upside down",
            "a high score is rewarded for original tokens, and it should mean replaced",
            lambda scores, replaced, keep: F.binary_cross_entropy_with_logits(
                scores[keep], 1 - replaced[keep].float()
            ),
        ),
        Misconception(
            "twice a sigmoid",
            "the scores went through a sigmoid before a loss that takes one itself",
            lambda scores, replaced, keep: F.binary_cross_entropy_with_logits(
                scores[keep].sigmoid(), replaced[keep].float()
            ),
        ),
        Misconception(
            "squared",
            "this is the squared error of the probabilities: certain and wrong hardly hurts",
            lambda scores, replaced, keep: (
                (scores[keep].sigmoid() - replaced[keep].float()) ** 2
            ).mean(),
        ),
    ),
    spoilers=("binary_cross_entropy", "softplus", "logsigmoid"),
)


def _always(replaced: Tensor, keep: Tensor) -> float:
    return (~replaced[keep]).float().mean().item()


always = Exercise(
    number="6.4",
    title="who never suspects anybody",
    difficulty=1,
    minutes=5,
    reference=_always,
    cases=lambda: {name: case[1:] for name, case in _detection_cases().items()},
    misconceptions=(
        Misconception(
            "padding counts",
            "padding is counted, and makes the baseline look better than it is",
            lambda replaced, keep: (~replaced).float().mean().item(),
        ),
        Misconception(
            "the other one",
            "this is the accuracy of calling every token a forgery",
            lambda replaced, keep: replaced[keep].float().mean().item(),
        ),
        Misconception(
            "a coin",
            "a coin would be right half of the time, but the two kinds are not equally frequent",
            lambda replaced, keep: 0.5,
        ),
        Misconception(
            "mean of rows",
            "a short row weighs as much as a long one: count tokens, not rows",
            lambda replaced, keep: (
                ((~replaced & keep).sum(-1) / keep.sum(-1)).mean().item()
                if len(keep) > 1
                else (~replaced & keep).float().mean().item()
            ),
        ),
    ),
    spoilers=("~replaced", "1 - replaced"),
)


work = Exercise(
    number="6.5",
    title="the work of a layer",
    difficulty=2,
    minutes=5,
    reference=60_000,
    misconceptions=(
        Misconception("forward", "that is the forward pass alone", 20_000),
        Misconception(
            "multiply-adds", "a multiplication and an addition are two operations, not one", 30_000
        ),
        Misconception(
            "one gradient",
            "backward makes two products: one for the weights' gradient, one for the input's",
            40_000,
        ),
        Misconception("one token", "every token goes through the layer", 6_000),
        Misconception("multiply-adds forward", "count both operations, and both passes", 10_000),
    ),
)
