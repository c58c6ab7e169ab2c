"""The model card of a pretrained encoder, written from what its run recorded."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

LIBRARIES = ("torch", "tokenizers", "accelerate", "numpy", "scikit-learn")

CARD = """\
# {name}

A small encoder with a masked language modelling head, pretrained on the documentation of an
installed Python environment by `python -m encoder_course pretrain`. It exists to be taken apart in
lessons: to fill in masked words of documentation, and to show a model's whole life on a laptop.

## Model

{weights:,} weights: {layers} layers by {dim}, {heads} heads, feed-forward {ff_dim} ({activation}),
{norm}-norm, {positions} positions, vocabulary {vocab_size:,} (lower-cased WordPiece, trained on the
same text, in `tokenizer.json`). Stored in half precision; the output matrix is the token embedding.

```python
from encoder_course.pretrain.state import load_checkpoint

model, tokenizer = load_checkpoint()
```

## Data

Docstrings and documentation pages of {package_count} installed packages, read with `ast` when the
training began and not part of this repository: {train_tokens:,} tokens in rows of {length}. The
documents of one object in twenty were held out. Most of the text comes from: {largest}.

## Training

{steps:,} steps of {batch_rows} rows, {tokens:,} tokens in all ({epochs:.1f} epochs), of which
{mask_rate:.0%} were masked. Muon (peak {muon_learning_rate}) on the blocks' matrices and AdamW
(peak {learning_rate}) on the rest, embeddings started from counted word vectors, the learning rate
raised over {warmup:.0%} of the steps, then lowered in a line to zero. {cpu_minutes:.0f} processor
minutes. Software: {software}.{notes}

## Results on held-out documents

15 % masks (80/10/10), {heldout_tokens:,} tokens, the same questions at every point. A model that
knows only token frequencies has a loss of {unigram_loss:.2f}.

| training tokens | loss (nats) | accuracy | top 5 |
|---:|---:|---:|---:|
{curve}

## Known weaknesses

- It has read technical English and nothing else: it knows what a `ValueError` is for, and little
  about the world. For general English take MiniLM.
- It was trained on rows of {length} tokens; longer rows work, but were never practised.
- It was pretrained only: its vectors were not trained for search or similarity.
- The held-out rows come from the same packages as the training rows, so the numbers say how well
  it knows *this* documentation, not any other text.
- Text of the packages may hold mistakes and biases of its authors, and so may the guesses.
"""


def model_card(record: Mapping[str, Any], name: str = "The course encoder") -> str:
    """Fill in the card from the record that `python -m encoder_course pretrain` keeps.

    `record` is the content of ``history.json``; a KeyError names what it lacks. What a person has
    to add about the run stands in its ``notes``, a list of sentences.
    """
    scores = record["scores"]
    every = max(1, len(scores) // 8)
    shown = scores[every - 1 :: every]
    if shown[-1] is not scores[-1]:
        shown = [*shown, scores[-1]]
    curve = "\n".join(
        "| {tokens:,} | {loss:.3f} | {accuracy:.1%} | {top5:.1%} |".format_map(score)
        for score in shown
    )
    tokens = scores[-1]["tokens"]
    largest = sorted(record["package_words"].items(), key=lambda item: -item[1])[:12]
    return CARD.format(
        name=name,
        curve=curve,
        tokens=tokens,
        epochs=tokens / record["train_tokens"],
        package_count=len(record["packages"]),
        largest=", ".join(f"{package} {record['packages'][package]}" for package, _ in largest),
        notes="".join(f"\n\n{note}" for note in record.get("notes", [])),
        cpu_minutes=record["cpu_seconds"] / 60,
        software=", ".join(f"{library} {number}" for library, number in record["software"].items()),
        **{key: record[key] for key in ("length", "steps", "train_tokens", "heldout_tokens")},
        **{key: record[key] for key in ("weights", "unigram_loss")},
        **record["config"],
        **record["recipe"],
    )


def software() -> dict[str, str]:
    """The versions that a training run depends on."""
    return {"Python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
