"""Read question and passage together: a slower, closer look at the few that a search found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.nn import Encoder
from encoder_course.nn.encoder import initialise
from encoder_course.tasks.contrastive import Pair
from encoder_course.tasks.embed import TOKENIZER
from encoder_course.tasks.metrics import Report
from encoder_course.tasks.search import Search, rank_report
from encoder_course.tasks.storage import read_folder, write_folder
from encoder_course.tasks.training import History, Plan, train
from encoder_course.text.batching import length_batches, pad
from encoder_course.text.tokenizer import Encoded, Tokenizer

BUDGET = 2_048  # tokens of a padded batch when scoring


@dataclass(frozen=True)
class Choice:
    """A question, the text that answers it, and texts that only look as if they did."""

    question: str
    right: str
    wrong: tuple[str, ...]


def hard_choices(pairs: Sequence[Pair], search: Search, wrong: int = 3) -> list[Choice]:
    """The first text of each pair as a question; wrong are the best of the second texts of others.

    Wrong texts drawn at random would be told apart by a word they lack; those that `search` ranks
    high are what a reranker will meet. Pairs for which it finds too few are left out.
    """
    search.fit([pair.second for pair in pairs], progress=False)
    choices = []
    for pair in pairs:
        found = [hit.document for hit in search.query(pair.first, wrong + 1)]
        others = tuple(text for text in found if text != pair.second)[:wrong]
        if len(others) == wrong:
            choices.append(Choice(pair.first, pair.second, others))
    return choices


class CrossEncoder(nn.Module):
    """An encoder over `[CLS] question [SEP] text [SEP]` and one number from its first vector."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.dim, 1)
        self.head.apply(initialise)

    def forward(self, ids: Tensor, keep: Tensor, segments: Tensor) -> Float[Tensor, " B"]:
        segments = segments if self.encoder.config.segments else None
        hidden = self.encoder(ids, keep, segments)  # (B, T, D)
        return self.head(hidden[:, 0]).squeeze(-1)  # (B,)


class Reranker:
    """Orders texts by how well they answer a question, each read together with it.

    A vector must serve all questions; here every token of the text sees the question. The price is
    that nothing can be computed before the question is known. `fit` trains encoder and head on
    choices: cross-entropy of the right text among its wrong ones. Nogueira and Cho, 2019.
    """

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, *, max_len: int = 160) -> None:
        if max_len > encoder.config.max_len:
            raise ValueError(
                f"max_len is {max_len} but the encoder has positions for {encoder.config.max_len}"
            )
        self.model = CrossEncoder(encoder)
        self.tokenizer = tokenizer
        self.max_len = max_len
        self.history = History()

    def fit(
        self,
        choices: Sequence[Choice],
        *,
        validation: Sequence[Choice] | None = None,
        epochs: int = 1,
        batch: int = 8,
        lr: float = 5e-5,
        patience: int = 1,
        seed: int = 0,
        progress: bool = True,
    ) -> Reranker:
        """Train on choices, which may have different numbers of wrong texts."""
        plan = Plan(lr=lr, epochs=epochs, batch=batch, patience=patience)
        self.history = train(
            self.model,
            self.loss,
            choices,
            plan,
            validation=validation,
            seed=seed,
            progress=progress,
        )
        return self

    def loss(self, choices: Sequence[Choice]) -> Float[Tensor, ""]:
        """Mean cross-entropy, in nats, of the right text among those of its choice."""
        texts = [(choice.right, *choice.wrong) for choice in choices]
        questions = [c.question for c, few in zip(choices, texts, strict=True) for _ in few]
        scores = self.forward(self.encode(questions, [text for few in texts for text in few]))
        each = scores.split([len(few) for few in texts])
        return torch.stack([-F.log_softmax(few, dim=0)[0] for few in each]).mean()

    def encode(self, questions: Sequence[str], texts: Sequence[str]) -> list[Encoded]:
        """Each question and its text as one row of tokens."""
        return self.tokenizer.encode_batch(questions, texts, max_len=self.max_len)

    def forward(self, rows: Sequence[Encoded]) -> Float[Tensor, " B"]:
        """One score for each row, in one padded batch, with gradients."""
        ids, keep = pad([row.ids for row in rows], self.tokenizer.pad_id)
        segments, _ = pad([row.segments for row in rows], 0)
        return self.model(ids, keep, segments)

    @torch.inference_mode()
    def scores(self, question: str, texts: Sequence[str]) -> Float[Tensor, " B"]:
        """How well each text answers; only differences between them mean anything."""
        self.model.eval()
        scores = torch.empty(len(texts))
        rows = self.encode([question] * len(texts), texts) if len(texts) else []
        for places in length_batches([len(row) for row in rows], BUDGET):
            scores[places] = self.forward([rows[i] for i in places])
        return scores

    def predict(self, question: str, texts: Sequence[str]) -> list[str]:
        """The texts, the best answer first."""
        order = self.scores(question, texts).argsort(descending=True)
        return [texts[i] for i in order.tolist()]

    def evaluate(
        self, choices: Sequence[Choice], k: int = 10, *, resamples: int = 1000, seed: int = 0
    ) -> Report:
        """Where the right text stands among those of its choice."""
        ranks = []
        for choice in choices:
            right, *wrong = self.scores(choice.question, [choice.right, *choice.wrong]).tolist()
            ranks.append(1 + sum(score >= right for score in wrong))
        return rank_report(ranks, k, resamples=resamples, seed=seed)

    def save(self, folder: str | Path) -> Path:
        """Write weights, tokenizer and settings into a folder that `load` reads."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(folder / TOKENIZER)
        described = {"kind": type(self).__name__, "settings": {"max_len": self.max_len}}
        described |= {"config": self.model.encoder.config.to_dict()}
        return write_folder(folder, described, self.model.state_dict())

    @classmethod
    def load(cls, folder: str | Path) -> Reranker:
        """What `save` wrote. ValueError for a missing or damaged file."""
        folder = Path(folder)
        described, weights = read_folder(folder, cls.__name__)
        try:
            encoder = Encoder(EncoderConfig.from_dict(described["config"]))
            reranker = cls(encoder, Tokenizer.load(folder / TOKENIZER), **described["settings"])
            reranker.model.load_state_dict(weights)
        except (KeyError, TypeError, RuntimeError, OSError) as error:
            raise ValueError(f"the {cls.__name__} in {folder} is damaged: {error}") from error
        reranker.model.eval()
        return reranker
