"""Answering a question with a span of a text, or with nothing where the text does not say."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.nn import Encoder
from encoder_course.progress import track
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.metrics import Report
from encoder_course.tasks.span_metrics import (
    SILENT,
    Extract,
    best_threshold,
    f1,
    references,
    report,
)
from encoder_course.tasks.storage import ENCODER, WithHead
from encoder_course.tasks.training import plan_of, seeded, train
from encoder_course.tasks.windows import Window, places, read
from encoder_course.text.batching import pad
from encoder_course.text.tokenizer import Tokenizer


def best_span(
    start: Float[Tensor, " T"],
    end: Float[Tensor, " T"],
    keep: Bool[Tensor, " T"],
    longest: int,
    begin: Bool[Tensor, " T"] | None = None,
) -> tuple[float, int, int]:
    """(score, first, last) of the best span: the largest start[first] + end[last].

    Both ends lie where `keep` is True, first <= last, and the span has at most `longest` tokens;
    with `begin`, it starts where that is True. The best start and the best end taken apart may
    break each of these. ValueError where no span is allowed. Devlin et al., 2018, section 4.2.
    """
    if longest < 1 or not (keep if begin is None else keep & begin).any():
        raise ValueError(f"no span of at most {longest} tokens in {int(keep.sum())} kept ones")
    allowed = torch.ones(len(start), len(end), dtype=torch.bool, device=start.device)
    allowed = allowed.triu().tril(longest - 1) & keep[:, None] & keep  # (T, T)
    if begin is not None:
        allowed &= begin[:, None]
    scores = (start[:, None] + end).masked_fill(~allowed, -torch.inf)  # (T, T)
    first, last = divmod(int(scores.argmax()), len(end))
    return scores[first, last].item(), first, last


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
        found, true = self.candidates(*_pairs(validation)), [references(x) for x in validation]
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
            (window, places(window, examples[window.example].answers))
            for window in self.read(*_pairs(examples))
        ]

    def read(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Window]:
        """The windows of all examples. ValueError for an empty text or too long a question."""
        shape = self.settings["max_len"], self.settings["stride"]
        return read(self.start.tokenizer, questions, contexts, *shape)

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
    def candidates(
        self, questions: Sequence[str], contexts: Sequence[str], progress: bool = False
    ) -> list[Extract]:
        """The best span of each context, whether or not its margin is above the threshold.

        A span belongs to the window in which its first token has the most context. Windows are
        compared by their margins, the best span's score less that of no answer there: each window
        was normalised by itself, so bare scores of two windows do not compare (Clark and Gardner,
        2018).
        """
        self.require_fit()
        self.encoder.eval()
        found, size = self.read(questions, contexts), self.settings["batch"]
        best: dict[int, Extract] = {}
        order = sorted(range(len(found)), key=lambda i: len(found[i].ids))  # little padding
        for at in track(range(0, len(found), size), "read", progress):
            batch = [found[i] for i in order[at : at + size]]
            logits, keep = self.logits(batch)
            for window, scores, context in zip(batch, logits.cpu(), keep.cpu(), strict=True):
                begin = torch.zeros_like(context)
                begin[window.owned.start : window.owned.stop] = True
                if not begin.any():  # each of its tokens has more context elsewhere
                    continue
                score, first, last = best_span(*scores.T, context, self.settings["longest"], begin)
                start = window.offsets[first - window.body.start][0]
                end = window.offsets[last - window.body.start][1]
                text = contexts[window.example][start:end]
                span = Extract(start, end, text, score - scores[0].sum().item())
                known = best.get(window.example, span)
                best[window.example] = max(known, span, key=lambda extract: extract.margin)
        return [extract for _, extract in sorted(best.items())]

    def predict(
        self, questions: Sequence[str], contexts: Sequence[str], progress: bool = False
    ) -> list[Extract]:
        """The answer to each question in its context. ValueError before `fit`."""
        return [
            found if found.margin > self.threshold else replace(SILENT, margin=found.margin)
            for found in self.candidates(questions, contexts, progress)
        ]

    def evaluate(self, examples: Sequence[Any], *, resamples: int = 1000, seed: int = 0) -> Report:
        """Exact match, F1, and how often it is right that there is an answer; with intervals."""
        found = self.predict(*_pairs(examples))
        return report(examples, found, type(self).__name__, resamples=resamples, seed=seed)

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
