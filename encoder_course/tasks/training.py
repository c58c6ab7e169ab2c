"""One training loop for every task: a new head alone, or head and encoder together."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.progress import track

WINDOW = 16  # batches that are sorted by length together
Loss = Callable[[list[Any]], Tensor]  # a batch of examples -> their mean loss


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train. ValueError for a setting out of range. Devlin et al., 2018, appendix A.3."""

    lr: float = 5e-5  # peak learning rate
    head_lr: float | None = None  # of parameters whose name begins with "head"; None = lr
    epochs: int = 4
    batch: int = 16  # examples
    warmup: float = 0.1  # share of the steps in which the learning rate rises
    weight_decay: float = 0.01  # on matrices; biases and norms go without
    clip: float = 1.0  # longest gradient
    patience: int = 2  # epochs without improvement of the validation loss before stopping

    def __post_init__(self) -> None:
        for name in ("lr", "epochs", "batch", "clip", "patience"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, but it is {getattr(self, name)}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the steps below 1, but it is {self.warmup}")


def plan_of(settings: Mapping[str, Any], epochs: int, patience: int) -> Plan:
    """The plan that a task's settings ask for, whatever else they hold."""
    names = ("lr", "head_lr", "batch")
    chosen = {name: settings[name] for name in names if name in settings}
    return Plan(epochs=epochs, patience=patience, **chosen)


@dataclass
class History:
    """What happened: a loss for each step, and for each epoch one on the validation examples."""

    steps: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0  # counted from 1; the weights of this epoch were kept


def train(
    model: nn.Module,
    loss: Loss,
    examples: Sequence[Any],
    plan: Plan,
    *,
    validation: Sequence[Any] | None = None,
    score: Callable[[], float] | None = None,
    length: Callable[[Any], int] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Train what requires a gradient in `model`, in place, and leave it in evaluation mode.

    Each epoch visits the examples in a new order; where the `length` of an example is given, those
    that share a batch are of about the same length, so that less of it is padding. With
    `validation` (its mean loss) or `score` (a function; smaller is better) training stops after
    `plan.patience` epochs without improvement, and the weights of the best epoch come back. The
    same seed gives the same weights, and the global random state is left as it was. ValueError for
    no examples or nothing to train.
    """
    if not len(examples):
        raise ValueError("there are no examples to train on")
    if score is None and validation:
        score = validation_loss(model, loss, validation, plan.batch)
    groups = parameter_groups(model, plan)
    per_epoch = -(-len(examples) // plan.batch)
    optimizer = torch.optim.AdamW(groups)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rise_and_fall(step, per_epoch * plan.epochs, plan.warmup)
    )
    history, best, kept = History(), float("inf"), None
    with seeded(seed), track(None, "train", progress, total=per_epoch * plan.epochs) as bar:
        for epoch in range(1, plan.epochs + 1):
            model.train()
            for batch in shuffled(examples, plan.batch, length):
                value = loss(batch)
                value.backward()
                nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], plan.clip)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
                history.steps.append(value.item())
                bar.update()
            if score is None:
                history.best_epoch = epoch
                continue
            model.eval()
            history.validation.append(score())
            if history.validation[-1] < best:
                best, history.best_epoch = history.validation[-1], epoch
                kept = copy.deepcopy(model.state_dict())
            elif epoch - history.best_epoch >= plan.patience:
                break
    if kept is not None:
        model.load_state_dict(kept)
    model.eval()
    return history


def shuffled(
    examples: Sequence[Any], size: int, length: Callable[[Any], int] | None = None
) -> list[list[Any]]:
    """The examples in batches, in an order drawn from PyTorch's global state.

    With `length`, stretches of WINDOW batches are sorted by it before they are cut.
    """
    order = torch.randperm(len(examples)).tolist()
    if length is not None:
        windows = [order[i : i + WINDOW * size] for i in range(0, len(order), WINDOW * size)]
        order = [i for window in windows for i in sorted(window, key=lambda i: length(examples[i]))]
    batches = [order[i : i + size] for i in range(0, len(order), size)]
    if length is not None:
        batches = [batches[i] for i in torch.randperm(len(batches)).tolist()]
    return [[examples[i] for i in batch] for batch in batches]


def validation_loss(
    model: nn.Module, loss: Loss, examples: Sequence[Any], batch: int
) -> Callable[[], float]:
    """A function that gives the mean loss over the examples as the model now is."""

    @torch.no_grad()
    def score() -> float:
        total = 0.0
        for start in range(0, len(examples), batch):
            part = list(examples[start : start + batch])
            total += loss(part).item() * len(part)
        return total / len(examples)

    return score


def parameter_groups(model: nn.Module, plan: Plan) -> list[dict[str, Any]]:
    """What AdamW trains: the head at its own rate, and decay on matrices only."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = (name.startswith("head"), parameter.dim() > 1)
            groups.setdefault(kind, []).append(parameter)
    if not groups:
        raise ValueError("nothing in the model requires a gradient, so there is nothing to train")
    head_lr = plan.lr if plan.head_lr is None else plan.head_lr
    return [
        {
            "params": parameters,
            "lr": head_lr if in_head else plan.lr,
            "weight_decay": plan.weight_decay if is_matrix else 0.0,
        }
        for (in_head, is_matrix), parameters in groups.items()
    ]


def rise_and_fall(step: int, steps: int, warmup: float | int) -> float:
    """The share of the peak learning rate: linearly up for `warmup` of the steps, then to 0."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return max(0.0, (steps - step) / max(1.0, steps - rise))


def cross_entropy(
    head: nn.Module, vectors: Callable[[list[Any]], Tensor]
) -> Callable[[list[tuple[Any, Tensor]]], Tensor]:
    """The mean loss of a batch of (input, numbers of its classes), one class for each vector.

    `vectors` makes (N, D) of the inputs.
    """

    def loss(batch: list[tuple[Any, Tensor]]) -> Tensor:
        inputs, targets = zip(*batch, strict=True)
        scores = head(vectors(list(inputs)))  # (N, C)
        return F.cross_entropy(scores, torch.cat(targets).to(scores.device))

    return loss


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's global randomness from a seed, for dropout and new heads; put back at the end."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
