"""Learn to compare: pull two texts of one object together, push the rest of the batch apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from encoder_course.data.corpus import Corpus
from encoder_course.nn.clip import matching_loss
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.metrics import Report
from encoder_course.tasks.search import rank_report
from encoder_course.tasks.training import History, Plan, train


@dataclass(frozen=True)
class Pair:
    """Two texts that mean the same, or of which one answers the other."""

    first: str
    second: str


def summary_body_pairs(corpus: Corpus, words: int = 60) -> list[Pair]:
    """The summary of each object with the first `words` words of its description.

    Natural labels: whoever wrote them had the same object in mind. The description does not repeat
    the summary, and the name of the object, which would give the pair away, is in neither.
    """
    pairs = []
    for sections in corpus.objects().values():
        if "summary" in sections and "description" in sections:
            body = " ".join(sections["description"].text.split()[:words])
            pairs.append(Pair(sections["summary"].text, body))
    return distinct(pairs)


def distinct(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs of which neither text stood in an earlier one, capitals and spaces aside.

    Two equal texts in one batch would be pushed apart, each being the other's false negative.
    """
    seen: set[str] = set()
    kept = []
    for pair in pairs:
        texts = {" ".join(text.lower().split()) for text in (pair.first, pair.second)}
        if not texts & seen:
            kept.append(pair)
        seen |= texts
    return kept


def info_nce(
    first: Float[Tensor, "B D"], second: Float[Tensor, "B D"], temperature: float = 0.05
) -> Float[Tensor, ""]:
    """The mean loss, in nats, of finding each row's partner among all rows of the other side.

    Cosines divided by `temperature` are the logits of a choice among B; row i is right for row i,
    and the mean is taken over both directions. Chance is log B. Smaller temperatures weigh the
    hardest negatives more. van den Oord et al., 2018; Radford et al., 2021. ValueError for a
    temperature that is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, but it is {temperature}")
    logits = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T / temperature  # (B, B)
    return matching_loss(logits)


class ContrastiveEncoder:
    """A sentence encoder that is trained on pairs, with the rest of each batch as negatives.

    `widths`, if given, are prefixes of the vector that have to do as well: the loss is the mean
    over them and the whole, so that vectors can be cut for a smaller index (Matryoshka
    representations; Kusupati et al., 2022). `fit` changes the weights of the encoder it is given.
    ValueError for a width that the encoder does not have.
    """

    def __init__(
        self, encoder: SentenceEncoder, *, temperature: float = 0.05, widths: Sequence[int] = ()
    ) -> None:
        full = encoder.encoder.config.dim
        if any(not 1 <= width <= full for width in widths):
            raise ValueError(f"widths are {tuple(widths)} but the encoder gives {full} numbers")
        self.encoder = encoder
        self.temperature = temperature
        self.widths = sorted({*widths, full})
        self.history = History()

    def fit(
        self,
        pairs: Sequence[Pair],
        *,
        validation: Sequence[Pair] | None = None,
        epochs: int = 1,
        batch: int = 32,
        lr: float = 2e-5,
        patience: int = 1,
        seed: int = 0,
        progress: bool = True,
    ) -> ContrastiveEncoder:
        """Train on the distinct pairs; `batch` - 1 of them are negatives for each."""
        plan = Plan(lr=lr, epochs=epochs, batch=batch, patience=patience)
        kept = distinct(pairs)
        held = distinct(validation) if validation else None
        model = self.encoder.encoder
        self.history = train(
            model, self.loss, kept, plan, validation=held, seed=seed, progress=progress
        )
        return self

    def loss(self, pairs: Sequence[Pair]) -> Float[Tensor, ""]:
        """InfoNCE of one batch, the mean over the widths."""
        first = self.encoder.trainable([pair.first for pair in pairs])
        second = self.encoder.trainable([pair.second for pair in pairs])
        losses = [
            info_nce(first[:, :width], second[:, :width], self.temperature) for width in self.widths
        ]
        return torch.stack(losses).mean()

    def predict(self, texts: Sequence[str], progress: bool = False) -> Float[Tensor, "B D"]:
        """One vector per text."""
        return self.encoder.encode(texts, progress)

    def evaluate(
        self, pairs: Sequence[Pair], k: int = 10, *, resamples: int = 1000, seed: int = 0
    ) -> Report:
        """How well the second text is found, among those of all pairs, by the first one."""
        kept = distinct(pairs)
        first = F.normalize(self.predict([pair.first for pair in kept]), dim=-1)
        second = F.normalize(self.predict([pair.second for pair in kept]), dim=-1)
        cosines = first @ second.T  # (B, B)
        ranks = 1 + (cosines > cosines.diagonal()[:, None]).sum(dim=1)
        return rank_report(ranks.tolist(), k, resamples=resamples, seed=seed)

    def save(self, folder: str | Path) -> Path:
        """Write the sentence encoder, which `SentenceEncoder.load` reads as well."""
        return self.encoder.save(folder)

    @classmethod
    def load(cls, folder: str | Path, **settings: Any) -> ContrastiveEncoder:
        """What `save` wrote, to be trained further with these settings of the constructor."""
        return cls(SentenceEncoder.load(folder), **settings)
