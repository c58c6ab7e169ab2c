"""Three ways from an encoder to a class: features, a trained head, and fine-tuning.

Their interface is `classifier.Classifier`; what they have to beat stands in `baselines`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.nn import Encoder
from encoder_course.tasks.classifier import Classifier
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.features import Features
from encoder_course.tasks.storage import ENCODER, WithHead
from encoder_course.tasks.training import cross_entropy, seeded, train
from encoder_course.text.tokenizer import Tokenizer


class HeadClassifier(WithHead, Classifier):
    """A small network on the vectors of a frozen encoder, trained step by step.

    The same head as `FineTunedClassifier` has, so that the two differ in what is frozen and in
    nothing else. Texts are encoded once and remembered (`Features`, with its `cache`).
    """

    epochs = 40

    def __init__(
        self,
        encoder: SentenceEncoder,
        *,
        lr: float = 1e-3,
        batch: int = 16,
        label: str = "label",
        cache: bool = True,
        cache_dir: str | Path | None = None,
    ) -> None:
        super().__init__(label, lr=lr, batch=batch)
        self.features = Features(encoder, cache=cache, cache_dir=cache_dir)

    def learn(self, examples, validation, plan, seed, progress) -> None:
        with seeded(seed):
            self.head = self.new_head()
        held = None if validation is None else self.rows(validation, progress)
        loss = cross_entropy(self.head, torch.stack)
        rows = self.rows(examples, progress)
        self.history = train(
            self.head, loss, rows, plan, validation=held, seed=seed, progress=progress
        )

    def new_head(self) -> nn.Module:
        return Head(self.features.encoder.width, len(self.classes))

    def rows(self, examples: Sequence[Any], progress: bool) -> list[tuple[Tensor, Tensor]]:
        """(vector, number of the class) of each example; the number as a tensor of one."""
        vectors = self.features([example.text for example in examples], progress)
        return list(zip(vectors, self.targets(examples).split(1), strict=True))

    @torch.no_grad()
    def logits(self, texts: Sequence[str]) -> Float[Tensor, "B C"]:
        dtype = next(self.head.parameters()).dtype
        return self.head(self.features(texts).to(dtype))

    def save(self, folder: str | Path) -> Path:
        self.features.encoder.save(Path(folder) / ENCODER)
        return super().save(folder)

    @classmethod
    def stored(cls, folder: Path) -> tuple[SentenceEncoder]:
        return (SentenceEncoder.load(folder / ENCODER),)


class FeatureClassifier(HeadClassifier):
    """A logistic regression on the vectors of a frozen encoder: solved for, in a moment.

    `strength` is the inverse of the regression's penalty (scikit-learn's C).
    """

    def __init__(
        self,
        encoder: SentenceEncoder,
        *,
        strength: float | int = 1.0,
        label: str = "label",
        cache: bool = True,
        cache_dir: str | Path | None = None,
    ) -> None:
        super().__init__(encoder, cache=cache, cache_dir=cache_dir)
        self.settings = {"label": label, "strength": strength}

    def learn(self, examples, validation, plan, seed, progress) -> None:
        vectors = self.features([example.text for example in examples], progress).double().numpy()
        targets = self.targets(examples).numpy()
        self.head = logistic_regression(vectors, targets, self.settings["strength"])

    def new_head(self) -> nn.Module:
        return nn.Linear(self.features.encoder.width, len(self.classes)).double()


class FineTunedClassifier(WithHead, Classifier):
    """A head and the encoder below it, trained together (Devlin et al., 2018).

    The encoder that is handed in stays as it is: `fit` trains a copy. `pooling` and `max_len` are
    those of `SentenceEncoder`.
    """

    epochs = 4

    def __init__(
        self,
        encoder: Encoder,
        tokenizer: Tokenizer,
        *,
        pooling: str = "mean",
        max_len: int = 128,
        lr: float = 5e-5,
        head_lr: float = 1e-3,
        batch: int = 16,
        label: str = "label",
    ) -> None:
        super().__init__(
            label, pooling=pooling, max_len=max_len, lr=lr, head_lr=head_lr, batch=batch
        )
        self.start = SentenceEncoder(encoder, tokenizer, pooling, False, max_len)
        self.encoder = self.start

    def learn(self, examples, validation, plan, seed, progress) -> None:
        self.encoder = copy.copy(self.start)
        self.encoder.encoder = copy.deepcopy(self.start.encoder).requires_grad_()
        with seeded(seed):
            self.head = self.new_head()
        self.history = train(
            nn.ModuleDict({"encoder": self.encoder.encoder, "head": self.head}),
            cross_entropy(self.head, self.encoder.trainable),
            self.rows(examples),
            plan,
            validation=None if validation is None else self.rows(validation),
            length=lambda row: len(row[0]),
            seed=seed,
            progress=progress,
        )

    def new_head(self) -> nn.Module:
        return Head(self.start.width, len(self.classes))

    def rows(self, examples: Sequence[Any]) -> list[tuple[str, Tensor]]:
        """(text, number of the class) of each example; the number as a tensor of one."""
        texts = [example.text for example in examples]
        return list(zip(texts, self.targets(examples).split(1), strict=True))

    @torch.no_grad()
    def logits(self, texts: Sequence[str]) -> Float[Tensor, "B C"]:
        return self.head(self.encoder.encode(texts))

    def save(self, folder: str | Path) -> Path:
        self.encoder.save(Path(folder) / ENCODER)
        return super().save(folder)

    @classmethod
    def stored(cls, folder: Path) -> tuple[Encoder, Tokenizer]:
        encoder = SentenceEncoder.load(folder / ENCODER)
        return encoder.encoder, encoder.tokenizer


class Head(nn.Module):
    """From one vector to a score for each class, through one hidden layer."""

    def __init__(self, dim: int, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)  # so that it is all one whether the vectors have length 1
        self.hidden = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, classes)

    def forward(self, vectors: Float[Tensor, "B D"]) -> Float[Tensor, "B C"]:
        hidden = F.gelu(self.hidden(self.norm(vectors)))  # (B, D)
        return self.output(self.dropout(hidden))


def logistic_regression(rows: Any, targets: np.ndarray, strength: float | int) -> nn.Linear:
    """A linear layer (D to C, in float64) with the weights that scikit-learn finds.

    `rows` (B, D) may be sparse. Of two classes scikit-learn scores only the second; the first then
    scores 0.
    """
    from sklearn.linear_model import LogisticRegression

    solved = LogisticRegression(C=strength, max_iter=5_000).fit(rows, targets)
    weight, bias = torch.from_numpy(solved.coef_), torch.from_numpy(solved.intercept_)
    if len(solved.classes_) == 2:
        weight, bias = torch.cat([0 * weight, weight]), torch.cat([0 * bias, bias])
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer
