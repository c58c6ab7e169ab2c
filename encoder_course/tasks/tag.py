"""Tagging words with an encoder: a tag for each word, and spans of characters from the tags.

The interface is `span_tagger.SpanTagger`; what a tagger has to beat stands in `gazetteer`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from encoder_course.nn import Encoder
from encoder_course.tasks.decode import count_transitions, different, spread, viterbi
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.span_tagger import SpanTagger
from encoder_course.tasks.storage import ENCODER, WithHead
from encoder_course.tasks.training import cross_entropy, seeded, train
from encoder_course.text.batching import pad
from encoder_course.text.bio import first_tokens, to_tags, word_places
from encoder_course.text.tokenizer import Tokenizer


class Tagger(WithHead, SpanTagger):
    """An encoder and a linear layer on the first token of each word (Devlin et al., 2018).

    The layer scores each word for itself. What usually follows what is counted in the examples and
    added with the weight `transitions`; at 0 only impossible sequences are ruled out.

    With `freeze` only the layer is trained, on vectors that are computed once; else a copy of the
    encoder is trained with it. The encoder that is handed in stays as it is. Words behind the
    first `max_len` tokens of a text are not seen: they count as O.
    """

    epochs = 10

    def __init__(
        self,
        encoder: Encoder,
        tokenizer: Tokenizer,
        *,
        freeze: bool = False,
        max_len: int = 256,
        transitions: float | int = 1.0,
        lr: float = 1e-4,
        head_lr: float = 1e-3,
        batch: int = 16,
    ) -> None:
        super().__init__(
            freeze=freeze,
            max_len=max_len,
            transitions=transitions,
            lr=lr,
            head_lr=head_lr,
            batch=batch,
        )
        self.start = SentenceEncoder(encoder, tokenizer, max_len=max_len)  # checks that they fit
        self.encoder = encoder

    @property
    def names(self) -> list[str]:
        """The tags, in the order of the scores."""
        return ["O", *(f"{prefix}-{label}" for label in self.classes for prefix in "BI")]

    def new_head(self) -> nn.Module:
        width = self.start.width
        return nn.Sequential(
            nn.LayerNorm(width), nn.Dropout(0.1), nn.Linear(width, len(self.names))
        )

    def learn(self, examples, validation, plan, seed, progress) -> None:
        frozen = self.settings["freeze"]
        with seeded(seed):
            self.head = self.new_head()
        parts = nn.ModuleDict({"head": self.head})
        self.encoder = self.start.encoder
        if not frozen:
            self.encoder = copy.deepcopy(self.encoder).requires_grad_()
            parts["encoder"] = self.encoder
        known = (to_tags(word_places(example.text), example.spans) for example in examples)
        self.transitions = count_transitions(known, self.names)
        rows = self.frozen_rows if frozen else self.rows
        self.history = train(
            parts,
            cross_entropy(self.head, torch.cat if frozen else self.word_vectors),
            rows(examples),
            plan,
            validation=None if validation is None else rows(validation),
            length=None if frozen else lambda row: len(row[0][0]),
            seed=seed,
            progress=progress,
        )

    def rows(self, examples: Sequence[Any]) -> list[tuple[tuple[list[int], list[int]], Tensor]]:
        """((ids, places of the words' first tokens), numbers of the tags) of each example.

        Where words share a token, the first one counts. Examples without a word are left out, as
        are words without a token.
        """
        number = {name: i for i, name in enumerate(self.names)}
        rows = []
        for example, (ids, places) in zip(
            examples, self.tokenized([example.text for example in examples]), strict=True
        ):
            tags = to_tags(word_places(example.text), example.spans)
            unknown = sorted(set(tags) - set(number))
            if unknown:
                raise ValueError(f"the tags {unknown} are not among those of fit: {self.names}")
            seen: dict[int, int] = {}
            for place, tag in zip(places, tags, strict=True):
                if place is not None:
                    seen.setdefault(place, number[tag])
            if seen:
                rows.append(((ids, list(seen)), torch.tensor(list(seen.values()))))
        return rows

    def tokenized(self, texts: Sequence[str]) -> list[tuple[list[int], list[int | None]]]:
        """The ids of each text, and which of them its words begin with."""
        encoded = self.start.tokenizer.encode_batch(texts, max_len=self.settings["max_len"])
        return [
            (row.ids, first_tokens(word_places(text), row.offsets))
            for text, row in zip(texts, encoded, strict=True)
        ]

    def word_vectors(self, batch: list[tuple[list[int], list[int]]]) -> Float[Tensor, "N D"]:
        """The vectors of all words of a batch of (ids, places), end to end."""
        device = self.encoder.embed.token.weight.device
        ids, keep = pad([ids for ids, _ in batch], self.start.tokenizer.pad_id)
        hidden = self.encoder(ids.to(device), keep.to(device))  # (B, T, D)
        return torch.cat([row[places] for row, (_, places) in zip(hidden, batch, strict=True)])

    def frozen_rows(self, examples: Sequence[Any]) -> list[tuple[Tensor, Tensor]]:
        """(vectors of the words, numbers of their tags) of each example."""
        rows = self.rows(examples)
        hidden = self.hidden([ids for (ids, _), _ in rows])
        return [
            (vectors[places].clone(), tags)
            for vectors, ((_, places), tags) in zip(hidden, rows, strict=True)
        ]

    @torch.no_grad()
    def hidden(self, ids: Sequence[list[int]]) -> list[Float[Tensor, "_ D"]]:
        """The encoder's vectors for rows of ids, without gradients."""
        device = self.encoder.embed.token.weight.device
        return self.encoder.eval().encode_packed([torch.tensor(row, device=device) for row in ids])

    @torch.no_grad()
    def scores(self, texts: Sequence[str]) -> list[tuple[list[int | None], Float[Tensor, "_ L"]]]:
        """For each text the tokens its words begin with, and log-probabilities of the tags there.

        There is one row for each different token, in the order of `names`.
        """
        tokenized = self.tokenized(texts)
        found = []
        for hidden, (_, places) in zip(
            self.hidden([ids for ids, _ in tokenized]), tokenized, strict=True
        ):
            logits = self.head(hidden[different(places)])  # (W, L)
            found.append((places, logits.log_softmax(dim=-1).cpu()))
        return found

    def tags(self, texts: Sequence[str]) -> list[list[str]]:
        steps = self.settings["transitions"] * self.transitions
        found = []
        for places, scores in self.scores(texts):
            best = viterbi(scores, self.names, steps)
            found.append(spread(places, dict(zip(different(places), best, strict=True))))
        return found

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {**self.head.state_dict(), "transitions": self.transitions}, {}

    def restore(self, tensors: dict[str, Tensor], learnt: dict[str, Any]) -> None:
        self.transitions = tensors.pop("transitions")
        super().restore(tensors, learnt)

    def save(self, folder: str | Path) -> Path:
        encoder = copy.copy(self.start)
        encoder.encoder = self.encoder
        encoder.save(Path(folder) / ENCODER)
        return super().save(folder)

    @classmethod
    def stored(cls, folder: Path) -> tuple[Encoder, Tokenizer]:
        encoder = SentenceEncoder.load(folder / ENCODER)
        return encoder.encoder, encoder.tokenizer
