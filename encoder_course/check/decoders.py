"""Checks of notebook 13: encoders, decoders and both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from encoder_course.check.base import Exercise, Misconception
from encoder_course.check.running import call
from encoder_course.text.masking import NOT_ASKED

NextLogits = Callable[[Sequence[int]], Tensor]


# ---- 13.1: the mask of a decoder


def _past(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


def _decoder_mask(keep: Tensor) -> Tensor:
    return keep[:, None, None, :] & _past(keep.shape[1])


def _rows_of(*lengths: int) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


decoder_mask = Exercise(
    number="13.1",
    title="the mask of a decoder",
    difficulty=2,
    minutes=10,
    reference=_decoder_mask,
    cases=lambda: {
        "two rows, of 4 tokens and of 2": (_rows_of(4, 2),),
        "two rows, the second padded on the left": (
            torch.tensor([[True, True, True], [False, True, True]]),
        ),
    },
    misconceptions=(
        Misconception(
            "upside down",
            "the mask stands on its head: each token sees itself and the *future*. Rows are the"
            " tokens that look",
            lambda keep: keep[:, None, None, :] & _past(keep.shape[1]).T,
        ),
        Misconception(
            "strictly past",
            "no token sees itself, and the first one sees nothing at all: the diagonal is False",
            lambda keep: keep[:, None, None, :] & _past(keep.shape[1]).tril(-1),
        ),
        Misconception(
            "one step ahead",
            "each token sees its successor as well, which is the very token it is asked for",
            lambda keep: (
                keep[:, None, None, :] & torch.ones(keep.shape[1], keep.shape[1]).bool().tril(1)
            ),
        ),
        Misconception(
            "padding in view",
            "the past is right, but padding can be looked at: where rows are padded on the left, it"
            " lies in everybody's past",
            lambda keep: _past(keep.shape[1])[None, None].repeat(len(keep), 1, 1, 1),
        ),
        Misconception(
            "no past",
            "only padding is hidden: this is the mask of an encoder",
            lambda keep: keep[:, None, None, :].repeat(1, 1, keep.shape[1], 1),
        ),
        Misconception(
            "either",
            "a place is open if *one* of the two conditions allows it: both have to",
            lambda keep: keep[:, None, None, :] | _past(keep.shape[1]),
        ),
        Misconception(
            "padding does not look",
            "you close the rows of padding tokens, and their columns stay open: hidden is what is"
            " looked *at*",
            lambda keep: keep[:, None, :, None] & _past(keep.shape[1]),
        ),
        Misconception(
            "inverted",
            "every place is the opposite of what it should be: True means that a key may be seen",
            lambda keep: ~_decoder_mask(keep),
        ),
        Misconception(
            "no axis of heads",
            "the places are right, but the shape (B, T, S) has no axis for the heads: aligned from"
            " the right, B would meet H",
            lambda keep: _decoder_mask(keep)[:, 0],
        ),
    ),
    spoilers=("tril", "None, None", "unsqueeze"),
)


# ---- 13.2: the best that a decoder can do

best_possible = Exercise(
    number="13.2",
    title="the best that a decoder can do",
    difficulty=2,
    minutes=5,
    reference=13 / 24,
    misconceptions=(
        Misconception(
            "everything",
            "that is what an encoder can reach: for half of the sentences the clue has not been"
            " read yet at the blank",
            1,
        ),
        Misconception(
            "half",
            "nearly: where the clue is unseen, a guess is still right sometimes",
            1 / 2,
        ),
        Misconception(
            "nothing",
            "that would be so if the clue never stood before the blank; it does in half of the"
            " sentences",
            1 / 12,
        ),
        Misconception(
            "guess added",
            "you added the whole chance of a guess: it helps only in the half without a clue",
            1 / 2 + 1 / 12,
        ),
        Misconception(
            "average of certainties",
            "you give the decoder an even chance where the clue is unseen: there are twelve goods,"
            " not two",
            3 / 4,
        ),
    ),
)


# ---- 13.3: what the decoder sees while it is asked


def _shift(labels: Tensor, start_id: int, pad_id: int) -> Tensor:
    first = torch.full_like(labels[:, :1], start_id)
    return _filled(torch.cat([first, labels[:, :-1]], dim=1), pad_id)


def _filled(ids: Tensor, pad_id: int) -> Tensor:
    return ids.masked_fill(ids == NOT_ASKED, pad_id)


shift = Exercise(
    number="13.3",
    title="inputs from labels",
    difficulty=2,
    minutes=10,
    reference=_shift,
    cases=lambda: {
        "labels of 4 and of 2 tokens": (
            torch.tensor([[11, 12, 13, 2], [21, 2, NOT_ASKED, NOT_ASKED]]),
            1,
            0,
        ),
        "one row, the start is 7 and padding 9": (torch.tensor([[31, 32, 2, NOT_ASKED]]), 7, 9),
    },
    misconceptions=(
        Misconception(
            "not shifted",
            "the decoder sees at each place the very token that it is asked for there: it will"
            " learn to copy, its loss will be near 0, and it will write nonsense",
            lambda labels, start_id, pad_id: _filled(labels, pad_id),
        ),
        Misconception(
            "not shifted, start overwrites",
            "the first token is replaced by the start, and the others have not moved: the decoder"
            " still sees the answer at every other place",
            lambda labels, start_id, pad_id: _filled(
                labels.clone().index_fill_(1, torch.tensor(0), start_id), pad_id
            ),
        ),
        Misconception(
            "the wrong way",
            "you moved the row to the left: each place shows the token *after* the one asked for",
            lambda labels, start_id, pad_id: _filled(
                torch.cat([labels[:, 1:], torch.full_like(labels[:, :1], pad_id)], dim=1), pad_id
            ),
        ),
        Misconception(
            "off by two",
            "the row moved by two places: the decoder never sees the token right before the one it"
            " is asked for",
            lambda labels, start_id, pad_id: _shift(
                _shift(labels, start_id, pad_id), start_id, pad_id
            ),
        ),
        Misconception(
            "in a circle",
            "the last label has come round to the front: what stands first must be the start",
            lambda labels, start_id, pad_id: _filled(labels.roll(1, dims=1), pad_id),
        ),
        Misconception(
            "-100 left in",
            "there is a -100 among the inputs: it is a mark for the loss and no token, and a table"
            " of embeddings has no such row",
            lambda labels, start_id, pad_id: torch.cat(
                [torch.full_like(labels[:, :1], start_id), labels[:, :-1]], dim=1
            ),
        ),
        Misconception(
            "one longer",
            "the start is in front, but nothing fell off at the end: inputs and labels must be of"
            " one length, as each input is asked for one label",
            lambda labels, start_id, pad_id: _filled(
                torch.cat([torch.full_like(labels[:, :1], start_id), labels], dim=1), pad_id
            ),
        ),
        Misconception(
            "padding for start",
            "it begins with padding: this model has a start of its own (in T5 the two are one id,"
            " here they are not)",
            lambda labels, start_id, pad_id: _shift(labels, pad_id, pad_id),
        ),
    ),
    spoilers=("[:, :-1]", "masked_fill", "roll("),
)


# ---- 13.4: writing


def _language(seed: int, tokens: int = 6) -> NextLogits:
    """Scores that depend on every token so far, later ones more."""
    table = torch.randn(tokens, tokens, generator=Generator().manual_seed(seed))

    def next_logits(ids: Sequence[int]) -> Tensor:
        total = torch.zeros(tokens)
        for token in ids:
            total = 0.6 * total + table[int(token)]
        return total

    return next_logits


def _write(next_logits: NextLogits, start_id: int, end_id: int, limit: int) -> list[int]:
    ids = [start_id]
    while len(ids) <= limit:
        token = int(next_logits(ids).argmax())
        if token == end_id:
            break
        ids.append(token)
    return ids[1:]


def _write_with(step: Callable[[NextLogits, list[int]], Tensor], stop: bool = True) -> Callable:
    """Writing with another idea of what the model is asked, or without an end."""

    def write(next_logits, start_id, end_id, limit):
        ids = [start_id]
        for _ in range(limit):
            token = int(step(next_logits, ids))
            if stop and token == end_id:
                break
            ids.append(token)
        return ids[1:]

    return write


def _right_steps(next_logits: NextLogits, ids: list[int]) -> Tensor:
    return next_logits(ids).argmax()


def _write_seen(write: Callable, seed: int = 0) -> Mapping[str, Any]:
    ends, runs_on = _language(222), _language(192)
    return {
        "it ends by itself": call(write, ends, 1, 2, 9),
        "it meets the limit": call(write, runs_on, 1, 2, 4),
        "the end comes first": call(write, lambda ids: torch.eye(6)[2], 1, 2, 5),
    }


write = Exercise(
    number="13.4",
    title="writing, one token at a time",
    difficulty=3,
    minutes=15,
    reference=_write,
    observe=_write_seen,
    misconceptions=(
        Misconception(
            "the start again",
            "every token is what follows the start alone: what has been written is never given back"
            " to the model",
            _write_with(lambda next_logits, ids: next_logits(ids[:1]).argmax()),
        ),
        Misconception(
            "the last token alone",
            "the model is shown only the last token, as if it had forgotten the rest",
            _write_with(lambda next_logits, ids: next_logits(ids[-1:]).argmax()),
        ),
        Misconception(
            "without the start",
            "the model is shown what was written without the start before it: in training the start"
            " was always there",
            _write_with(
                lambda next_logits, ids: next_logits(ids[1:] if len(ids) > 1 else ids).argmax()
            ),
        ),
        Misconception(
            "no end",
            "it goes on writing after the end, up to the limit",
            _write_with(_right_steps, stop=False),
        ),
        Misconception(
            "start kept",
            "the start is in the result: nobody has written it",
            lambda next_logits, start_id, end_id, limit: [
                start_id,
                *_write(next_logits, start_id, end_id, limit),
            ],
        ),
        Misconception(
            "end kept",
            "the end is in the result: it is a signal and no part of the text",
            lambda next_logits, start_id, end_id, limit: (
                [*written, end_id]
                if len(written := _write(next_logits, start_id, end_id, limit)) < limit
                else written
            ),
        ),
        Misconception(
            "one too few",
            "where the limit stops it, the text is a token short: the start does not count",
            lambda next_logits, start_id, end_id, limit: _write(
                next_logits, start_id, end_id, limit - 1
            ),
        ),
        Misconception(
            "one too many",
            "where the limit stops it, the text is a token too long",
            lambda next_logits, start_id, end_id, limit: _write(
                next_logits, start_id, end_id, limit + 1
            ),
        ),
        Misconception(
            "worst",
            "at each step you take the *least* probable token",
            _write_with(lambda next_logits, ids: next_logits(ids).argmin()),
        ),
    ),
    spoilers=("argmax", "append", "ids[-1]"),
)


# ---- 13.5: token accuracy without the teacher


def _own_steps(next_logits: NextLogits, target: Sequence[int], start_id: int) -> list[int]:
    """As many tokens as the target has, each after the model's own ones."""
    ids = [start_id]
    for _ in target:
        ids.append(int(next_logits(ids).argmax()))
    return ids[1:]


def _forced_steps(next_logits: NextLogits, target: Sequence[int], start_id: int) -> list[int]:
    inputs = [start_id, *target[:-1]]
    return [int(next_logits(inputs[: t + 1]).argmax()) for t in range(len(target))]


def _accuracy(next_logits: NextLogits, targets: Sequence[Sequence[int]], start_id: int) -> float:
    hits = [
        wrote == wanted
        for target in targets
        for wrote, wanted in zip(_own_steps(next_logits, target, start_id), target, strict=True)
    ]
    return sum(hits) / len(hits)


def _by(count: Callable[[list[int], Sequence[int]], tuple[int, int]], steps: Callable) -> Callable:
    """An accuracy from what is counted in each pair of a written and a wanted text."""

    def accuracy(next_logits, targets, start_id):
        pairs = [count(steps(next_logits, t, start_id), t) for t in targets]
        return sum(hit for hit, _ in pairs) / sum(asked for _, asked in pairs)

    return accuracy


def _places(wrote: list[int], wanted: Sequence[int]) -> tuple[int, int]:
    return sum(a == b for a, b in zip(wrote, wanted, strict=True)), len(wanted)


def _until_wrong(wrote: list[int], wanted: Sequence[int]) -> tuple[int, int]:
    same = [a == b for a, b in zip(wrote, wanted, strict=True)]
    return (same.index(False) if False in same else len(same)), len(wanted)


def _accuracy_cases() -> dict[str, tuple]:
    """Targets near what the model would write: a wrong token sends it on another way."""
    cases = {}
    for seed, lengths in ((5, (6, 4, 7)), (8, (5, 8))):
        language = _language(seed)
        targets = []
        for row, length in enumerate(lengths):
            right = _own_steps(language, range(length), 1)
            right[row + 1] = (right[row + 1] + 1) % 6  # where the model will err
            rest = _language(seed)
            prefix = [1, *right[: row + 2]]
            while len(prefix) <= length:  # and what it would have written after the right token
                prefix.append(int(rest(prefix).argmax()))
            targets.append(prefix[1:])
        cases[f"{len(lengths)} targets, language {seed}"] = language, targets, 1
    return cases


accuracy = Exercise(
    number="13.5",
    title="tokens right without the teacher",
    difficulty=3,
    minutes=15,
    reference=_accuracy,
    cases=_accuracy_cases,
    misconceptions=(
        Misconception(
            "teacher forcing",
            "the model is shown the right tokens before each place, also after it has erred: nobody"
            " will do that for it once it is in use",
            _by(_places, _forced_steps),
        ),
        Misconception(
            "whole texts",
            "this is the share of texts without any mistake: the share of tokens is asked",
            lambda next_logits, targets, start_id: (
                sum(_own_steps(next_logits, t, start_id) == list(t) for t in targets) / len(targets)
            ),
        ),
        Misconception(
            "up to the first mistake",
            "what is right by chance after a mistake counts, too: you stop at the first one",
            _by(_until_wrong, _own_steps),
        ),
        Misconception(
            "mean over texts",
            "you average the shares of the texts, so a token of a short text counts more: every"
            " token counts the same",
            lambda next_logits, targets, start_id: (
                sum(
                    hit / asked
                    for hit, asked in (
                        _places(_own_steps(next_logits, t, start_id), t) for t in targets
                    )
                )
                / len(targets)
            ),
        ),
        Misconception(
            "a count",
            "this is how many tokens are right: the share is asked",
            lambda next_logits, targets, start_id: (
                _accuracy(next_logits, targets, start_id) * sum(map(len, targets))
            ),
        ),
        Misconception(
            "wrong ones",
            "this is the share of wrong tokens",
            lambda next_logits, targets, start_id: 1 - _accuracy(next_logits, targets, start_id),
        ),
    ),
    spoilers=("append", "argmax"),
)
