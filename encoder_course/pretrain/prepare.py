"""From the installed documentation to everything that pretraining needs, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from encoder_course.config import EncoderConfig
from encoder_course.data.corpus import Corpus
from encoder_course.data.python_docs import python_docs
from encoder_course.nn import MaskedLM
from encoder_course.pretrain.recipe import Recipe, start_from_counts
from encoder_course.pretrain.rows import Vocabulary, tokenize_rows, vocabulary
from encoder_course.text.tokenizer import Tokenizer
from encoder_course.text.word_vectors import word_vectors

COUNTED_TOKENS = 2_000_000  # enough to count word vectors from


@dataclass(frozen=True)
class PretrainingData:
    """Rows to train on, rows of other documents to be judged on, and their tokenizer."""

    tokenizer: Tokenizer
    vocab: Vocabulary
    train: Int[Tensor, "R T"]
    heldout: Int[Tensor, "Q T"]
    corpus: Corpus

    def vectors(self, dim: int) -> Float[Tensor, "V D"]:
        """Counted word vectors of the first two million training tokens."""
        rows = self.train[: COUNTED_TOKENS // self.train.shape[1]]
        return word_vectors(rows, self.vocab.size, dim)


def prepare(
    length: int = 128,
    packages: Iterable[str] | None = None,
    tokenizer: Tokenizer | None = None,
    heldout_rows: int = 256,
    train_documents: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> PretrainingData:
    """Harvest (or load) the documentation, train a tokenizer unless one is given, make rows.

    Documents are shuffled by `seed` before they are laid end to end; `train_documents` takes only
    that many of them, where a lesson needs little. Held-out rows come from objects that no
    training row mentions by their own documentation. Lengths in tokens.
    """
    corpus = python_docs(packages, progress=progress)
    sides = []
    for side, most in zip(corpus.split(), (train_documents, None), strict=True):
        texts = side.texts()
        order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed))
        sides.append([texts[i] for i in order[:most].tolist()])
    train, heldout = sides
    if tokenizer is None:
        tokenizer = Tokenizer.train(train, progress=progress)
    # A document gives about 45 tokens; twice as many as needed, then cut to the rows asked for.
    heldout = heldout[: max(64, heldout_rows * length // 20)]
    return PretrainingData(
        tokenizer=tokenizer,
        vocab=vocabulary(tokenizer),
        train=tokenize_rows(train, tokenizer, length, progress),
        heldout=tokenize_rows(heldout, tokenizer, length, progress=False)[:heldout_rows],
        corpus=corpus,
    )


def new_model(config: EncoderConfig, recipe: Recipe, data: PretrainingData) -> MaskedLM:
    """A model at the start of a recipe: random, or with counted embeddings where it says so.

    The weights depend on the recipe's seed alone. ValueError when the vocabularies differ.
    """
    if config.vocab_size != data.vocab.size:
        raise ValueError(
            f"the model has {config.vocab_size} tokens but the tokenizer {data.vocab.size}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = MaskedLM(config)
    if recipe.counted_embeddings:
        start_from_counts(model.encoder.embed.token, data.vectors(config.dim))
    return model
