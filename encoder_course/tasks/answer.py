"""Answering a question with a span of a text, or with nothing where the text does not say."""

from __future__ import annotations

import copy
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.nn import Encoder
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.metrics import Report, accuracy, measure
from encoder_course.tasks.storage import ENCODER, WithHead
from encoder_course.tasks.training import plan_of, seeded, train
from encoder_course.text.batching import pad
from encoder_course.text.tokenizer import Tokenizer

PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Lower case, without punctuation, articles and spare white space (Rajpurkar et al., 2016)."""
    text = text.lower().translate(PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(predicted: str, references: Sequence[str]) -> float:
    """1 where the normalised answer is one of the references, else 0; no references: no answer."""
    return _best(lambda answer, true: float(answer == true), predicted, references)


def f1(predicted: str, references: Sequence[str]) -> float:
    """The best F1, over the references, of the words that answer and reference share.

    No references: 1 for the empty answer and 0 for any other (Rajpurkar et al., 2018).
    """
    return _best(_overlap, predicted, references)


def _best(score: Callable[[str, str], float], predicted: str, references: Sequence[str]) -> float:
    true = [answer for answer in map(normalise_answer, references) if answer] or [""]
    return max(score(normalise_answer(predicted), answer) for answer in true)


def _overlap(predicted: str, true: str) -> float:
    ours, theirs = predicted.split(), true.split()
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * (Counter(ours) & Counter(theirs)).total() / (len(ours) + len(theirs))


def best_span(
    start: Float[Tensor, " T"], end: Float[Tensor, " T"], keep: Bool[Tensor, " T"], longest: int
) -> tuple[float, int, int]:
    """(score, first, last) of the best span: the largest start[first] + end[last].

    Both ends lie where `keep` is True, first <= last, and the span has at most `longest` tokens.
    The best start and the best end taken apart may break each of these. ValueError where no span
    is allowed. Devlin et al., 2018, section 4.2.
    """
    if longest < 1 or not keep.any():
        raise ValueError(f"no span of at most {longest} tokens in {int(keep.sum())} kept ones")
    allowed = torch.ones(len(start), len(end), dtype=torch.bool, device=start.device)
    allowed = allowed.triu().tril(longest - 1) & keep[:, None] & keep  # (T, T)
    scores = (start[:, None] + end).masked_fill(~allowed, -torch.inf)  # (T, T)
    first, last = divmod(int(scores.argmax()), len(end))
    return scores[first, last].item(), first, last


def windows(length: int, room: int, stride: int) -> list[range]:
    """Stretches of at most `room` tokens, `stride` apart, that together cover `length` tokens.

    ValueError for a stride that would leave tokens out.
    """
    if not 1 <= stride <= room:
        raise ValueError(f"the stride is {stride} tokens but a window has room for {room}")
    beginnings = range(0, max(1, length - room + stride), stride)
    return [range(first, min(first + room, length)) for first in beginnings]


def best_threshold(
    margins: Float[np.ndarray, " B"],
    if_answered: Float[np.ndarray, " B"],
    if_silent: Float[np.ndarray, " B"],
) -> float:
    """The margin above which to answer, so that the mean score is largest.

    Each example counts `if_answered` where its margin is above the threshold, else `if_silent`.
    """
    order = np.argsort(margins, kind="stable")
    gains = (if_silent - if_answered)[order]
    cuts = margins[order]
    # Answer everything, or keep silent up to and including the k-th smallest margin.
    totals = np.concatenate([[0.0], np.cumsum(gains)])
    possible = np.append(cuts[:-1] < cuts[1:], True)  # equal margins fall on one side
    totals[1:][~possible] = -np.inf
    best = int(totals.argmax())
    if best == 0:
        return float(cuts[0]) - 1.0
    return float(cuts[best - 1] + cuts[best]) / 2 if best < len(cuts) else float(cuts[-1]) + 1.0


@dataclass(frozen=True)
class Extract:
    """An answer: `context[start:end]`, or "" from 0 to 0 where there is none.

    `margin` is by how much the best span scored above no answer.
    """

    start: int
    end: int
    text: str
    margin: float


@dataclass(frozen=True)
class Window:
    """[CLS] question [SEP] part of the context [SEP], as ids."""

    example: int  # which example it is of
    ids: list[int]
    body: range  # places in `ids` that hold context
    offsets: list[tuple[int, int]]  # characters of the context, for each place of the body


class Answerer(WithHead):
    """An encoder and two scores for each token: the answer starts here, it ends here.

    Examples are records such as `data.public.Question`: `.question`, `.context`, and `.answers` as
    (start, end) in characters of the context, none where it has no answer. The first answer is
    trained on, all count in `evaluate`. No answer is the span that starts and ends at [CLS]. A
    long context is read in windows of `max_len` tokens, `stride` apart. A copy of the encoder is
    trained. Devlin et al., 2018, sections 4.2 and 4.3.
    """

    kept = ("classes", "threshold")
    epochs = 4  # at most, where `fit` is not told

    def __init__(
        self,
        encoder: Encoder,
        tokenizer: Tokenizer,
        *,
        max_len: int = 256,
        stride: int = 128,
        longest: int = 30,
        lr: float = 5e-5,
        head_lr: float = 1e-3,
        batch: int = 16,
    ) -> None:
        if stride < 1 or longest < 1:
            raise ValueError(f"stride is {stride} and longest {longest}, but 1 is the least")
        super().__init__(
            max_len=max_len, stride=stride, longest=longest, lr=lr, head_lr=head_lr, batch=batch
        )
        self.start = SentenceEncoder(encoder, tokenizer, max_len=max_len)  # checks that they fit
        self.encoder = encoder
        self.threshold: float = 0.0

    def new_head(self) -> nn.Module:
        width = self.start.width
        return nn.Sequential(nn.LayerNorm(width), nn.Dropout(0.1), nn.Linear(width, 2))

    def fit(
        self,
        examples: Sequence[Any],
        *,
        validation: Sequence[Any] | None = None,
        epochs: int | None = None,
        seed: int = 0,
        patience: int = 2,
        progress: bool = True,
    ) -> Answerer:
        """Learn from the examples, anew each time. ValueError for an answer not in its context.

        Training stops when the loss on `validation` has not fallen for `patience` epochs; then the
        threshold for no answer is chosen there, for the best F1. Without validation it is 0.
        """
        rows = self.rows(examples)
        held = self.rows(validation) if validation else None
        self.classes, self.threshold = ["start", "end"], 0.0
        with seeded(seed):
            self.head = self.new_head()
        self.encoder = copy.deepcopy(self.start.encoder).requires_grad_()
        self.history = train(
            nn.ModuleDict({"encoder": self.encoder, "head": self.head}),
            self.loss,
            rows,
            plan_of(self.settings, epochs or self.epochs, patience),
            validation=held,
            length=lambda row: len(row[0].ids),
            seed=seed,
            progress=progress,
        )
        if validation:
            self.choose_threshold(validation)
        return self

    def choose_threshold(self, validation: Sequence[Any]) -> None:
        """Set the threshold that gives the best F1 on examples that were not trained on."""
        found, true = self.candidates(*_pairs(validation)), [_texts(x) for x in validation]
        answered = [f1(x.text, texts) for x, texts in zip(found, true, strict=True)]
        silent = [f1("", texts) for texts in true]
        margins = np.array([x.margin for x in found])
        self.threshold = best_threshold(margins, np.array(answered), np.array(silent))

    def rows(self, examples: Sequence[Any]) -> list[tuple[Window, tuple[int, int]]]:
        """Each window with the places of its answer; (0, 0), [CLS], where it holds none whole."""
        for example in examples:
            for start, end in example.answers:
                if not 0 <= start < end <= len(example.context):
                    raise ValueError(
                        f"the answer is at {start} to {end} but the context has"
                        f" {len(example.context)} characters"
                    )
                if not example.context[start:end].strip():
                    raise ValueError(f"the answer at {start} to {end} is only white space")
        return [
            (window, _places(window, examples[window.example].answers))
            for window in self.read(*_pairs(examples))
        ]

    def read(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Window]:
        """The windows of all examples. ValueError for an empty text or too long a question."""
        if isinstance(questions, str) or isinstance(contexts, str):
            raise TypeError("questions and contexts are lists of texts, but one is a str")
        if len(questions) != len(contexts):
            raise ValueError(f"there are {len(questions)} questions but {len(contexts)} contexts")
        if not len(questions):
            return []
        tokenizer, found = self.start.tokenizer, []
        asked = tokenizer.encode_batch(questions, special=False)
        given = tokenizer.encode_batch(contexts, special=False)
        for i, (question, context) in enumerate(zip(asked, given, strict=True)):
            for name, tokens in (("question", question), ("context", context)):
                if not len(tokens):
                    raise ValueError(f"the {name} of example {i} is empty")
            room = self.settings["max_len"] - len(question) - 3
            if room < self.settings["stride"]:
                raise ValueError(
                    f"the question of example {i} has {len(question)} tokens, which leaves {room}"
                    f" of max_len {self.settings['max_len']} for the context, less than the stride"
                    f" of {self.settings['stride']}"
                )
            front = [tokenizer.cls_id, *question.ids, tokenizer.sep_id]
            for part in windows(len(context), room, self.settings["stride"]):
                ids = [*front, *context.ids[part.start : part.stop], tokenizer.sep_id]
                offsets = context.offsets[part.start : part.stop]
                found.append(Window(i, ids, range(len(front), len(ids) - 1), offsets))
        return found

    def logits(self, batch: Sequence[Window]) -> tuple[Float[Tensor, "B T 2"], Bool[Tensor, "B T"]]:
        """Start and end scores of each token, and which tokens are context."""
        device = self.encoder.embed.token.weight.device
        ids, keep = pad([window.ids for window in batch], self.start.tokenizer.pad_id)
        context = torch.zeros_like(keep)
        segments = torch.zeros_like(ids)
        for i, window in enumerate(batch):
            context[i, window.body.start : window.body.stop] = True
            segments[i, window.body.start : len(window.ids)] = 1
        second = segments.to(device) if self.encoder.config.segments > 1 else None
        hidden = self.encoder(ids.to(device), keep.to(device), second)  # (B, T, D)
        return self.head(hidden), context.to(device)  # (B, T, 2)

    def loss(self, batch: list[tuple[Window, tuple[int, int]]]) -> Tensor:
        """The mean cross-entropy of start and end, over the context and [CLS]."""
        logits, context = self.logits([window for window, _ in batch])
        context[:, 0] = True  # no answer
        logits = logits.masked_fill(~context[..., None], -torch.inf)
        targets = torch.tensor([places for _, places in batch], device=logits.device)  # (B, 2)
        return F.cross_entropy(logits, targets)

    @torch.no_grad()
    def candidates(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Extract]:
        """The best span of each context, whether or not its margin is above the threshold.

        Over the windows of a context: the highest span against the lowest score of no answer.
        """
        self.require_fit()
        self.encoder.eval()
        found, size = self.read(questions, contexts), self.settings["batch"]
        best: dict[int, tuple[float, int, int]] = {}
        silent: dict[int, float] = {}
        for at in range(0, len(found), size):
            batch = found[at : at + size]
            logits, keep = self.logits(batch)
            for window, scores, context in zip(batch, logits.cpu(), keep.cpu(), strict=True):
                i, body = window.example, window.body.start
                score, first, last = best_span(*scores.T, context, self.settings["longest"])
                span = score, window.offsets[first - body][0], window.offsets[last - body][1]
                best[i] = max(best.get(i, span), span, key=lambda span: span[0])
                silent[i] = min(silent.get(i, torch.inf), scores[0].sum().item())
        return [
            Extract(start, end, contexts[i][start:end], score - silent[i])
            for i, (score, start, end) in sorted(best.items())
        ]

    def predict(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Extract]:
        """The answer to each question in its context. ValueError before `fit`."""
        return [
            found if found.margin > self.threshold else Extract(0, 0, "", found.margin)
            for found in self.candidates(questions, contexts)
        ]

    def evaluate(self, examples: Sequence[Any], *, resamples: int = 1000, seed: int = 0) -> Report:
        """Exact match, F1, and how often it is right that there is an answer; with intervals."""
        found = [extract.text for extract in self.predict(*_pairs(examples))]
        true = [_texts(example) for example in examples]
        matches = [exact_match(x, texts) for x, texts in zip(found, true, strict=True)]
        overlaps = [f1(x, texts) for x, texts in zip(found, true, strict=True)]
        draws = dict(resamples=resamples, seed=seed)
        there, said = [bool(texts) for texts in true], [bool(text) for text in found]
        metrics = [
            measure("exact match", np.mean, matches, **draws),
            measure("F1", np.mean, overlaps, **draws),
            measure("answerable", accuracy, there, said, **draws),
        ]
        return Report(metrics, len(examples), type(self).__name__)

    def save(self, folder: str | Path) -> Path:
        self.require_fit()
        encoder = copy.copy(self.start)
        encoder.encoder = self.encoder
        encoder.save(Path(folder) / ENCODER)
        return super().save(folder)

    @classmethod
    def stored(cls, folder: Path) -> tuple[Encoder, Tokenizer]:
        encoder = SentenceEncoder.load(folder / ENCODER)
        return encoder.encoder, encoder.tokenizer


def _pairs(examples: Sequence[Any]) -> tuple[list[str], list[str]]:
    return [example.question for example in examples], [example.context for example in examples]


def _texts(example: Any) -> list[str]:
    return [example.context[start:end] for start, end in example.answers]


def _places(window: Window, answers: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The first and last token of the first answer; [CLS] where the window does not hold it."""
    if not answers:
        return 0, 0
    start, end = answers[0]
    if window.offsets[0][0] > start or window.offsets[-1][1] < end:
        return 0, 0
    inside = [i for i, (a, b) in enumerate(window.offsets) if a < end and b > start]
    return (window.body[inside[0]], window.body[inside[-1]]) if inside else (0, 0)
