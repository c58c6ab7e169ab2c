"""Checks of lab 13: a model that reads one text and writes another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import pad_sequence

from encoder_course.check.base import Exercise, Misconception, faults_left
from encoder_course.config import EncoderConfig
from encoder_course.nn import Block, Sight
from encoder_course.text.masking import NOT_ASKED

_SHOWN = 0  # the seed of the cases that a student may see


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(1300 + seed)


def _whole(low: int, high: int, generator: Generator) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _rows_of(*lengths: int) -> Tensor:
    """A padding mask of rows of these lengths."""
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def _past(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


def _over_keys(keep: Tensor) -> Tensor:
    return keep[:, None, None, :]


# ---- lab13.1: three masks


def _three_masks(keep_source: Tensor, keep_target: Tensor) -> dict[str, Tensor]:
    return {
        "encoder": _over_keys(keep_source),
        "decoder": _over_keys(keep_target) & _past(keep_target.shape[1]),
        "cross": _over_keys(keep_source),
    }


def _masks_with(**changes: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """The three masks, some of them made in another way."""

    def masks(keep_source, keep_target):
        other = {name: make(keep_source, keep_target) for name, make in changes.items()}
        return _three_masks(keep_source, keep_target) | other

    return masks


def _mask_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    length, more = _whole(3, 5, generator), _whole(1, 2, generator)
    left = torch.ones(2, length, dtype=torch.bool)
    left[1, :more] = False
    return {
        f"sources of {length + 2} and {length - 1} tokens, targets of {length} and 2": (
            _rows_of(length + 2, length - 1),
            _rows_of(length, 2),
        ),
        f"a target with {more} tokens of padding on its left": (_rows_of(length + 1, 2), left),
    }


three_masks = Exercise(
    number="lab13.1",
    title="three masks",
    difficulty=2,
    minutes=10,
    reference=_three_masks,
    cases=_mask_cases,
    hidden=_mask_cases,
    misconceptions=(
        Misconception(
            "decoder upside down",
            "`decoder`: its triangle is upside down: each token sees the future and not the past",
            _masks_with(decoder=lambda s, t: _over_keys(t) & _past(t.shape[1]).T),
        ),
        Misconception(
            "decoder strictly past",
            "`decoder`: no token sees itself, so the first one has nothing to look at",
            _masks_with(decoder=lambda s, t: _over_keys(t) & _past(t.shape[1]).tril(-1)),
        ),
        Misconception(
            "decoder one ahead",
            "`decoder`: each token also sees the next one, which it will be asked for",
            _masks_with(
                decoder=lambda s, t: (
                    _over_keys(t) & torch.ones(t.shape[1], t.shape[1]).tril(1).bool()
                )
            ),
        ),
        Misconception(
            "decoder sees padding",
            "`decoder`: padding may be looked at: where it stands on the left, it is in everybody's"
            " past",
            _masks_with(
                decoder=lambda s, t: _past(t.shape[1]).expand(len(t), 1, -1, -1).clone(),
            ),
        ),
        Misconception(
            "decoder sees all",
            "`decoder`: only padding is hidden, and the future is open",
            _masks_with(decoder=lambda s, t: _over_keys(t)),
        ),
        Misconception(
            "cross hides the target",
            "`cross`: the keys of cross-attention are those of the source, and you hide the padding"
            " of the target",
            _masks_with(cross=lambda s, t: _over_keys(t)),
        ),
        Misconception(
            "cross sees padding",
            "`cross`: the padding of the source can be read: the encoder has made vectors for it,"
            " too, and they mean nothing",
            _masks_with(cross=lambda s, t: torch.ones_like(_over_keys(s))),
        ),
        Misconception(
            "cross from target rows",
            "`cross`: this hides the rows of padded *targets*. What they read does no harm; what is"
            " read does",
            _masks_with(
                cross=lambda s, t: t[:, None, :, None].expand(-1, -1, -1, s.shape[1]).clone()
            ),
        ),
        Misconception(
            "cross is causal",
            "`cross`: the source has been written before the target begins, so all of it may be"
            " read: there is no triangle",
            _masks_with(
                cross=lambda s, t: (
                    _over_keys(s) & torch.ones(t.shape[1], s.shape[1], dtype=torch.bool).tril()
                )
            ),
        ),
        Misconception(
            "encoder is causal",
            "`encoder`: the source is complete, so its tokens may see both sides",
            _masks_with(encoder=lambda s, t: _over_keys(s) & _past(s.shape[1])),
        ),
        Misconception(
            "inverted",
            "all three are the opposite of what they should be: True means that a key may be seen",
            lambda s, t: {name: ~mask for name, mask in _three_masks(s, t).items()},
        ),
        Misconception(
            "no axis of heads",
            "each mask has lost an axis: aligned from the right, the rows of the batch would meet"
            " the heads",
            lambda s, t: {name: mask[:, 0] for name, mask in _three_masks(s, t).items()},
        ),
    ),
    spoilers=("None, None", "tril", "unsqueeze"),
)

# ---- lab13.2: what is shown and what is asked


def _teach(rows: Sequence[Sequence[int]], start_id: int, end_id: int, pad_id: int) -> dict:
    shown = [torch.tensor([start_id, *row]) for row in rows]
    asked = [torch.tensor([*row, end_id]) for row in rows]
    return {
        "inputs": pad_sequence(shown, batch_first=True, padding_value=pad_id),
        "labels": pad_sequence(asked, batch_first=True, padding_value=NOT_ASKED),
    }


def _teach_with(change: Callable[[dict, int, int, int], dict]) -> Callable:
    """Inputs and labels, changed afterwards."""

    def teach(rows, start_id, end_id, pad_id):
        return change(_teach(rows, start_id, end_id, pad_id), start_id, end_id, pad_id)

    return teach


def _no_end(rows, start_id, end_id, pad_id):
    made = _teach([row[:-1] for row in rows], start_id, end_id, pad_id)
    asked = [torch.tensor(list(row)) for row in rows]
    return made | {"labels": pad_sequence(asked, batch_first=True, padding_value=NOT_ASKED)}


def _end_after_padding(rows, start_id, end_id, pad_id):
    made = _teach(rows, start_id, end_id, pad_id)
    bare = [torch.tensor(list(row)) for row in rows]
    labels = pad_sequence(bare, batch_first=True, padding_value=NOT_ASKED)
    return made | {"labels": torch.cat([labels, torch.full((len(rows), 1), end_id)], dim=1)}


def _teach_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    start, end, pad = torch.randperm(4, generator=generator)[:3].tolist()
    lengths = [_whole(3, 5, generator), 2, _whole(1, 3, generator)]
    rows = [torch.randint(10, 90, (n,), generator=generator).tolist() for n in lengths]
    return {
        "rows 11 12 13 and 21, start 1, end 2, padding 0": ([[11, 12, 13], [21]], 1, 2, 0),
        f"{len(rows)} rows, start {start}, end {end}, padding {pad}": (rows, start, end, pad),
    }


teach = Exercise(
    number="lab13.2",
    title="what is shown, what is asked",
    difficulty=2,
    minutes=10,
    reference=_teach,
    cases=_teach_cases,
    hidden=_teach_cases,
    misconceptions=(
        Misconception(
            "not shifted",
            "the decoder is shown at each place the token that it is asked for there: it only has"
            " to copy",
            _teach_with(
                lambda made, start, end, pad: (
                    made | {"inputs": made["labels"].masked_fill(made["labels"] < 0, pad)}
                )
            ),
        ),
        Misconception(
            "off by two",
            "each token is shown two places before it is asked for the next: the inputs begin with"
            " two starts",
            _teach_with(
                lambda made, start, end, pad: (
                    made
                    | {
                        "inputs": torch.cat(
                            [torch.full_like(made["inputs"][:, :1], start), made["inputs"]], dim=1
                        )[:, :-1]
                    }
                )
            ),
        ),
        Misconception(
            "the start is asked",
            "the labels begin with the start: nobody asks for it, it is given",
            _teach_with(
                lambda made, start, end, pad: (
                    made
                    | {"labels": made["inputs"].masked_fill(made["labels"] == NOT_ASKED, NOT_ASKED)}
                )
            ),
        ),
        Misconception(
            "no end",
            "the end is never asked for: in use, the model will not know when to stop",
            _no_end,
        ),
        Misconception(
            "end after padding",
            "the end stands in the last column of every row: it belongs right after each row's last"
            " token",
            _end_after_padding,
        ),
        Misconception(
            "padding asked",
            "padding has labels: the model is trained to write padding, and in short rows mostly"
            " that",
            _teach_with(
                lambda made, start, end, pad: (
                    made | {"labels": made["labels"].masked_fill(made["labels"] < 0, pad)}
                )
            ),
        ),
        Misconception(
            "-100 shown",
            "there is a -100 among the inputs: an embedding has no such row",
            _teach_with(
                lambda made, start, end, pad: (
                    made
                    | {
                        "inputs": torch.cat(
                            [torch.full_like(made["labels"][:, :1], start), made["labels"]], dim=1
                        )[:, :-1].masked_fill(made["labels"] == NOT_ASKED, NOT_ASKED)
                    }
                )
            ),
        ),
        Misconception(
            "end shown as well",
            "the inputs hold the end of shorter rows: after it nothing is asked, so what stands"
            " there is padding",
            _teach_with(
                lambda made, start, end, pad: (
                    made
                    | {
                        "inputs": torch.cat(
                            [
                                torch.full_like(made["labels"][:, :1], start),
                                made["labels"][:, :-1].masked_fill(
                                    made["labels"][:, :-1] == NOT_ASKED, pad
                                ),
                            ],
                            dim=1,
                        )
                    }
                )
            ),
        ),
        Misconception(
            "exchanged",
            "inputs and labels have changed places",
            _teach_with(
                lambda made, start, end, pad: {
                    "inputs": made["labels"],
                    "labels": made["inputs"],
                }
            ),
        ),
    ),
    spoilers=("[start_id, *row]", "[*row, end_id]", "pad_sequence"),
)

# ---- lab13.3: which scores change

_REACHED = {"word": {0, 1, 2, 3}, "padding": set(), "input": {2, 3}, "label": set()}

reached = Exercise(
    number="lab13.3",
    title="which scores change",
    difficulty=2,
    minutes=10,
    reference=_REACHED,
    misconceptions=(
        Misconception(
            "source is causal, too",
            "`word`: the decoder reads the whole source at every place, also at its first one",
            _REACHED | {"word": {1, 2, 3}},
        ),
        Misconception(
            "aligned",
            "`word`: source and target are not aligned place by place: the encoder carries a word"
            " into all its vectors, and every place reads all of them",
            _REACHED | {"word": {0}},
        ),
        Misconception(
            "padding leaks",
            "`padding`: two masks hide it, one from the encoder's tokens, one from the decoder's",
            _REACHED | {"padding": {0, 1, 2, 3}},
        ),
        Misconception(
            "strictly later",
            "`input`: a place sees its own input, too: the scores *at* this place come from it",
            _REACHED | {"input": {3}},
        ),
        Misconception(
            "whole target",
            "`input`: earlier places cannot see it",
            _REACHED | {"input": {0, 1, 2, 3}},
        ),
        Misconception(
            "backwards",
            "`input`: these are the places that *it* sees; asked is who sees it",
            _REACHED | {"input": {0, 1, 2}},
        ),
        Misconception(
            "labels are read",
            "`label`: the model never reads labels, only the loss does",
            _REACHED | {"label": {2}},
        ),
        Misconception(
            "labels are read later",
            "`label`: the inputs are given here and stay as they were: the scores follow from"
            " source and inputs alone",
            _REACHED | {"label": {3}},
        ),
    ),
    spoilers=("{2, 3}", "{0, 1, 2, 3}"),
)

# ---- lab13.4: repair a block of a decoder

_FUTURE, _PADDING, _FORGETS = "future", "padding", "forgets"
_FAULTS = {
    _FUTURE: "a place sees one token of its future",
    _PADDING: "what stands in the padding of the memory changes the result",
    _FORGETS: "what self-attention has found is lost on the way to the feed-forward",
}


def _with_faults(*faults: str) -> Callable:
    """A block of a decoder, step by step, with some faults in."""

    def decode(block, hidden, memory, keep_memory):
        past = torch.ones(hidden.shape[1], hidden.shape[1]).tril(int(_FUTURE in faults)).bool()
        found = hidden + block.attention(block.attention_norm(hidden), Sight(keep=past))
        sight = Sight() if _PADDING in faults else Sight(keep=_over_keys(keep_memory))
        read = block.cross_attention(block.cross_attention_norm(found), sight, memory)
        read = read + (hidden if _FORGETS in faults else found)
        return read + block.feed_forward(block.feed_forward_norm(read))

    return decode


def _no_memory(block, hidden, memory, keep_memory):
    past = Sight(keep=_past(hidden.shape[1]))
    found = hidden + block.attention(block.attention_norm(hidden), past)
    return found + block.feed_forward(block.feed_forward_norm(found))


def _normed_memory(block, hidden, memory, keep_memory):
    return _with_faults()(block, hidden, block.cross_attention_norm(memory), keep_memory)


def _block_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for rows in (2, 3):
        length, keys = _whole(3, 4, generator), _whole(5, 6, generator)
        config = EncoderConfig.tiny(dim=8, heads=2, ff_dim=12, norm="pre", segments=0)
        with torch.random.fork_rng(devices=[]):
            block = Block(config, cross=True).double().eval()
        for _, parameter in sorted(block.named_parameters()):
            with torch.no_grad():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
        hidden, memory = (
            torch.randn(rows, n, 8, generator=generator, dtype=torch.float64)
            for n in (length, keys)
        )
        keep = _rows_of(*range(keys, keys - rows, -1))
        cases[f"{rows} rows, {length} places and {keys} of memory"] = block, hidden, memory, keep
    return cases


decode = Exercise(
    number="lab13.4",
    title="a block that reads",
    difficulty=3,
    minutes=15,
    reference=_with_faults(),
    cases=_block_cases,
    hidden=_block_cases,
    misconceptions=(
        *faults_left(_FAULTS, _with_faults),
        Misconception(
            "no memory",
            "the memory is not read at all",
            _no_memory,
        ),
        Misconception(
            "normed memory",
            "the memory went through the norm of the decoder: only what asks is normed here, the"
            " encoder has normed its own end",
            _normed_memory,
        ),
    ),
    spoilers=("tril()", "None, None", "found + ", "unsqueeze"),
)

# ---- lab13.5: one step of beam search


def _beam_step(total: Tensor, logs: Tensor, finished: Tensor, end_id: int) -> dict[str, Tensor]:
    return _best(total, _only_end(logs, finished, end_id))


def _only_end(logs: Tensor, finished: Tensor, end_id: int, cost: float = 0.0) -> Tensor:
    """A finished draft goes on with the end, and pays nothing for it."""
    stay = torch.full_like(logs, -torch.inf)
    stay[:, end_id] = cost
    return torch.where(finished[:, None], stay, logs)


def _best(total: Tensor, logs: Tensor) -> dict[str, Tensor]:
    width, size = logs.shape
    best = (total[:, None] + logs).flatten().topk(width)
    return {"total": best.values, "draft": best.indices // size, "token": best.indices % size}


def _best_of_each(total, logs, finished, end_id):
    logs = _only_end(logs, finished, end_id)
    gain, token = logs.max(dim=1)
    order = (total + gain).argsort(descending=True)
    return {"total": (total + gain)[order], "draft": order, "token": token[order]}


def _children_of_first(total, logs, finished, end_id):
    logs = _only_end(logs, finished, end_id)
    gain, token = logs[0].topk(len(logs))
    return {"total": total[0] + gain, "draft": torch.zeros_like(token), "token": token}


def _without_total(total, logs, finished, end_id):
    made = _best(torch.zeros_like(total), _only_end(logs, finished, end_id))
    return made | {"total": made["total"] + total[made["draft"]]}


def _swapped(total, logs, finished, end_id):
    made = _beam_step(total, logs, finished, end_id)
    place = made["draft"] * logs.shape[1] + made["token"]
    return made | {"draft": place % len(total), "token": place // len(total)}


def _step_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)

    def case(width: int, size: int, done: Sequence[int]) -> tuple:
        logs = torch.randn(width, size, generator=generator, dtype=torch.float64).log_softmax(-1)
        total = torch.rand(width, generator=generator, dtype=torch.float64)
        total = -(2 * total).sort().values - 1
        finished = torch.zeros(width, dtype=torch.bool)
        finished[list(done)] = True
        return total, logs, finished, size - 1

    hands = torch.tensor([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9]], dtype=torch.float64).log()
    start = torch.tensor([0.6, 0.4], dtype=torch.float64).log()
    return {
        "two drafts of 0.6 and 0.4, three tokens": (start, hands, torch.tensor([False, False]), 2),
        "four drafts, the first has finished": case(4, _whole(5, 7, generator), [0]),
        "three drafts, the last has finished": case(3, _whole(6, 8, generator), [2]),
    }


beam_step = Exercise(
    number="lab13.5",
    title="a step of beam search",
    difficulty=4,
    minutes=15,
    reference=_beam_step,
    cases=_step_cases,
    hidden=_step_cases,
    misconceptions=(
        Misconception(
            "one child each",
            "each draft keeps its own best child: drafts never compete, and a bad one lives on."
            " Choose the best of *all* children",
            _best_of_each,
        ),
        Misconception(
            "the first alone",
            "all new drafts come from the first one: the others have children, too",
            _children_of_first,
        ),
        Misconception(
            "past forgotten",
            "children are ranked by their last token alone: what the draft was worth before counts"
            " as well",
            _without_total,
        ),
        Misconception(
            "end is paid for",
            "a finished draft pays again for every end: then long texts catch up with it for no"
            " reason",
            lambda total, logs, finished, end_id: _best(
                total,
                torch.where(
                    finished[:, None] & (torch.arange(logs.shape[1]) != end_id), -torch.inf, logs
                ),
            ),
        ),
        Misconception(
            "goes on after the end",
            "a draft that has finished goes on with other tokens: nothing comes after the end",
            lambda total, logs, finished, end_id: _best(total, logs),
        ),
        Misconception(
            "finished are dropped",
            "drafts that have finished disappear: they are what we are looking for",
            lambda total, logs, finished, end_id: _best(
                total, torch.where(finished[:, None], -torch.inf, logs).clamp(min=-1e9)
            ),
        ),
        Misconception(
            "draft and token mixed up",
            "from a place in the table back to its row: you divide by the number of drafts, and a"
            " row is as long as the vocabulary",
            _swapped,
        ),
        Misconception(
            "multiplied",
            "logarithms of probabilities are added, and you multiply them",
            lambda total, logs, finished, end_id: _best(
                torch.zeros_like(total), total[:, None] * _only_end(logs, finished, end_id, -1.0)
            ),
        ),
        Misconception(
            "worst first",
            "the new drafts are the right ones, worst first: the best belongs in front",
            lambda total, logs, finished, end_id: {
                name: x.flip(0) for name, x in _beam_step(total, logs, finished, end_id).items()
            },
        ),
    ),
    spoilers=("topk", "//", "flatten", "% "),
)

# ---- lab13.6: how long texts stay right


def _survival(written: Tensor, labels: Tensor) -> Tensor:
    right = ((written == labels) | (labels == NOT_ASKED)).long().cumprod(dim=1).bool()
    asked = labels != NOT_ASKED
    return (right & asked).sum(dim=0) / asked.sum(dim=0)


def _survival_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for rows, length in ((6, 5), (9, 7)):
        labels = torch.randint(3, 6, (rows, length), generator=generator)
        written = torch.where(
            torch.rand(rows, length, generator=generator) < 0.75, labels, (labels - 2) % 3 + 3
        )
        ends = torch.randint(2, length + 1, (rows,), generator=generator)
        ends[0] = length
        # What follows the end is not asked, and what the model wrote there matters to nobody.
        labels = labels.masked_fill(torch.arange(length) >= ends[:, None], NOT_ASKED)
        cases[f"{rows} texts of up to {length} tokens"] = written, labels
    return cases


survival = Exercise(
    number="lab13.6",
    title="how long texts stay right",
    difficulty=3,
    minutes=10,
    reference=_survival,
    cases=_survival_cases,
    hidden=_survival_cases,
    misconceptions=(
        Misconception(
            "each place alone",
            "this is the accuracy at each place: a text that erred earlier and is right again by"
            " chance has not stayed right",
            lambda written, labels: (
                ((written == labels) & (labels != NOT_ASKED)).sum(0) / (labels != NOT_ASKED).sum(0)
            ),
        ),
        Misconception(
            "ended texts count as right",
            "texts that have ended still count, as right ones: at each place ask only those that"
            " have a token there",
            lambda written, labels: (
                ((written == labels) | (labels == NOT_ASKED)).double().cumprod(1).mean(0).float()
            ),
        ),
        Misconception(
            "ended texts count as wrong",
            "your curve falls because texts *end*: they are left out of the sum and still counted"
            " when you divide",
            lambda written, labels: (
                ((written == labels) & (labels != NOT_ASKED)).long().cumprod(1).sum(0) / len(labels)
            ),
        ),
        Misconception(
            "the other way",
            "you count from the end to the beginning",
            lambda written, labels: _survival(written.flip(1), labels.flip(1)).flip(0),
        ),
        Misconception(
            "product of accuracies",
            "you multiply the accuracies of the places: that would be so if mistakes came"
            " independently of each other, and here we can count",
            lambda written, labels: (
                ((written == labels) & (labels != NOT_ASKED)).sum(0) / (labels != NOT_ASKED).sum(0)
            ).cumprod(0),
        ),
        Misconception(
            "share that has erred",
            "this is the share of texts that have made a mistake by then",
            lambda written, labels: 1 - _survival(written, labels),
        ),
        Misconception(
            "one number",
            "one number for all places: the share of whole texts. Asked is a curve",
            lambda written, labels: (
                ((written == labels) | (labels == NOT_ASKED)).all(1).float().mean()
            ),
        ),
    ),
    spoilers=("cumprod", "cummin", "|"),
)
