"""Checks of lab 08: a router for a help desk, and an honest account of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception

_SHOWN = 0  # the seed of the cases that a student may see
Number = int | float


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(8000 + seed)


def _draw(*shape: int, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _whole(low: int, high: int, generator: Generator) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


# ---- lab08.1: the loss of a softmax regression, and its gradient


def _loss_with(
    *,
    softmax: Callable[[Tensor], Tensor] = lambda scores: scores.softmax(dim=1),
    total: bool = False,
    gradient_total: bool = False,
    held: Number = 0.5,
    pull: Number = 1,
    sign: int = 1,
) -> Callable:
    """Loss and gradient; `held` and `pull` are the factors of the penalty in the two."""

    def loss_and_gradient(weights, rows, labels, penalty):
        shares = softmax(rows @ weights)  # (N, C)
        true = F.one_hot(labels, weights.shape[1]).double()
        surprise = -shares[torch.arange(len(labels)), labels].clamp_min(1e-300).log()
        loss = surprise.sum() if total else surprise.mean()
        gradient = rows.T @ (shares - true)  # (D, C)
        if not (total or gradient_total):
            gradient = gradient / len(rows)
        loss = loss + held * penalty * weights.square().sum()
        return loss.item(), sign * (gradient + pull * penalty * weights)

    return loss_and_gradient


def _loss_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for penalty in (0.5, 0.0):
        count, width, classes = (_whole(low, low + 2, generator) for low in (5, 3, 3))
        labels = torch.randint(classes, (count,), generator=generator)
        cases[f"{count} rows of {width}, {classes} classes, penalty {penalty}"] = (
            _draw(width, classes, generator=generator),
            _draw(count, width, generator=generator),
            labels,
            penalty,
        )
    return cases


loss_and_gradient = Exercise(
    number="lab08.1",
    title="loss and gradient",
    difficulty=3,
    minutes=20,
    reference=_loss_with(),
    cases=_loss_cases,
    hidden=_loss_cases,
    misconceptions=(
        Misconception(
            "sums",
            "loss and gradient grow with the number of texts: a penalty would then mean something"
            " else for each size of training set",
            _loss_with(total=True),
        ),
        Misconception(
            "gradient of the sum",
            "the loss is a mean over the texts, and the gradient belongs to their sum",
            _loss_with(gradient_total=True),
        ),
        Misconception(
            "no penalty",
            "without a penalty both are right, and with one nothing changes: where is it?",
            _loss_with(held=0, pull=0),
        ),
        Misconception(
            "penalty in the loss only",
            "the loss has its penalty, and the gradient does not know about it: the weights would"
            " never shrink",
            _loss_with(pull=0),
        ),
        Misconception(
            "penalty in the gradient only",
            "the gradient pulls the weights to zero, and the loss does not know why",
            _loss_with(held=0),
        ),
        Misconception(
            "no half",
            "the loss has twice the penalty that it should, and the gradient the right one: compare"
            " with the formula",
            _loss_with(held=1),
        ),
        Misconception(
            "gradient of twice the penalty",
            "the pull on the weights is twice as strong as the loss says: differentiate the half of"
            " a square",
            _loss_with(pull=2),
        ),
        Misconception(
            "downhill",
            "the sign of the gradient is turned: it points to where the loss *grows*, and whoever"
            " minimises walks against it",
            _loss_with(sign=-1),
        ),
        Misconception(
            "over the texts",
            "the probabilities of one text do not sum to 1, but those of one class over all texts"
            " do",
            _loss_with(softmax=lambda scores: scores.softmax(dim=0)),
        ),
        Misconception(
            "each class alone",
            "each class has a probability of its own, whatever the others have: only one desk"
            " answers, so the classes share one sum",
            _loss_with(softmax=lambda scores: scores.sigmoid()),
        ),
    ),
    spoilers=("softmax(dim=1)", "one_hot", "/ len("),
)


# ---- lab08.2: a confusion matrix and what to read off it


def _share(part: Tensor, whole: Tensor) -> Tensor:
    return torch.where(whole > 0, part / whole.clamp_min(1), 0.0)


def _parts(confusion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Precision, recall and F1 of each class."""
    right, true, said = confusion.diagonal(), confusion.sum(dim=1), confusion.sum(dim=0)
    return _share(right, said), _share(right, true), _share(2 * right, true + said)


def _read(confusion: Tensor) -> tuple[Tensor, Tensor, float]:
    precision, recall, each = _parts(confusion)
    return precision, recall, each.mean().item()


def _with_macro(macro: Callable[[Tensor], Tensor]) -> Callable:
    return lambda confusion: (*_read(confusion)[:2], macro(confusion).item())


def _of_means(confusion: Tensor) -> Tensor:
    precision, recall = (part.mean() for part in _parts(confusion)[:2])
    return 2 * precision * recall / (precision + recall)


def _named_only(confusion: Tensor) -> Tensor:
    return _parts(confusion)[2][confusion.sum(dim=0) > 0].mean()


def _matrix_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed + 100)
    full = torch.randint(1, 9, (3, 3), generator=generator) + 6 * torch.eye(3).long()
    full[0] += 5  # classes of unequal size
    silent = torch.randint(1, 9, (4, 4), generator=generator)
    silent[:, 2] = 0  # a class that is never named
    return {"three classes": (full.double(),), "four, one is never named": (silent.double(),)}


read_matrix = Exercise(
    number="lab08.2",
    title="reading a confusion matrix",
    difficulty=2,
    minutes=15,
    reference=_read,
    cases=_matrix_cases,
    hidden=_matrix_cases,
    misconceptions=(
        Misconception(
            "turned",
            "what you call precision is recall, and the other way round: a row is a true class, a"
            " column what was said",
            lambda confusion: _read(confusion.T),
        ),
        Misconception(
            "F1 of the means",
            "precision and recall are right; you took their means first and F1 of these last: each"
            " class is to have its own F1",
            _with_macro(_of_means),
        ),
        Misconception(
            "plain mean",
            "precision and recall are right; F1 is not their plain mean: a class that is never"
            " found must not get half marks for being precise",
            _with_macro(lambda c: sum(_parts(c)[:2]).mean() / 2),
        ),
        Misconception(
            "weighted",
            "precision and recall are right; you weighted the classes by their size, and macro"
            " means that a rare one counts as much",
            _with_macro(lambda c: (_parts(c)[2] * c.sum(dim=1)).sum() / c.sum()),
        ),
        Misconception(
            "never named left out",
            "the class that is never named is missing from the mean: that is how a classifier would"
            " be praised for giving up a class",
            _with_macro(_named_only),
        ),
        Misconception(
            "accuracy",
            "precision and recall are right; the third number is the share that is right, over all"
            " classes together",
            _with_macro(lambda c: c.diagonal().sum() / c.sum()),
        ),
        Misconception(
            "shares of everything",
            "you divided by all texts: precision is a share of what was *said*, recall a share of"
            " what is *true*",
            lambda c: (c.diagonal() / c.sum(), c.diagonal() / c.sum(), _read(c)[2]),
        ),
    ),
    spoilers=("sum(dim=0)", "sum(dim=1)", "diagonal"),
)


# ---- lab08.3: what can change

_ALL = {"accuracy", "macro-F1", "calibration error"}
_CHANGES = {
    "temperature": {"calibration error"},
    "constant": set(),
    "one class": _ALL,
    "twice": set(),
}


def _believing(**others: set[str]) -> dict[str, set[str]]:
    return {**_CHANGES, **{name.replace("_", " "): metrics for name, metrics in others.items()}}


changes = Exercise(
    number="lab08.3",
    title="what can change",
    difficulty=2,
    minutes=8,
    reference=_CHANGES,
    misconceptions=(
        Misconception(
            "temperature does everything",
            "`temperature`: which score is the largest, before and after?",
            _believing(temperature=_ALL),
        ),
        Misconception(
            "temperature does nothing",
            "`temperature`: what the classifier says stays, but what does it claim?",
            _believing(temperature=set()),
        ),
        Misconception(
            "constant makes surer",
            "`constant`: write the softmax down with a constant in each exponent. Does it cancel?",
            _believing(constant={"calibration error"}),
        ),
        Misconception(
            "constant changes answers",
            "`constant`: the same number on all classes: which of them overtakes another?",
            _believing(constant=_ALL),
        ),
        Misconception(
            "one class changes no answer",
            "`one class`: a class that was a close second now may come first",
            _believing(one_class={"calibration error"}),
        ),
        Misconception(
            "one class keeps calibration",
            "`one class`: the softmax sees differences of scores, and these change",
            _believing(one_class={"accuracy", "macro-F1"}),
        ),
        Misconception(
            "twice is better",
            "`twice`: all these metrics are shares, and above and below the line all is doubled",
            _believing(twice=_ALL),
        ),
        Misconception(
            "twice calibrates",
            "`twice`: each range of confidence has twice the answers, and the same mean and share",
            _believing(twice={"calibration error"}),
        ),
    ),
)


# ---- lab08.4: an evaluation that leaks


def ridge(rows: Tensor, labels: Tensor, penalty: Number) -> Callable[[Tensor], Tensor]:
    """A small classifier with a closed form: from rows to probabilities of class 1."""
    square = rows.T @ rows + penalty * torch.eye(rows.shape[1], dtype=rows.dtype)
    weights = torch.linalg.solve(square, rows.T @ (2 * labels - 1))
    return lambda asked: (3 * asked @ weights).sigmoid()


def _surprise(model: Callable, rows: Tensor, labels: Tensor) -> float:
    return F.binary_cross_entropy(model(rows), labels).item()


def _scaler(rows: Tensor) -> Callable[[Tensor], Tensor]:
    mean, spread = rows.mean(dim=0), rows.std(dim=0)
    return lambda others: (others - mean) / spread


def _evaluate_with(*faults: str) -> Callable:
    """The evaluation with some of its faults: "scale", "choice" and "seen"."""

    def evaluate(fit, train_rows, train_labels, test_rows, test_labels, penalties):
        cut = 3 * len(train_rows) // 4
        fitted = train_rows if "seen" in faults else train_rows[:cut]
        labels = train_labels if "seen" in faults else train_labels[:cut]
        asked = (train_rows[cut:], train_labels[cut:])
        if "choice" in faults:
            asked = (test_rows, test_labels)
        everything = torch.cat([train_rows, test_rows])
        scale = _scaler(everything if "scale" in faults else fitted)
        last = _scaler(everything if "scale" in faults else train_rows)
        losses = [
            _surprise(fit(scale(fitted), labels, penalty), scale(asked[0]), asked[1])
            for penalty in penalties
        ]
        penalty = penalties[losses.index(min(losses))]
        model = fit(last(train_rows), train_labels, penalty)
        return penalty, min(losses), _surprise(model, last(test_rows), test_labels)

    return evaluate


def _evaluation_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed + 200)
    cases = {}
    for count in (24, 40):
        width = _whole(5, 7, generator)
        rows = 2 * _draw(count + 16, width, generator=generator) + 1
        rows[count:] = 3 * rows[count:] - 2  # the test is another hand's
        noise = _draw(count + 16, generator=generator)
        labels = (rows[:, 0] + rows[:, 1] + 2 * noise > 2).double()
        cases[f"{count} rows to train, 16 to test, width {width}"] = (
            ridge,
            rows[:count],
            labels[:count],
            rows[count:],
            labels[count:],
            [0.1, 1.0, 10.0, 100.0],
        )
    return cases


_FAULTS = {
    "scale": "mean and spread have seen the test rows",
    "choice": "the penalty is chosen on the test rows",
    "seen": "the rows that choose the penalty have been learnt before",
}


def _remaining() -> list[Misconception]:
    """One for each set of faults that may be left."""
    found = []
    for count in (3, 2, 1):
        for left in combinations(_FAULTS, count):
            message = f"{count} left of 3 faults: " + "; ".join(_FAULTS[name] for name in left)
            found.append(Misconception(" and ".join(left), message, _evaluate_with(*left)))
    return found


evaluate = Exercise(
    number="lab08.4",
    title="without leaks",
    difficulty=3,
    minutes=17,
    reference=_evaluate_with(),
    cases=_evaluation_cases,
    hidden=_evaluation_cases,
    misconceptions=(*_remaining(),),
    spoilers=("train_rows[:cut]", "train_rows[cut:]"),
)


# ---- lab08.5: when to answer, and when to hand over


def _answered(sure: Tensor, right: Tensor, threshold: Number) -> Tensor:
    return right[sure >= threshold]


def _threshold_with(
    good: Callable[[Tensor, Tensor, Number, Number], bool],
    pick: Callable[[Sequence[Number]], Number] = min,
) -> Callable:
    def threshold_for(sure, right, wanted):
        found = [t for t in sorted(set(sure.tolist())) if good(sure, right, t, wanted)]
        return pick(found) if found else math.inf

    return threshold_for


def _is_good(sure: Tensor, right: Tensor, threshold: Number, wanted: Number) -> bool:
    return _answered(sure, right, threshold).mean().item() >= wanted - 1e-9


def _strictly(sure: Tensor, right: Tensor, threshold: Number, wanted: Number) -> bool:
    above = right[sure > threshold]
    return len(above) > 0 and above.mean().item() >= wanted - 1e-9


def _of_all(sure: Tensor, right: Tensor, threshold: Number, wanted: Number) -> bool:
    return _answered(sure, right, threshold).sum().item() >= (wanted - 1e-9) * len(right)


def _until_it_dips(sure: Tensor, right: Tensor, wanted: Number) -> Number:
    last = math.inf
    for threshold in sorted(set(sure.tolist()), reverse=True):
        if not _is_good(sure, right, threshold, wanted):
            break
        last = threshold
    return last


def _coverage(sure: Tensor, right: Tensor, wanted: Number) -> float:
    return (sure >= _threshold_with(_is_good)(sure, right, wanted)).double().mean().item()


def _one_by_one(sure: Tensor, right: Tensor, wanted: Number) -> Number:
    """Ties taken apart: as if of two equally sure answers one could be given without the other."""
    order = sure.argsort(descending=True, stable=True)
    shares = right[order].cumsum(0) / torch.arange(1, len(right) + 1)
    good = (shares >= wanted - 1e-9).nonzero().flatten()
    return sure[order][good[-1]].item() if len(good) else math.inf


def _threshold_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed + 300)
    dips = torch.tensor([0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5], dtype=torch.float64)
    shift = _whole(0, 9, generator) / 1000
    was = torch.tensor([1, 1, 0, 1, 1, 0, 0, 0], dtype=torch.float64)
    ties = torch.tensor([0.9, 0.8, 0.8, 0.8, 0.4, 0.3], dtype=torch.float64)
    mixed = torch.tensor([1, 1, 1, 0, 0, 1], dtype=torch.float64)
    order = torch.randperm(8, generator=generator)
    return {
        "8 answers in any order, wanted 0.75": ((dips + shift)[order], was[order], 0.75),
        "6 answers, three equally sure, wanted 0.9": (ties + shift, mixed, 0.9),
    }


threshold_for = Exercise(
    number="lab08.5",
    title="when to ask a colleague",
    difficulty=3,
    minutes=14,
    reference=_threshold_with(_is_good),
    cases=_threshold_cases,
    hidden=_threshold_cases,
    misconceptions=(
        Misconception(
            "above, not from",
            "an answer that is exactly as sure as the threshold is left out",
            _threshold_with(_strictly),
        ),
        Misconception(
            "until it dips",
            "you stop at the first threshold that is not good enough: a lower one, which answers"
            " more, may be good again",
            _until_it_dips,
        ),
        Misconception(
            "the surest alone",
            "this threshold is safe and answers next to nothing: of all that are good enough, which"
            " one answers most?",
            _threshold_with(_is_good, max),
        ),
        Misconception(
            "of all texts",
            "you divide by all texts: what is wanted is a share of the answers that are *given*",
            _threshold_with(_of_all),
        ),
        Misconception(
            "believes the numbers",
            "this takes confidence at its word: whether a claimed 0.9 is right nine times in ten is"
            " the question",
            lambda sure, right, wanted: wanted,
        ),
        Misconception(
            "coverage",
            "this is the share of texts that get an answer: the confidence to ask for is wanted",
            _coverage,
        ),
        Misconception(
            "ties apart",
            "of several equally sure answers you count only some: a threshold lets all of them"
            " through or none",
            _one_by_one,
        ),
    ),
    spoilers=("sure >= ", "cumsum"),
)
