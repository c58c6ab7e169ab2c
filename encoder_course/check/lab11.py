"""Checks of lab 11: one vector for a text, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception
from encoder_course.tasks.embed import pool_padded

_SHOWN = 0  # the seed of the cases that a student may see


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(1100 + seed)


def _draw(*shape: int, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# ---- lab11.1: pooling


def _pool_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    hidden = _draw(3, 6, 4, generator=generator) - 2.0  # negative: a zero would win each maximum
    keep = torch.arange(6) < torch.tensor([[6], [4], [1]])
    return {
        f"{how} of 3 texts with 6, 4 and 1 tokens": (hidden, keep, how)
        for how in ("cls", "mean", "max")
    }


def _pool_with(mean: Callable | None = None, largest: Callable | None = None) -> Callable:
    """The right poolings with another mean or another maximum."""

    def pool(hidden, keep, how):
        other = {"mean": mean, "max": largest}.get(how)
        return other(hidden, keep) if other else pool_padded(hidden, keep, how)

    return pool


pool = Exercise(
    number="lab11.1",
    title="pooling",
    difficulty=2,
    minutes=10,
    reference=pool_padded,
    cases=_pool_cases,
    hidden=_pool_cases,
    misconceptions=(
        Misconception(
            "unmasked mean",
            "`mean`: the padding counts as if it were text",
            _pool_with(mean=lambda hidden, keep: hidden.mean(dim=1)),
        ),
        Misconception(
            "divided by all",
            "`mean`: the padding adds nothing to the sum, but it is counted when you divide",
            _pool_with(mean=lambda hidden, keep: (hidden * keep[..., None]).mean(dim=1)),
        ),
        Misconception(
            "sum",
            "`mean`: this is the sum, and long texts get long vectors",
            _pool_with(mean=lambda hidden, keep: (hidden * keep[..., None]).sum(dim=1)),
        ),
        Misconception(
            "unmasked maximum",
            "`max`: the largest value may stand on the padding",
            _pool_with(largest=lambda hidden, keep: hidden.amax(dim=1)),
        ),
        Misconception(
            "maximum with zeros",
            "`max`: padding set to zero wins wherever the real values are below zero",
            _pool_with(largest=lambda hidden, keep: (hidden * keep[..., None]).amax(dim=1)),
        ),
        Misconception(
            "largest in size",
            "`max`: you look for the value farthest from zero, and the largest one is asked",
            _pool_with(
                largest=lambda hidden, keep: hidden.gather(
                    1, (hidden.abs() * keep[..., None]).argmax(dim=1, keepdim=True)
                )[:, 0]
            ),
        ),
        Misconception(
            "last for first",
            "`cls`: the first token is asked, and this is the last place of the row",
            lambda hidden, keep, how: (
                hidden[:, -1] if how == "cls" else pool_padded(hidden, keep, how)
            ),
        ),
        Misconception(
            "one for all",
            "`how` changes nothing: this is the mean each time",
            lambda hidden, keep, how: pool_padded(hidden, keep, "mean"),
        ),
    ),
    spoilers=("masked_fill", "keep[..., None]", "amax", "torch.inf"),
)


# ---- lab11.2: which programs let batch-mates in


leaks = Exercise(
    number="lab11.2",
    title="whose vector depends on its batch-mates",
    difficulty=2,
    minutes=10,
    reference={"b", "d", "e"},
    misconceptions=(
        Misconception(
            "cls is safe",
            "`d`: the first token stands in the first place, but what has it *read* there?",
            {"b", "e"},
        ),
        Misconception(
            "max is safe",
            "`e`: what if the largest value stands on the padding?",
            {"b", "d"},
        ),
        Misconception(
            "the mean only",
            "`d` and `e`: the mean is not the only way for padding to get into a vector",
            {"b"},
        ),
        Misconception(
            "packing leaks",
            "`f`: there is no padding where nothing is padded, and attention stays in a row",
            {"b", "d", "e", "f"},
        ),
        Misconception(
            "length leaks",
            "`a`: the sum and the count both go over the real tokens of the text alone",
            {"a", "b", "d", "e"},
        ),
        Misconception(
            "masked cls leaks",
            "`c`: the first token has a mask when it reads, and only the first place is taken",
            {"b", "c", "d", "e"},
        ),
        Misconception(
            "the others",
            "you name the programs that are safe: those that leak are asked",
            {"a", "c", "f"},
        ),
    ),
)


# ---- lab11.3: similarities of cut vectors


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=-1, eps=1e-12)


def _similarities(a: Tensor, b: Tensor, width: int) -> Tensor:
    return _unit(a[:, :width]) @ _unit(b[:, :width]).T


def _similarity_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    a, b = 3 * _draw(4, 6, generator=generator), _draw(3, 6, generator=generator)
    empty = a.clone()
    empty[1] = 0
    return {
        "4 texts and 3 documents, all 6 numbers": (a, b, 6),
        "4 texts and 3 documents, the first 2 numbers": (a, b, 2),
        "one text whose vector is zero, the first 4 numbers": (empty, b, 4),
    }


similarities = Exercise(
    number="lab11.3",
    title="cosines of short vectors",
    difficulty=2,
    minutes=10,
    reference=_similarities,
    cases=_similarity_cases,
    hidden=_similarity_cases,
    misconceptions=(
        Misconception(
            "dot products",
            "long vectors are nearer to everything: these are dot products",
            lambda a, b, width: a[:, :width] @ b[:, :width].T,
        ),
        Misconception(
            "length before the cut",
            "short vectors are less similar than they should be: they had length 1 before the cut,"
            " and no longer after it",
            lambda a, b, width: _unit(a)[:, :width] @ _unit(b)[:, :width].T,
        ),
        Misconception(
            "not cut",
            "`width` changes nothing",
            lambda a, b, width: _similarities(a, b, a.shape[1]),
        ),
        Misconception(
            "the last numbers",
            "you keep the last numbers of each vector, and training packs what matters into the"
            " first",
            lambda a, b, width: _similarities(
                a[:, a.shape[1] - width :], b[:, b.shape[1] - width :], width
            ),
        ),
        Misconception(
            "fewer texts",
            "`width` cuts the number of texts, and should cut each vector",
            lambda a, b, width: _unit(a[:width]) @ _unit(b[:width]).T,
        ),
        Misconception(
            "nothing by nothing",
            "a vector of zeros gives NaN: its length is 0, and you divide by it. It is like"
            " nothing, a cosine of 0",
            lambda a, b, width: (
                (a[:, :width] / a[:, :width].norm(dim=1, keepdim=True))
                @ (b[:, :width] / b[:, :width].norm(dim=1, keepdim=True)).T
            ),
        ),
        Misconception(
            "documents first",
            "the rows are the documents: a row for each text is asked",
            lambda a, b, width: _similarities(b, a, width),
        ),
        Misconception(
            "distances",
            "small for near: these are distances",
            lambda a, b, width: torch.cdist(_unit(a[:, :width]), _unit(b[:, :width])),
        ),
        Misconception(
            "columns",
            "each *number* has length 1 over the texts, and each *vector* should have it",
            lambda a, b, width: (
                F.normalize(a[:, :width], dim=0) @ F.normalize(b[:, :width], dim=0).T
            ),
        ),
    ),
    spoilers=("normalize", "clamp", "[:, :width]"),
)


# ---- lab11.4: the loss, repaired


def _twins(groups: Tensor) -> Tensor:
    return (groups[:, None] == groups) & ~torch.eye(len(groups), dtype=torch.bool)


def _loss_with(
    unit: Callable = _unit,
    scale: Callable = lambda cosines, t: cosines / t,
    twins: Callable = _twins,
    both: bool = True,
    first_right: bool = False,
) -> Callable:
    """The right loss with one part exchanged."""

    def loss(first, second, temperature, groups):
        logits = scale(unit(first) @ unit(second).T, temperature)
        logits = logits.masked_fill(twins(groups), -torch.inf)
        right = torch.zeros(len(logits), dtype=torch.long) if first_right else None
        right = torch.arange(len(logits)) if right is None else right
        there = F.cross_entropy(logits, right)
        return (there + F.cross_entropy(logits.T, right)) / 2 if both else there

    return loss


def _no_twins(groups: Tensor) -> Tensor:
    return torch.zeros(len(groups), len(groups), dtype=torch.bool)


def _as_found(first, second, temperature, groups):
    return _loss_with(
        unit=lambda vectors: F.normalize(vectors, dim=0),
        scale=lambda cosines, t: cosines * t,
        twins=_no_twins,
    )(first, second, temperature, groups)


def _zeroed(first, second, temperature, groups):
    logits = (_unit(first) @ _unit(second).T / temperature).masked_fill(_twins(groups), 0.0)
    right = torch.arange(len(logits))
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def _loss_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    first = _draw(5, 6, generator=generator)
    second = first + _draw(5, 6, generator=generator)
    lengths = torch.tensor([[0.5], [3.0], [1.0], [2.0], [4.0]], dtype=torch.float64)
    return {
        "5 pairs without twins": (first * lengths, second, 0.2, torch.arange(5)),
        "5 pairs, three of one group": (
            first,
            second * lengths,
            0.5,
            torch.tensor([2, 0, 2, 1, 2]),
        ),
    }


loss = Exercise(
    number="lab11.4",
    title="the contrastive loss",
    difficulty=4,
    minutes=20,
    reference=_loss_with(),
    cases=_loss_cases,
    hidden=_loss_cases,
    misconceptions=(
        Misconception(
            "as found",
            "nothing is repaired yet: all three faults are there",
            _as_found,
        ),
        Misconception(
            "multiplied",
            "the temperature makes the differences between cosines smaller, and should make them"
            " larger",
            _loss_with(scale=lambda cosines, t: cosines * t),
        ),
        Misconception(
            "columns",
            "a vector depends on its batch-mates: each *number* was brought to length 1 over the"
            " batch, in place of each vector",
            _loss_with(unit=lambda vectors: F.normalize(vectors, dim=0)),
        ),
        Misconception(
            "dot products",
            "long vectors count more: nothing was brought to length 1",
            _loss_with(unit=lambda vectors: vectors),
        ),
        Misconception(
            "twins",
            "pairs of one group are still each other's negatives",
            _loss_with(twins=_no_twins),
        ),
        Misconception(
            "columns and twins",
            "the temperature is right; two faults are left: what has length 1, and who counts as a"
            " negative",
            _loss_with(unit=lambda vectors: F.normalize(vectors, dim=0), twins=_no_twins),
        ),
        Misconception(
            "multiplied and twins",
            "the vectors are right; two faults are left: the temperature, and who counts as a"
            " negative",
            _loss_with(scale=lambda cosines, t: cosines * t, twins=_no_twins),
        ),
        Misconception(
            "multiplied and columns",
            "the negatives are right; two faults are left: the temperature, and what has length 1",
            _loss_with(
                scale=lambda cosines, t: cosines * t,
                unit=lambda vectors: F.normalize(vectors, dim=0),
            ),
        ),
        Misconception(
            "the right one out",
            "the loss is infinite: every pair is in its own group, so you took out the right"
            " answer as well",
            _loss_with(twins=lambda groups: groups[:, None] == groups),
        ),
        Misconception(
            "a logit of zero",
            "a logit of 0 is a choice like any other: what is out of the race has a probability"
            " of 0",
            _zeroed,
        ),
        Misconception(
            "half the twins",
            "the later of two twins spares the earlier one, and not the other way round",
            _loss_with(
                twins=lambda groups: _twins(groups) & torch.ones_like(_twins(groups)).tril()
            ),
        ),
        Misconception(
            "one direction",
            "only one of the two directions is asked: each second text should find its first, too",
            _loss_with(both=False),
        ),
        Misconception(
            "always the first",
            "the first text of the batch is right for everybody",
            _loss_with(first_right=True, twins=_no_twins),
        ),
    ),
    spoilers=("/ temperature", "dim=-1", "masked_fill", "torch.inf"),
)


# ---- lab11.5: one step of k-means


def _step_with(
    assign: Callable = lambda points, centres: torch.cdist(points, centres).argmin(dim=1),
    centre: Callable = lambda members, old: members.mean(dim=0) if len(members) else old,
    again: bool = False,
) -> Callable:
    """A step with another way to choose a group or to move a centre."""

    def step(points, centres):
        groups = assign(points, centres)
        moved = torch.stack([centre(points[groups == g], old) for g, old in enumerate(centres)])
        return (assign(points, moved) if again else groups), moved

    return step


def _step_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    points = 3 * _draw(9, 2, generator=generator)
    far = torch.tensor([[50.0, 50.0]], dtype=torch.float64)
    line = torch.tensor([[0.0], [1.0], [2.5], [3.0], [12.0]], dtype=torch.float64)
    line = line + 0.05 * _draw(5, 1, generator=generator)
    return {
        "5 points on a line, 2 centres at its left end": (line, line[:2] + 0.01),
        "9 points, 3 centres": (points, points[:3] + 0.1),
        "9 points, and a centre that nobody is near": (points, torch.cat([points[4:6], far])),
    }


kmeans_step = Exercise(
    number="lab11.5",
    title="one step of k-means",
    difficulty=3,
    minutes=12,
    reference=_step_with(),
    cases=_step_cases,
    hidden=_step_cases,
    misconceptions=(
        Misconception(
            "farthest",
            "each point goes to the centre that is farthest away",
            _step_with(assign=lambda points, centres: torch.cdist(points, centres).argmax(dim=1)),
        ),
        Misconception(
            "dot products",
            "each point goes to the centre with the largest dot product: far-out centres attract"
            " points that are nowhere near them",
            _step_with(assign=lambda points, centres: (points @ centres.T).argmax(dim=1)),
        ),
        Misconception(
            "empty is NaN",
            "a group without points has a centre of NaN, and will never get a point again: it"
            " should stay where it was",
            _step_with(centre=lambda members, old: members.mean(dim=0)),
        ),
        Misconception(
            "empty is zero",
            "a group without points jumps to the origin: it should stay where it was",
            _step_with(
                centre=lambda members, old: members.sum(dim=0) / max(len(members), 1),
            ),
        ),
        Misconception(
            "sums",
            "the centres run away: a centre is the mean of its points, not their sum",
            _step_with(
                centre=lambda members, old: members.sum(dim=0) if len(members) else old,
            ),
        ),
        Misconception(
            "old centre counts",
            "the old centre counts as one of the points of its group",
            _step_with(centre=lambda members, old: torch.cat([members, old[None]]).mean(dim=0)),
        ),
        Misconception(
            "half way",
            "the centre moves half of its way only",
            _step_with(
                centre=lambda members, old: (members.mean(dim=0) + old) / 2 if len(members) else old
            ),
        ),
        Misconception(
            "assigned again",
            "the centres are right, and the groups are those of the *next* step: the ones that"
            " these centres were made from are asked",
            _step_with(again=True),
        ),
        Misconception(
            "nobody moves",
            "the centres stay where they were",
            _step_with(centre=lambda members, old: old),
        ),
    ),
    spoilers=("cdist", "argmin", "mean(dim=0)"),
)


# ---- lab11.6: the adjusted Rand index


def _pair_counts(labels: Tensor, groups: Tensor) -> tuple[int, int, int, int]:
    """Pairs together in both, in the labels, in the groups, and all pairs."""
    same_label, same_group = (
        [bool(v[i] == v[j]) for i, j in combinations(range(len(v)), 2)] for v in (labels, groups)
    )
    both = sum(a and b for a, b in zip(same_label, same_group, strict=True))
    return both, sum(same_label), sum(same_group), comb(len(labels), 2)


def _adjusted(labels: Tensor, groups: Tensor) -> float:
    both, one, other, total = _pair_counts(labels, groups)
    luck = one * other / total
    return (both - luck) / ((one + other) / 2 - luck)


def _plain_rand(labels: Tensor, groups: Tensor) -> float:
    both, one, other, total = _pair_counts(labels, groups)
    return (total - one - other + 2 * both) / total


def _no_luck(labels: Tensor, groups: Tensor) -> float:
    both, one, other, _ = _pair_counts(labels, groups)
    return both / ((one + other) / 2)


def _most_is_all(labels: Tensor, groups: Tensor) -> float:
    both, one, other, total = _pair_counts(labels, groups)
    luck = one * other / total
    return (both - luck) / (total - luck)


def _jaccard(labels: Tensor, groups: Tensor) -> float:
    both, one, other, _ = _pair_counts(labels, groups)
    return both / (one + other - both)


def _purity(labels: Tensor, groups: Tensor) -> float:
    right = sum(labels[groups == g].bincount().max().item() for g in groups.unique())
    return right / len(labels)


def _with_itself(labels: Tensor, groups: Tensor) -> float:
    label, group = labels[:, None] == labels, groups[:, None] == groups
    both, one, other = (
        (a & b).sum().item() for a, b in ((label, group), (label, label), (group, group))
    )
    luck = one * other / len(labels) ** 2
    return (both - luck) / ((one + other) / 2 - luck)


def _rand_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    labels = torch.randint(3, (14,), generator=generator)
    noise = torch.randint(4, (14,), generator=generator)
    changed = torch.rand(14, generator=generator) < 0.35
    return {
        "labels a a a b b b, groups 4 4 0 0 0 0": (
            torch.tensor([0, 0, 0, 1, 1, 1]),
            torch.tensor([4, 4, 0, 0, 0, 0]),
        ),
        "14 texts, 3 labels, 4 groups": (labels, torch.where(changed, noise, (labels + 1) % 4)),
        "20 texts, groups by luck": tuple(torch.randint(3, (2, 20), generator=generator)),
    }


adjusted_rand = Exercise(
    number="lab11.6",
    title="agreement beyond luck",
    difficulty=3,
    minutes=15,
    reference=_adjusted,
    cases=_rand_cases,
    hidden=_rand_cases,
    misconceptions=(
        Misconception(
            "same number",
            "you compare the numbers themselves: group 4 may well be label 0, and no name has to"
            " match",
            lambda labels, groups: (labels == groups).double().mean().item(),
        ),
        Misconception(
            "not adjusted",
            "groups by luck get far more than 0: pairs that are apart in both count, and there are"
            " always many",
            _plain_rand,
        ),
        Misconception(
            "no luck",
            "groups by luck get more than 0: some pairs are together in both by chance",
            _no_luck,
        ),
        Misconception(
            "out of all pairs",
            "even perfect groups do not get 1: not every pair can be together, only those that the"
            " labels or the groups hold",
            _most_is_all,
        ),
        Misconception(
            "shared of either",
            "pairs together in both out of pairs together in either: no luck is subtracted there",
            _jaccard,
        ),
        Misconception(
            "purity",
            "the share of texts with the most frequent label of their group: a group for each text"
            " would be perfect",
            _purity,
        ),
        Misconception(
            "itself",
            "each text is together with itself, and you count that as a pair",
            _with_itself,
        ),
        Misconception(
            "percent",
            "this is a hundred times too large",
            lambda labels, groups: 100 * _adjusted(labels, groups),
        ),
    ),
    spoilers=("one * other", "/ total", "comb("),
)
