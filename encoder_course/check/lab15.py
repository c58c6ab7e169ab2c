"""Checks of lab 15: pictures in and out of patches, and a small CLIP put together and measured."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception, faults_left
from encoder_course.nn.vision import patches as _patches
from encoder_course.nn.vision import pictures as _pictures

_SHOWN = 0  # the seed of the cases that a student may see


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(1500 + seed)


def _whole(low: int, high: int, generator: Generator) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


# ---- lab15.1: patches back into pictures


def _joined(order: tuple[int, ...], swapped: bool = False) -> Callable:
    """Pictures whose patches hold channel, row and column in another order."""

    def join(cut, side, height, channels):
        parts = [(side, side, channels)[place] for place in order]
        back = [order.index(axis) for axis in range(3)]
        squares = cut.unflatten(2, parts).permute(0, 1, *(2 + place for place in back))
        cut = squares.flatten(2)
        if swapped:  # patches come column by column
            rows = height // side
            cut = cut.unflatten(1, (-1, rows)).transpose(1, 2).flatten(1, 2)
        return _pictures(cut, side, height, channels)

    return join


def _laid_out(cut, side, height, channels):
    """All numbers one after the other, as if patches were rows of pixels."""
    return cut.reshape(len(cut), height, -1, channels).permute(0, 3, 1, 2)


def _join_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for side, channels in ((2, 1), (2, 3), (3, 2)):
        rows, columns = _whole(2, 3, generator), _whole(4, 5, generator)
        images = torch.rand(2, channels, rows * side, columns * side, generator=generator)
        name = f"2 pictures of {rows * side} x {columns * side}, {channels} channels, side {side}"
        cases[name] = _patches(images, side), side, rows * side, channels
    return cases


join = Exercise(
    number="lab15.1",
    title="patches back into pictures",
    difficulty=3,
    minutes=12,
    reference=_pictures,
    cases=_join_cases,
    hidden=_join_cases,
    misconceptions=(
        Misconception(
            "columns inside",
            "inside a patch you take the numbers column by column: each square is mirrored at its"
            " diagonal",
            _joined((1, 0, 2)),
        ),
        Misconception(
            "columns of patches",
            "the patches are laid down column by column: they came row by row",
            _joined((0, 1, 2), swapped=True),
        ),
        Misconception(
            "channels first",
            "inside a patch you take all numbers of one channel first: the channels of one pixel"
            " stand together",
            _joined((2, 0, 1)),
        ),
        Misconception(
            "laid out",
            "the numbers are laid out as they come: a patch has become a piece of one row of"
            " pixels, not a square. Reshaping alone cannot bring axes into another order",
            _laid_out,
        ),
        Misconception(
            "channels last",
            "the channels stand last: a picture of this course is (channels, height, width)",
            lambda *given: _pictures(*given).permute(0, 2, 3, 1),
        ),
        Misconception(
            "height and width",
            "height and width are exchanged",
            lambda *given: _pictures(*given).mT,
        ),
    ),
    spoilers=("permute", "unflatten", "fold", "rearrange"),
)

# ---- lab15.2: what goes into the first block


def _begin(tokens: Tensor, class_token: Tensor, positions: Tensor) -> Tensor:
    first = class_token.expand(len(tokens), 1, -1)
    return torch.cat([first, tokens], dim=1) + positions


def _begin_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for batch in (1, 3):
        count, dim = _whole(3, 5, generator), _whole(2, 4, generator)
        tokens = torch.randn(batch, count, dim, generator=generator)
        token = torch.randn(dim, generator=generator)
        positions = torch.randn(count + 1, dim, generator=generator)
        cases[f"{batch} pictures of {count} patches, width {dim}"] = tokens, token, positions
    return cases


begin = Exercise(
    number="lab15.2",
    title="what goes into the first block",
    difficulty=2,
    minutes=8,
    reference=_begin,
    cases=_begin_cases,
    hidden=_begin_cases,
    misconceptions=(
        Misconception(
            "class token last",
            "the class token stands last: the position at place 0 was meant for it",
            lambda tokens, token, positions: (
                torch.cat([tokens, token.expand(len(tokens), 1, -1)], 1) + positions
            ),
        ),
        Misconception(
            "no position for the class token",
            "the class token has no position: it has a row of the table, too",
            lambda tokens, token, positions: torch.cat(
                [token.expand(len(tokens), 1, -1), tokens + positions[1:]], 1
            ),
        ),
        Misconception(
            "positions moved by one",
            "the patches have the positions of their left neighbours: the first row of the table"
            " belongs to the class token",
            lambda tokens, token, positions: torch.cat(
                [token.expand(len(tokens), 1, -1), tokens + positions[:-1]], 1
            ),
        ),
        Misconception(
            "no positions",
            "nothing says where a patch stands",
            lambda tokens, token, positions: torch.cat(
                [token.expand(len(tokens), 1, -1), tokens], 1
            ),
        ),
        Misconception(
            "added to all",
            "the class token is added to every patch: it is a token of its own",
            lambda tokens, token, positions: tokens + token + positions[1:],
        ),
        Misconception(
            "no class token",
            "only the patches are there: nobody speaks for the whole picture",
            lambda tokens, token, positions: tokens + positions[1:],
        ),
    ),
    spoilers=("torch.cat", "expand", "+ positions"),
)

# ---- lab15.3: how low a loss can be

_LIMITS = {"nothing known": math.log(60), "perfect, all different": 0.0}
_LIMITS |= {
    "perfect, every caption six times": math.log(6),
    "nothing known, ten prompts": math.log(10),
}


def _limits(**changes: float) -> dict[str, float]:
    names = dict(zip(("nothing", "different", "six", "other"), _LIMITS, strict=True))
    return _LIMITS | {names[name]: value for name, value in changes.items()}


limits = Exercise(
    number="lab15.3",
    title="how low a loss can be",
    difficulty=3,
    minutes=10,
    reference=_LIMITS,
    tolerance=0.01,
    misconceptions=(
        Misconception(
            "bits",
            "these are bits: a loss in nats takes the natural logarithm",
            {name: value / math.log(2) for name, value in _LIMITS.items()},
        ),
        Misconception(
            "perfect is 0",
            "six pictures with one caption cannot be told apart by it: even a perfect"
            " model has to share its choice among equal texts",
            _limits(six=0.0),
        ),
        Misconception(
            "ten captions",
            "a perfect model rules out all other captions; what is left to choose from are the"
            " *equal* ones",
            _limits(six=math.log(10)),
        ),
        Misconception(
            "five others",
            "the right text itself is among the equal ones",
            _limits(six=math.log(5)),
        ),
        Misconception(
            "classes and not texts",
            "a picture chooses among all the texts of the batch, not among the classes",
            _limits(nothing=math.log(10)),
        ),
        Misconception(
            "still all texts",
            "there are ten prompts, and the choice is among those",
            _limits(other=math.log(60)),
        ),
    ),
)

# ---- lab15.4: a loss with three faults

_LENGTHS, _COLDER, _ONE_WAY, _TWINS = "lengths", "temperature", "one way", "twins"
_FAULTS = {
    _LENGTHS: "long texts win: their vectors still have lengths",
    _COLDER: "a larger `log_scale` makes the choice less sure: it should be surer",
    _TWINS: "an equal caption elsewhere in the batch is treated as wrong, though it is right",
    _ONE_WAY: "only the pictures look for texts: a text that suits every picture costs nothing",
}


def _matching(*faults: str) -> Callable:
    """The loss of a batch of pairs, with some faults in."""

    def loss(images, texts, labels, log_scale):
        images = F.normalize(images, dim=-1)
        texts = texts if _LENGTHS in faults else F.normalize(texts, dim=-1)
        scale = torch.exp(-log_scale if _COLDER in faults else log_scale)
        logits = scale * images @ texts.T
        same = (labels[:, None] == labels).to(logits.dtype)
        if _TWINS in faults:
            same = torch.eye(len(labels), dtype=logits.dtype)
        share = same / same.sum(1, keepdim=True)
        across = F.cross_entropy(logits, share)
        if _ONE_WAY in faults:
            return across
        return (across + F.cross_entropy(logits.T, share)) / 2

    return loss


def _not_shared(images, texts, labels, log_scale):
    logits = log_scale.exp() * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    same = (labels[:, None] == labels).to(logits.dtype)
    return (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2


def _added(images, texts, labels, log_scale):
    return 2 * _matching()(images, texts, labels, log_scale)


def _raw_scale(images, texts, labels, log_scale):
    return _matching()(images, texts, labels, log_scale.log())


def _loss_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)

    def case(labels: list[int], scale: float) -> tuple:
        count, width = len(labels), 4
        images, texts = (
            torch.randn(count, width, generator=generator, dtype=torch.float64) for _ in range(2)
        )
        length = 1 + 2 * torch.rand(count, 1, generator=generator, dtype=torch.float64)
        log_scale = torch.tensor(scale, dtype=torch.float64)
        return images, length * texts, torch.tensor(labels), log_scale

    return {
        "4 pairs, all different": case([3, 1, 0, 2], 0.9),
        "5 pairs, one caption twice": case([7, 2, 7, 5, 4], 0.7),
        "6 pairs of 2 captions": case([1, 1, 2, 1, 2, 1], 1.2),
    }


matching = Exercise(
    number="lab15.4",
    title="a loss with faults",
    difficulty=4,
    minutes=15,
    reference=_matching(),
    cases=_loss_cases,
    hidden=_loss_cases,
    misconceptions=(
        *faults_left(_FAULTS, _matching),
        Misconception(
            "not shared out",
            "equal captions count as right, and each with full weight: the shares of a row have to"
            " sum to 1",
            _not_shared,
        ),
        Misconception(
            "added",
            "it is twice too large: the two directions are added, and should be averaged",
            _added,
        ),
        Misconception(
            "logarithm forgotten",
            "the scale is used as it is: it is given as a logarithm",
            _raw_scale,
        ),
    ),
    spoilers=("normalize", "log_scale.exp", "logits.T", "keepdim", "sum(1"),
)

# ---- lab15.5: a class from several sentences


def _prototypes(vectors: Tensor) -> Tensor:
    return F.normalize(F.normalize(vectors, dim=-1).mean(dim=1), dim=-1)


def _prototype_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for classes, prompts in ((2, 3), (4, 2)):
        width = _whole(3, 5, generator)
        lengths = 0.5 + 3 * torch.rand(classes, prompts, 1, generator=generator)
        vectors = torch.randn(classes, prompts, width, generator=generator) * lengths
        cases[f"{classes} classes of {prompts} sentences, width {width}"] = (vectors,)
    return cases


prototypes = Exercise(
    number="lab15.5",
    title="a class from several sentences",
    difficulty=2,
    minutes=8,
    reference=_prototypes,
    cases=_prototype_cases,
    hidden=_prototype_cases,
    misconceptions=(
        Misconception(
            "mean first",
            "a sentence with a long vector counts more than others: each should have one vote",
            lambda vectors: F.normalize(vectors.mean(1), dim=-1),
        ),
        Misconception(
            "mean left as it is",
            "the means have different lengths: a class whose sentences disagree would get lower"
            " scores for that alone",
            lambda vectors: F.normalize(vectors, dim=-1).mean(1),
        ),
        Misconception(
            "not normalised",
            "neither the sentences nor the classes have length 1",
            lambda vectors: vectors.mean(1),
        ),
        Misconception(
            "first sentence",
            "only the first sentence of each class counts",
            lambda vectors: F.normalize(vectors[:, 0], dim=-1),
        ),
        Misconception(
            "over classes",
            "the mean runs over the classes: what is left is one vector for each wording",
            lambda vectors: _prototypes(vectors.transpose(0, 1)),
        ),
        Misconception(
            "lengths over sentences",
            "lengths are taken across the sentences of a class, not along each vector",
            lambda vectors: F.normalize(F.normalize(vectors, dim=1).mean(1), dim=-1),
        ),
    ),
    spoilers=("normalize", "mean(", "norm("),
)

# ---- lab15.6: found among the first k, both ways


def _hits(scores: Tensor, right: Tensor, k: int) -> float:
    best = scores.topk(k, dim=1).indices  # (B, k)
    return right.gather(1, best).any(dim=1).double().mean().item()


def _recall(scores: Tensor, right: Tensor, k: int) -> dict[str, float]:
    return {"text": _hits(scores, right, k), "picture": _hits(scores.T, right.T, k)}


def _share_found(scores: Tensor, right: Tensor, k: int) -> float:
    found = right.gather(1, scores.topk(k, dim=1).indices).sum(1)
    return (found / right.sum(1)).double().mean().item()


def _precise(scores: Tensor, right: Tensor, k: int) -> float:
    return right.gather(1, scores.topk(k, dim=1).indices).double().mean().item()


def _exactly(scores: Tensor, right: Tensor, k: int) -> float:
    last = scores.topk(k, dim=1).indices[:, -1:]
    return right.gather(1, last).double().mean().item()


def _both(one_way: Callable, **given: Callable) -> Callable:
    """A measure in both directions, where one direction may be another measure."""

    def measure(scores, right, k):
        return {
            "text": one_way(scores, right, k),
            "picture": given.get("picture", one_way)(scores.T, right.T, k),
        }

    return measure


def _diagonal(scores: Tensor, right: Tensor, k: int) -> dict[str, float]:
    size = min(scores.shape)
    only = torch.zeros_like(right)
    only[range(size), range(size)] = True
    return _recall(scores, only, k)


def _recall_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for pictures, texts, k in ((9, 6, 2), (8, 8, 3), (12, 5, 1)):
        right = torch.zeros(pictures, texts, dtype=torch.bool)
        right[torch.arange(pictures), torch.arange(pictures) % texts] = True
        right[torch.arange(pictures), torch.randint(texts, (pictures,), generator=generator)] = True
        scores = torch.rand(pictures, texts, generator=generator) + 0.25 * right
        cases[f"{pictures} pictures and {texts} texts, first {k}"] = scores, right, k
    return cases


recall = Exercise(
    number="lab15.6",
    title="found among the first k, both ways",
    difficulty=3,
    minutes=12,
    reference=_recall,
    cases=_recall_cases,
    hidden=_recall_cases,
    misconceptions=(
        Misconception(
            "directions exchanged",
            "the two directions are exchanged: `text` is the share of *pictures* that find a text",
            lambda *given: {
                "text": _recall(*given)["picture"],
                "picture": _recall(*given)["text"],
            },
        ),
        Misconception(
            "one direction",
            "both numbers are of the same direction: who asks is in the rows, and for the other"
            " direction that must change",
            lambda *given: dict.fromkeys(("text", "picture"), _recall(*given)["text"]),
        ),
        Misconception(
            "share of the right ones",
            "this is how many of the right answers are found: here one right answer among the"
            " first k is enough",
            _both(_share_found),
        ),
        Misconception(
            "precision",
            "this is how many of the first k are right: here one is enough",
            _both(_precise),
        ),
        Misconception(
            "exactly at k",
            "only the answer at place k counts: any of the first k will do",
            _both(_exactly),
        ),
        Misconception(
            "worst first",
            "these are the answers with the lowest scores",
            _both(lambda scores, right, k: _hits(-scores, right, k)),
        ),
        Misconception(
            "always the first",
            "only the first answer counts, whatever k is",
            _both(lambda scores, right, k: _hits(scores, right, 1)),
        ),
        Misconception(
            "the diagonal",
            "only pairs of equal number count as right: `right` says which ones are, and there may"
            " be several",
            _diagonal,
        ),
        Misconception(
            "counted",
            "these are numbers of hits, not shares",
            lambda scores, right, k: {
                "text": _hits(scores, right, k) * scores.shape[0],
                "picture": _hits(scores.T, right.T, k) * scores.shape[1],
            },
        ),
    ),
    spoilers=("topk", "gather", ".any(", "argsort"),
)
