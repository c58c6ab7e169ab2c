"""Checks of lab 06: a forger, a detector, and what a comparison of the two ways is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception, faults_left
from encoder_course.check.evidence import Stopped
from encoder_course.check.running import call
from encoder_course.text.masking import NOT_ASKED

_SHOWN = 0  # the seed of the cases that a student may see


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(600 + seed)


def _whole(low: int, high: int, generator: Generator) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


# ---- lab06.1: a draw at the hidden places


def _drawn(logits: Tensor, chance: Tensor, temperature: float | int) -> Tensor:
    sums = (logits / temperature).softmax(dim=-1).cumsum(dim=-1)
    return (sums <= chance[..., None]).sum(dim=-1).clamp(max=logits.shape[-1] - 1)


def _fill(
    inputs: Tensor, logits: Tensor, asked: Tensor, chance: Tensor, temperature: float | int
) -> Tensor:
    return torch.where(asked, _drawn(logits, chance, temperature), inputs)


def _fill_with(pick: Callable[[Tensor, Tensor, float | int], Tensor]) -> Callable:
    """The filling, with another way to choose a token."""
    return lambda inputs, logits, asked, chance, temperature: torch.where(
        asked, pick(logits, chance, temperature), inputs
    )


def _unscaled_sums(logits: Tensor, chance: Tensor, temperature: float | int) -> Tensor:
    sums = (logits / temperature).sigmoid().cumsum(dim=-1)
    return (sums <= chance[..., None]).sum(dim=-1).clamp(max=logits.shape[-1] - 1)


def _likeliest_first(logits: Tensor, chance: Tensor, temperature: float | int) -> Tensor:
    ordered, tokens = logits.sort(dim=-1, descending=True)
    return tokens.gather(-1, _drawn(ordered, chance, temperature)[..., None])[..., 0]


def _over_places(logits: Tensor, chance: Tensor, temperature: float | int) -> Tensor:
    sums = (logits / temperature).softmax(dim=1).cumsum(dim=-1)
    return (sums <= chance[..., None]).sum(dim=-1)


def _fill_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    hand = (
        torch.tensor([[7, 4, 9]]),
        torch.tensor([[0.5, 0.2, 0.3]], dtype=torch.float64).log().expand(1, 3, 3).clone(),
        torch.tensor([[False, True, False]]),
        torch.tensor([[0.1, 0.6, 0.9]], dtype=torch.float64),
        1.0,
    )
    cases = {} if seed else {"three tokens, the middle one hidden, chance 0.6": hand}
    for temperature in (1.0, 0.5, 2.0):
        rows, length, size = 3, _whole(5, 7, generator), _whole(8, 10, generator)
        draws = torch.rand(rows, length, generator=generator, dtype=torch.float64)
        cases[f"{rows} rows of {length}, {size} tokens, temperature {temperature}"] = (
            torch.randint(0, size, (rows, length), generator=generator),
            2 * torch.randn(rows, length, size, generator=generator, dtype=torch.float64),
            torch.rand(rows, length, generator=generator) < 0.6,
            draws,
            temperature,
        )
    return cases


fill = Exercise(
    number="lab06.1",
    title="a draw at the hidden places",
    difficulty=3,
    minutes=12,
    reference=_fill,
    cases=_fill_cases,
    hidden=_fill_cases,
    misconceptions=(
        Misconception(
            "the best guess",
            "the most probable token stands at every hidden place: a draw takes others as well, as"
            " often as they are probable",
            _fill_with(lambda logits, chance, temperature: logits.argmax(dim=-1)),
        ),
        Misconception(
            "everywhere",
            "places that were not hidden have been filled, too: their tokens stay",
            lambda inputs, logits, asked, chance, temperature: _drawn(logits, chance, temperature),
        ),
        Misconception(
            "where nothing is hidden",
            "the hidden places kept their masks, and the others were filled",
            lambda inputs, logits, asked, chance, temperature: _fill(
                inputs, logits, ~asked, chance, temperature
            ),
        ),
        Misconception(
            "no temperature",
            "the temperature changes nothing: a low one should make the likely tokens likelier",
            _fill_with(lambda logits, chance, temperature: _drawn(logits, chance, 1.0)),
        ),
        Misconception(
            "temperature upside down",
            "a low temperature makes your draws wilder, and it should make them tamer",
            _fill_with(lambda logits, chance, temperature: _drawn(logits, chance, 1 / temperature)),
        ),
        Misconception(
            "temperature on probabilities",
            "the probabilities were divided by the temperature: they no longer sum to 1. It belongs"
            " to the scores",
            _fill_with(
                lambda logits, chance, temperature: (
                    ((logits.softmax(-1) / temperature).cumsum(-1) <= chance[..., None])
                    .sum(-1)
                    .clamp(max=logits.shape[-1] - 1)
                )
            ),
        ),
        Misconception(
            "one token too far",
            "you take the token after the one in whose stretch the chance lies",
            _fill_with(
                lambda logits, chance, temperature: (_drawn(logits, chance, temperature) + 1).clamp(
                    max=logits.shape[-1] - 1
                )
            ),
        ),
        Misconception(
            "one token too early",
            "you take the token before the one in whose stretch the chance lies",
            _fill_with(lambda logits, chance, temperature: _drawn(logits, chance, temperature) - 1),
        ),
        Misconception(
            "no stretches",
            "each probability by itself is compared with the chance: where do the stretches begin"
            " and end when they lie side by side?",
            _fill_with(
                lambda logits, chance, temperature: (
                    (logits / temperature).softmax(dim=-1) <= chance[..., None]
                ).sum(dim=-1)
            ),
        ),
        Misconception(
            "those that are left",
            "you count the stretches that end *behind* the chance",
            _fill_with(
                lambda logits, chance, temperature: (
                    (logits / temperature).softmax(dim=-1).cumsum(dim=-1) > chance[..., None]
                ).sum(dim=-1)
            ),
        ),
        Misconception(
            "the likeliest first",
            "the stretches lie in the order of their probabilities: the order of the ids is asked"
            " for",
            _fill_with(_likeliest_first),
        ),
        Misconception(
            "over the places",
            "the softmax runs over the places of a row: it is the tokens of one place that share 1",
            _fill_with(_over_places),
        ),
        Misconception(
            "from the end",
            "the stretches were laid out from the last token to the first: token 0 comes first",
            _fill_with(
                lambda logits, chance, temperature: (
                    logits.shape[-1] - 1 - _drawn(logits.flip(-1), chance, temperature)
                )
            ),
        ),
        Misconception(
            "sigmoid",
            "each score became a probability of its own, and together they do not sum to 1",
            _fill_with(_unscaled_sums),
        ),
    ),
    spoilers=("cumsum", "searchsorted", "/ temperature", "torch.where"),
)

# ---- lab06.2: which loss reaches which weights

_HEARS = {
    "generator": {"guessing"},
    "table": {"guessing", "detection"},
    "detector": {"detection"},
    "untied": {"detection"},
}

hears = Exercise(
    number="lab06.2",
    title="who hears what",
    difficulty=2,
    minutes=8,
    reference=_HEARS,
    misconceptions=(
        Misconception(
            "the forger is taught",
            "`generator`: between its probabilities and the detector stands a draw. What does a"
            " slightly different probability change about a token that has been drawn?",
            _HEARS | {"generator": {"guessing", "detection"}},
        ),
        Misconception(
            "the forger is taught by the detector alone",
            "`generator`: it is trained to be right, not to deceive",
            _HEARS | {"generator": {"detection"}},
        ),
        Misconception(
            "table of the generator",
            "`table`: the detector reads through it as well, and it is the same tensor",
            _HEARS | {"table": {"guessing"}},
        ),
        Misconception(
            "table of the detector",
            "`table`: the generator reads through it and scores with it",
            _HEARS | {"table": {"detection"}},
        ),
        Misconception(
            "detector by both",
            "`detector`: the guesses were made before it saw anything: what it does changes none"
            " of them",
            _HEARS | {"detector": {"guessing", "detection"}},
        ),
        Misconception(
            "untied hears both",
            "`untied`: a table of the detector's own takes no part in guessing",
            _HEARS | {"untied": {"guessing", "detection"}},
        ),
        Misconception(
            "all hear both",
            "not every weight takes part in both losses, and one road is cut: go backward from each"
            " loss, step by step",
            {name: {"guessing", "detection"} for name in _HEARS},
        ),
        Misconception(
            "the forger is not taught",
            "`generator`: from what would it learn to guess?",
            _HEARS | {"generator": set()},
        ),
        Misconception(
            "untied hears the other",
            "`untied`: who reads through that table?",
            _HEARS | {"untied": {"guessing"}},
        ),
        Misconception(
            "untied hears nothing",
            "`untied`: the detector still reads through its own table",
            _HEARS | {"untied": set()},
        ),
    ),
    spoilers=('{"guessing", "detection"}',),
)

# ---- lab06.3: the joint loss of a batch that was cut in pieces


def _mean_of(parts: list[dict], loss: str, count: str) -> float | int:
    total = sum(part[count] for part in parts)
    return sum(part[loss] * part[count] for part in parts) / total if total else 0.0


def _joint(parts: list[dict], weight: float | int) -> float | int:
    return _mean_of(parts, "guessing", "asked") + weight * _mean_of(parts, "detection", "real")


def _plain_mean(parts: list[dict], weight: float | int) -> float | int:
    return sum(part["guessing"] + weight * part["detection"] for part in parts) / len(parts)


def _only_asked(parts: list[dict], weight: float | int) -> float | int:
    return _joint([part for part in parts if part["asked"]], weight)


def _without_asked(parts: list[dict], weight: float | int) -> float | int:
    return _joint([part | {"real": part["real"] - part["asked"]} for part in parts], weight)


def _joint_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)

    def part(asked: int, real: int) -> dict[str, float | int]:
        guessing, detection = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
        guessing = 3 + 4 * guessing if asked else 0.0
        return dict(guessing=guessing, asked=asked, detection=detection / 2 + 0.1, real=real)

    hand = [
        dict(guessing=6.0, asked=1, detection=0.2, real=10),
        dict(guessing=4.0, asked=3, detection=0.5, real=20),
    ]
    cases = {} if seed else {"two pieces, weight 50": (hand, 50)}
    drawn = [part(_whole(2, 9, generator), _whole(20, 60, generator)) for _ in range(3)]
    cases["three pieces, weight 50"] = drawn, 50
    lone = [part(0, _whole(5, 20, generator)), part(_whole(3, 9, generator), 40)]
    cases["two pieces, in one of which nothing is hidden, weight 7"] = lone, 7
    return cases


joint = Exercise(
    number="lab06.3",
    title="the loss of a batch in pieces",
    difficulty=3,
    minutes=12,
    reference=_joint,
    cases=_joint_cases,
    hidden=_joint_cases,
    misconceptions=(
        Misconception(
            "mean of means",
            "every piece weighs the same, however much it asks: cut the batch otherwise, and the"
            " loss would be another one",
            _plain_mean,
        ),
        Misconception(
            "sum of means",
            "the losses of the pieces were added up: with more pieces the loss would grow",
            lambda parts, weight: _plain_mean(parts, weight) * len(parts),
        ),
        Misconception(
            "real tokens for both",
            "guessing is weighed by real tokens, and it is a mean over *hidden* ones",
            lambda parts, weight: (
                _mean_of(parts, "guessing", "real") + weight * _mean_of(parts, "detection", "real")
            ),
        ),
        Misconception(
            "hidden tokens for both",
            "detection is weighed by hidden tokens, and it is a mean over all *real* ones",
            lambda parts, weight: (
                _mean_of(parts, "guessing", "asked")
                + weight * _mean_of(parts, "detection", "asked")
            ),
        ),
        Misconception(
            "exchanged counts",
            "the two counts have changed places",
            lambda parts, weight: (
                _mean_of(parts, "guessing", "real") + weight * _mean_of(parts, "detection", "asked")
            ),
        ),
        Misconception(
            "no weight",
            "both losses count the same: the smaller one is to be weighed",
            lambda parts, weight: _joint(parts, 1),
        ),
        Misconception(
            "weight on guessing",
            "the weight stands at the larger loss, and makes the small one smaller still",
            lambda parts, weight: (
                weight * _mean_of(parts, "guessing", "asked") + _mean_of(parts, "detection", "real")
            ),
        ),
        Misconception(
            "divided by the weights",
            "this is a weighted mean of the two losses, and a weighted sum is asked for",
            lambda parts, weight: _joint(parts, weight) / (1 + weight),
        ),
        Misconception(
            "pieces left out",
            "a piece in which nothing was hidden is left out, and its real tokens were judged",
            _only_asked,
        ),
        Misconception(
            "hidden ones are not judged",
            "detection is weighed by the tokens that were not hidden: the detector judges the"
            " others as well",
            _without_asked,
        ),
        Misconception(
            "sums",
            "these are sums over the tokens, and means are asked for",
            lambda parts, weight: sum(
                part["guessing"] * part["asked"] + weight * part["detection"] * part["real"]
                for part in parts
            ),
        ),
        Misconception(
            "one pot",
            "both losses went into one mean over all questions, hidden and real together",
            lambda parts, weight: (
                sum(p["guessing"] * p["asked"] + weight * p["detection"] * p["real"] for p in parts)
                / sum(p["asked"] + p["real"] for p in parts)
            ),
        ),
    ),
    spoilers=('* part["asked"]', '* part["real"]'),
)

# ---- lab06.4: repair a round

_LEAKS, _DEAF, _NARROW, _PADDING = "leaks", "deaf", "narrow", "padding"
_FAULTS = {
    _LEAKS: "the detector's loss has a gradient with respect to the generator: it gets something"
    " else than a drawn token",
    _DEAF: "the detector's loss does not reach the shared table",
    _NARROW: "not all real tokens are judged",
    _PADDING: "padding is judged as well",
}


def _play_with(*faults: str) -> Callable:
    """A round, with some faults in."""

    def play(generator, table, detector, inputs, labels, keep, drawn):
        asked = labels != NOT_ASKED
        logits = generator(table[inputs])
        guessing = F.cross_entropy(logits[asked], labels[asked])
        original = torch.where(asked, labels, inputs)
        forged = torch.where(asked, drawn, original)
        replaced = forged != original
        seen = table.detach() if _DEAF in faults else table
        vectors = seen[forged]
        if _LEAKS in faults:
            vectors = torch.where(asked[..., None], logits.softmax(-1) @ seen, vectors)
        scores = detector(vectors)
        judged = asked if _NARROW in faults else keep
        judged = torch.ones_like(keep) if _PADDING in faults else judged
        truth = replaced[judged].to(scores.dtype)
        detection = F.binary_cross_entropy_with_logits(scores[judged], truth)
        return {"guessing": guessing, "detection": detection}

    return play


def _left_in() -> tuple[Misconception, ...]:
    """Where only masked places are judged, padding is not; and padding alone has its own entry."""
    return tuple(
        idea
        for idea in faults_left(_FAULTS, _play_with)
        if idea.name != _PADDING and not {_NARROW, _PADDING} <= {*idea.name.split(" and ")}
    )


def _detection_of(read: Callable, judged: Callable | None = None) -> Callable:
    """The round, with another detection: what the detector reads, and where it is judged."""

    def play(generator, table, detector, inputs, labels, keep, drawn):
        made = _play_with()(generator, table, detector, inputs, labels, keep, drawn)
        asked = labels != NOT_ASKED
        original = torch.where(asked, labels, inputs)
        forged = torch.where(asked, drawn, original)
        vectors, text = read(generator, table, inputs, forged, asked, drawn)
        place = judged(keep, asked) if judged else keep
        scores, truth = detector(vectors)[place], (text != original)[place]
        loss = F.binary_cross_entropy_with_logits(scores, truth.to(scores.dtype))
        return made | {"detection": loss}

    return play


def _read_mixture(generator, table, inputs, forged, asked, drawn):
    mixture = generator(table[inputs]).softmax(-1).detach() @ table
    return torch.where(asked[..., None], mixture, table[forged]), forged


def _play_padding(generator, table, detector, inputs, labels, keep, drawn):
    everything = torch.ones_like(keep)
    return _play_with()(generator, table, detector, inputs, labels, everything, drawn)


def _play_masked_truth(generator, table, detector, inputs, labels, keep, drawn):
    made = _play_with()(generator, table, detector, inputs, labels, keep, drawn)
    asked = labels != NOT_ASKED
    scores = detector(table[torch.where(asked, drawn, inputs)])
    truth = asked[keep].to(scores.dtype)
    return made | {"detection": F.binary_cross_entropy_with_logits(scores[keep], truth)}


def _toy(seed: int) -> tuple[nn.Linear, Tensor, nn.Module, dict[str, Tensor]]:
    """A generator and a detector of one layer, their table, and a batch."""
    draws = _generator(seed)
    size, dim, length = 9, 5, _whole(6, 8, draws)
    with torch.random.fork_rng(devices=[]):
        generator = nn.Linear(dim, size).double()
        detector = nn.Sequential(nn.Linear(dim, 4), nn.GELU(), nn.Linear(4, 1), nn.Flatten(1))
    detector = detector.double()
    for module in (generator, detector):
        for _, weight in sorted(module.named_parameters()):
            with torch.no_grad():
                weight.copy_(torch.randn(weight.shape, generator=draws))
    table = torch.randn(size, dim, generator=draws, dtype=torch.float64).requires_grad_()
    ids = torch.randint(2, size, (3, length), generator=draws)
    keep = torch.arange(length) < torch.tensor([[length], [length - 1], [length - 3]])
    asked = torch.zeros_like(keep)
    asked[:, 0] = asked[:, 2] = True
    drawn = torch.randint(2, size, ids.shape, generator=draws)
    drawn[0, 0] = ids[0, 0]  # a lucky draw
    drawn[1, 2] = (ids[1, 2] - 1) % (size - 2) + 2  # and one that is none
    batch = dict(inputs=ids.masked_fill(asked, 1), labels=ids.masked_fill(~asked, NOT_ASKED))
    return generator, table, detector, batch | dict(keep=keep, drawn=drawn)


def _pull(loss: Tensor, weight: Tensor) -> Tensor:
    """The gradient of a loss with respect to a weight, zeros where there is none."""
    if not loss.requires_grad:
        return torch.zeros_like(weight)
    found = torch.autograd.grad(loss, weight, retain_graph=True, allow_unused=True)[0]
    return torch.zeros_like(weight) if found is None else found


def _play_seen(answer: Callable, seed: int = _SHOWN) -> dict[str, Any]:
    """Losses and gradients of a round that `answer` plays."""

    def played(generator, table, detector, inputs, labels, keep, drawn):
        made = answer(generator, table, detector, inputs, labels, keep, drawn)
        names = ["guessing", "detection"]
        if not isinstance(made, dict) or sorted(made) != sorted(names):
            raise Stopped('return a dictionary with the keys "guessing" and "detection"')
        weights = {"the generator": generator.weight, "the shared table": table}
        weights["the detector"] = detector[0].weight
        seen: dict[str, Any] = {}
        for name in names:
            if not isinstance(made[name], Tensor) or made[name].dim():
                raise Stopped(f"`{name}` should be a tensor of one number")
            seen[name] = made[name].detach()
            for part, weight in weights.items():
                seen[f"gradient of {name} with respect to {part}"] = _pull(made[name], weight)
        return seen

    generator, table, detector, batch = _toy(seed)
    return call(played, generator, table, detector, *batch.values())


play = Exercise(
    number="lab06.4",
    title="a round without leaks",
    difficulty=4,
    minutes=15,
    reference=_play_with(),
    observe=_play_seen,
    hidden=_play_seen,
    misconceptions=(
        *_left_in(),
        Misconception(
            "padding is judged",
            "padding is judged as well: there is nothing to find in it",
            _play_padding,
        ),
        Misconception(
            "a mixture without a gradient",
            "no gradient leaks any more, but the detector still reads a mixture at hidden places,"
            " and not a token that was drawn",
            _detection_of(_read_mixture),
        ),
        Misconception(
            "masks are read",
            "the detector reads the text in which tokens are hidden: nobody has filled it",
            _detection_of(
                lambda generator, table, inputs, forged, asked, drawn: (table[inputs], forged)
            ),
        ),
        Misconception(
            "drawn everywhere",
            "drawn tokens stand at places that were not hidden, too",
            _detection_of(
                lambda generator, table, inputs, forged, asked, drawn: (table[drawn], drawn)
            ),
        ),
        Misconception(
            "hidden ones are not judged",
            "hidden places are not judged, and all forgeries are there",
            _detection_of(
                lambda generator, table, inputs, forged, asked, drawn: (table[forged], forged),
                lambda keep, asked: keep & ~asked,
            ),
        ),
        Misconception(
            "hidden means replaced",
            "every hidden place is called replaced, lucky draws as well",
            _play_masked_truth,
        ),
    ),
    spoilers=("table[forged]", "scores[keep]", "[drawn]"),
)

# ---- lab06.5: AUC by hand


def _auc_with(tie: float | int = 0.5) -> Callable[[Tensor, Tensor], float]:
    def auc(scores: Tensor, replaced: Tensor) -> float:
        forged, original = scores[replaced][:, None], scores[~replaced]
        return ((forged > original).double() + tie * (forged == original)).mean().item()

    return auc


def _auc_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)

    def case(count: int, levels: int) -> tuple:
        replaced = torch.zeros(count, dtype=torch.bool)
        replaced[torch.randperm(count, generator=generator)[: count // 4]] = True
        scores = torch.randint(-levels, levels + 1, (count,), generator=generator).double()
        return (scores + replaced) / 2 + levels / 4, replaced

    hand = (
        torch.tensor([0.9, 0.2, 0.4, 0.2, -0.3], dtype=torch.float64),
        torch.tensor([True, True, False, False, False]),
    )
    cases = {} if seed else {"two forgeries at 0.9 and 0.2; originals at 0.4, 0.2, -0.3": hand}
    cases |= {"24 tokens, many ties": case(24, 3), "40 tokens": case(40, 20)}
    return cases


auc = Exercise(
    number="lab06.5",
    title="AUC by hand",
    difficulty=3,
    minutes=12,
    reference=_auc_with(),
    cases=_auc_cases,
    hidden=_auc_cases,
    misconceptions=(
        Misconception(
            "ties are lost",
            "a tie counts as lost: then a detector that always says the same would have 0, and it"
            " is a coin",
            _auc_with(tie=0.0),
        ),
        Misconception(
            "ties are won",
            "a tie counts as won: then a detector that always says the same would be perfect",
            _auc_with(tie=1.0),
        ),
        Misconception(
            "upside down",
            "the pairs are counted in which the *original* is more suspicious",
            lambda scores, replaced: 1 - _auc_with()(scores, replaced),
        ),
        Misconception(
            "accuracy",
            "this is the accuracy at a bound of 0: it rewards whoever never suspects anybody",
            lambda scores, replaced: ((scores > 0) == replaced).double().mean().item(),
        ),
        Misconception(
            "recall",
            "this is the share of forgeries with a score above 0, and no original is asked",
            lambda scores, replaced: (scores[replaced] > 0).double().mean().item(),
        ),
        Misconception(
            "against the mean",
            "each forgery is compared with the *mean* original: AUC compares it with each one",
            lambda scores, replaced: (
                (scores[replaced] > scores[~replaced].mean()).double().mean().item()
            ),
        ),
        Misconception(
            "a number of pairs",
            "this is the number of pairs that are won, and their share is asked for",
            lambda scores, replaced: (
                _auc_with()(scores, replaced) * (replaced.sum() * (~replaced).sum()).item()
            ),
        ),
        Misconception(
            "ties left out",
            "pairs with a tie are left out of the share: each counts half",
            lambda scores, replaced: (
                _auc_with(tie=0.0)(scores, replaced)
                / (1 + _auc_with(tie=0.0)(scores, replaced) - _auc_with(tie=1.0)(scores, replaced))
            ),
        ),
        Misconception(
            "lost pairs subtracted",
            "a lost pair is subtracted from the won ones: it should count nothing",
            lambda scores, replaced: 2 * _auc_with()(scores, replaced) - 1,
        ),
        Misconception(
            "decisions",
            "scores were turned into decisions first, and most of their order is lost",
            lambda scores, replaced: _auc_with()((scores > 0).double(), replaced),
        ),
        Misconception(
            "all pairs",
            "pairs of two forgeries and of two originals are counted as well",
            lambda scores, replaced: (
                ((scores[replaced][:, None] > scores).double()).sum()
                / (replaced.sum() * len(scores))
            ).item(),
        ),
    ),
    spoilers=("[:, None]", "roc_auc_score", "0.5 *", "argsort"),
)

# ---- lab06.6: equal work


def _step_work(
    shape: dict,
    layers: int,
    judged: int,
    head: int,
    times: int = 6,
    gates: int = 3,
    square: bool = True,
) -> int:
    """Operations of the products of an encoder and its head."""
    dim, ff = shape["dim"], shape["ff_dim"]
    block = 4 * dim * dim + gates * dim * ff
    weights = square * dim * dim + dim * head
    return times * (shape["tokens"] * layers * block + judged * weights)


def _work_with(
    head_at: str = "asked",
    detector_at: str = "tokens",
    generator: bool = True,
    generator_head: bool = True,
    same: bool = False,
    **counted: int,
) -> Callable[[dict, int], dict[str, int]]:
    def equal_work(shape: dict, mlm_steps: int) -> dict[str, int]:
        asked, vocab = shape[head_at], shape["vocab"]
        mlm = _step_work(shape, shape["layers"], asked, vocab, **counted)
        electra = _step_work(shape, shape["layers"], shape[detector_at], 1, **counted)
        if generator:
            at = asked if generator_head else 0
            layers = shape["layers" if same else "generator_layers"]
            electra += _step_work(shape, layers, at, vocab, **counted)
        return {"MLM": mlm, "ELECTRA": electra, "steps": mlm_steps * mlm // electra}

    return equal_work


def _work_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    hand = dict(tokens=100, asked=15, dim=10, ff_dim=20, layers=2, generator_layers=1, vocab=50)
    cases = {} if seed else {"100 tokens, width 10, 10 steps": (hand, 10)}
    for vocab in (1000, 8000):
        shape = dict(
            tokens=64 * _whole(8, 32, generator), asked=0, dim=32 * _whole(2, 4, generator)
        )
        shape["asked"] = int(0.15 * shape["tokens"])
        shape |= dict(ff_dim=2 * shape["dim"] + 32, layers=4, vocab=vocab)
        shape["generator_layers"] = _whole(1, 2, generator)
        steps = _whole(700, 1900, generator)
        cases[f"{shape['tokens']} tokens, vocabulary {vocab}, {steps} steps"] = shape, steps
    return cases


def _swapped_steps(shape: dict, mlm_steps: int) -> dict[str, int]:
    made = _work_with()(shape, mlm_steps)
    return made | {"steps": mlm_steps * made["ELECTRA"] // made["MLM"]}


def _too_many_steps(shape: dict, mlm_steps: int) -> dict[str, int]:
    made = _work_with()(shape, mlm_steps)
    return made | {"steps": -(-mlm_steps * made["MLM"] // made["ELECTRA"])}


def _same_steps(shape: dict, mlm_steps: int) -> dict[str, int]:
    return _work_with()(shape, mlm_steps) | {"steps": mlm_steps}


equal_work = Exercise(
    number="lab06.6",
    title="equal work",
    difficulty=3,
    minutes=15,
    reference=_work_with(),
    cases=_work_cases,
    hidden=_work_cases,
    misconceptions=(
        Misconception(
            "head everywhere",
            "the wide product with the vocabulary is counted at every token: scores are computed"
            " at the hidden places alone",
            _work_with(head_at="tokens"),
        ),
        Misconception(
            "generator forgotten",
            "`ELECTRA` is the detector alone: its generator costs work as well",
            _work_with(generator=False),
        ),
        Misconception(
            "generator without a head",
            "`ELECTRA`: the generator has to score the whole vocabulary, as in masked language"
            " modelling",
            _work_with(generator_head=False),
        ),
        Misconception(
            "generator as deep",
            "`ELECTRA`: the generator has fewer layers than the detector",
            _work_with(same=True),
        ),
        Misconception(
            "forward alone",
            "this is the forward pass: training also goes backward, twice as dear",
            _work_with(times=2),
        ),
        Misconception(
            "backward as cheap",
            "backward is counted as dear as forward, and it costs twice as much",
            _work_with(times=4),
        ),
        Misconception(
            "one product of the head",
            "a head has a matrix of D × D before its last one",
            _work_with(square=False),
        ),
        Misconception(
            "detector asked at hidden places",
            "`ELECTRA`: the detector's head is counted at hidden places alone, and it judges"
            " others as well",
            _work_with(detector_at="asked"),
        ),
        Misconception(
            "broken steps",
            "`steps`: a part of a step is no step",
            lambda shape, mlm_steps: (
                (made := _work_with()(shape, mlm_steps))
                | {"steps": mlm_steps * made["MLM"] / made["ELECTRA"]}
            ),
        ),
        Misconception(
            "multiply-adds",
            "a multiplication and an addition are two operations",
            _work_with(times=3),
        ),
        Misconception(
            "ungated feed-forward",
            "the feed-forward is gated: it has three matrices and not two",
            _work_with(gates=2),
        ),
        Misconception(
            "upside down",
            "`steps`: who pays more for a step must make fewer of them",
            _swapped_steps,
        ),
        Misconception(
            "over the budget",
            "`steps`: the last step no longer fits into the work that masked language modelling"
            " had",
            _too_many_steps,
        ),
        Misconception(
            "equal steps",
            "`steps`: equally many steps are not equal work",
            _same_steps,
        ),
    ),
    spoilers=("6 *", "4 *", "//", "3 *"),
)
