"""Checks of notebook 14: autoencoders and variational autoencoders."""

from __future__ import annotations

import torch
from torch import Tensor

from encoder_course.check.base import Exercise, Misconception
from encoder_course.nn.autoencoder import kl as _kl


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def _sample(mean: Tensor, log_variance: Tensor, standard: Tensor) -> Tensor:
    return mean + (log_variance / 2).exp() * standard


sample = Exercise(
    number="14.1",
    title="a draw from a cloud",
    difficulty=2,
    minutes=10,
    reference=_sample,
    cases=lambda: {
        "one cloud of 2 latents": (
            torch.tensor([[1.0, -2.0]]),
            torch.tensor([[0.5, -1.5]]),
            torch.tensor([[0.7, -1.2]]),
        ),
        "3 clouds of 4 latents": (_draw(3, 4), _draw(3, 4, seed=1), _draw(3, 4, seed=2)),
    },
    misconceptions=(
        Misconception(
            "variance",
            "the draws spread too far where the variance is above 1 and too little where it is"
            " below: what stretches a standard normal is its standard deviation",
            lambda mean, log_variance, standard: mean + log_variance.exp() * standard,
        ),
        Misconception(
            "log variance",
            "the spread can be negative: the encoder gives the *logarithm* of the variance",
            lambda mean, log_variance, standard: mean + log_variance * standard,
        ),
        Misconception(
            "half the log",
            "the spread can be negative: half of a logarithm is a logarithm still",
            lambda mean, log_variance, standard: mean + log_variance / 2 * standard,
        ),
        Misconception(
            "no draw",
            "every draw is the mean: this is the autoencoder again, whose code is a point",
            lambda mean, log_variance, standard: mean + 0 * standard,
        ),
        Misconception(
            "not moved",
            "all clouds have their centre at 0: the draws are stretched and not moved",
            lambda mean, log_variance, standard: (log_variance / 2).exp() * standard,
        ),
        Misconception(
            "mean stretched",
            "the mean is stretched as well: move after stretching, not before",
            lambda mean, log_variance, standard: (mean + standard) * (log_variance / 2).exp(),
        ),
        Misconception(
            "narrow for wide",
            "wide clouds give narrow draws and narrow ones wide draws: you divide by the spread",
            lambda mean, log_variance, standard: mean + standard / (log_variance / 2).exp(),
        ),
    ),
    spoilers=("/ 2).exp", "0.5 *", "exp(0.5"),
)


distance = Exercise(
    number="14.2",
    title="the price of a cloud",
    difficulty=1,
    minutes=5,
    reference=2.0,
    misconceptions=(
        Misconception("no half", "the squared mean is divided by two as well", 4.0),
        Misconception(
            "only the spread",
            "a cloud of the right width in the wrong place is not the standard normal",
            0.0,
        ),
        Misconception("root", "the mean enters with its square, not as it is", 1.0),
        Misconception("sign", "no distribution is nearer to another than not at all", -2.0),
        Misconception("variance counted", "a variance of 1 costs nothing: its terms cancel", 2.5),
    ),
)


def _half_forgotten(mean: Tensor, log_variance: Tensor) -> Tensor:
    return mean**2 + log_variance.exp() - 1 - log_variance


divergence = Exercise(
    number="14.3",
    title="the KL divergence",
    difficulty=2,
    minutes=10,
    reference=_kl,
    cases=lambda: {
        "the standard normal, and two others": (
            torch.tensor([[0.0, 2.0, 0.5]]),
            torch.tensor([[0.0, 0.0, -1.0]]),
        ),
        "3 clouds of 4 latents": (_draw(3, 4), _draw(3, 4, seed=1)),
    },
    misconceptions=(
        Misconception(
            "no half",
            "it is twice too large everywhere: one constant is missing",
            _half_forgotten,
        ),
        Misconception(
            "upside down",
            "it is negative: as a loss, it would push the clouds away from the standard normal",
            lambda mean, log_variance: -_kl(mean, log_variance),
        ),
        Misconception(
            "no mean",
            "clouds in different places cost the same: nothing draws them to the centre",
            lambda mean, log_variance: _kl(torch.zeros_like(mean), log_variance),
        ),
        Misconception(
            "only the mean",
            "the width of a cloud costs nothing, so that it may shrink to a point",
            lambda mean, log_variance: mean**2 / 2,
        ),
        Misconception(
            "not squared",
            "a negative mean makes it cheaper: places left and right of 0 must cost the same",
            lambda mean, log_variance: (mean + log_variance.exp() - 1 - log_variance) / 2,
        ),
        Misconception(
            "deviation for variance",
            "`log_variance` is used as if it were the logarithm of the standard deviation",
            lambda mean, log_variance: _kl(mean, 2 * log_variance),
        ),
        Misconception(
            "no logarithm",
            "a cloud of no width at all would be cheapest: the term that forbids it is missing",
            lambda mean, log_variance: (mean**2 + log_variance.exp() - 1) / 2,
        ),
        Misconception(
            "summed",
            "one price for each latent is asked for, and you have added them up",
            lambda mean, log_variance: _kl(mean, log_variance).sum(dim=-1),
        ),
        Misconception(
            "averaged",
            "one price for each latent is asked for, and you have averaged them",
            lambda mean, log_variance: _kl(mean, log_variance).mean(dim=-1),
        ),
    ),
    spoilers=("mean**2 + log_variance.exp()", "exp() - 1 - log_variance", "/ 2"),
)


def _loss(cost: Tensor, clouds: Tensor) -> Tensor:
    return cost.sum(dim=-1).mean() + clouds.sum(dim=-1).mean()


loss = Exercise(
    number="14.4",
    title="one loss of two",
    difficulty=3,
    minutes=10,
    reference=_loss,
    cases=lambda: {
        "2 pictures of 3 pixels, 2 latents": (
            torch.tensor([[1.0, 2.0, 0.5], [4.0, 0.0, 1.0]]),
            torch.tensor([[0.3, 0.1], [0.0, 2.0]]),
        ),
        "5 pictures of 6 pixels, 3 latents": (_draw(5, 6) ** 2, _draw(5, 3) ** 2),
    },
    misconceptions=(
        Misconception(
            "mean over pixels",
            "a picture costs as much as one of its pixels, while all of its latents count: the"
            " clouds weigh too much, and they will collapse",
            lambda cost, clouds: cost.mean() + clouds.sum(dim=-1).mean(),
        ),
        Misconception(
            "mean over latents",
            "all pixels count, and only one latent: the clouds weigh too little",
            lambda cost, clouds: cost.sum(dim=-1).mean() + clouds.mean(),
        ),
        Misconception(
            "both means",
            "both parts are averaged over different things, 64 pixels here and a few latents"
            " there, and their balance is lost",
            lambda cost, clouds: cost.mean() + clouds.mean(),
        ),
        Misconception(
            "sum over the batch",
            "the loss grows with the number of pictures in the batch, and with it every step",
            lambda cost, clouds: cost.sum() + clouds.sum(),
        ),
        Misconception(
            "subtracted",
            "the clouds are paid to leave the standard normal: both parts are costs",
            lambda cost, clouds: cost.sum(dim=-1).mean() - clouds.sum(dim=-1).mean(),
        ),
        Misconception(
            "reconstruction alone",
            "the clouds cost nothing: this trains an autoencoder whose noise shrinks to 0",
            lambda cost, clouds: cost.sum(dim=-1).mean() + 0 * clouds.sum(),
        ),
    ),
    spoilers=("sum(dim=-1).mean()", "sum(-1).mean()"),
)


def _line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    share = torch.linspace(0, 1, steps)[:, None]  # (steps, 1)
    return (1 - share) * start + share * end  # (steps, Z)


line = Exercise(
    number="14.5",
    title="a walk between two codes",
    difficulty=2,
    minutes=10,
    reference=_line,
    cases=lambda: {
        "5 steps from (0, 0) to (4, -2)": (torch.zeros(2), torch.tensor([4.0, -2.0]), 5),
        "7 steps in 3 latents": (_draw(3), _draw(3, seed=1), 7),
    },
    misconceptions=(
        Misconception(
            "end left out",
            "the walk stops one step before its end",
            lambda start, end, steps: _line(start, end, steps + 1)[:-1],
        ),
        Misconception(
            "start left out",
            "the walk begins one step after its start",
            lambda start, end, steps: _line(start, end, steps + 1)[1:],
        ),
        Misconception(
            "both left out",
            "the walk has neither its start nor its end",
            lambda start, end, steps: _line(start, end, steps + 2)[1:-1],
        ),
        Misconception(
            "backwards",
            "the walk goes from the end to the start",
            lambda start, end, steps: _line(end, start, steps),
        ),
        Misconception(
            "moved by the end",
            "the walk goes past its end: what is added to the start must be the difference",
            lambda start, end, steps: start + torch.linspace(0, 1, steps)[:, None] * end,
        ),
        Misconception(
            "transposed",
            "steps and latents have changed places",
            lambda start, end, steps: _line(start, end, steps).T,
        ),
    ),
    spoilers=("linspace", "lerp"),
)
