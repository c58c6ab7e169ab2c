"""A recipe: everything that decides how a masked language model is trained, as one record."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from encoder_course.config import EncoderConfig
from encoder_course.nn import MaskedLM


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train. `Recipe.bert_2018()` is where the field began; `Recipe.course()` is ours.

    Raises ValueError for settings that make no sense.
    """

    batch_rows: int = 16  # rows per step
    mask_rate: float = 0.3  # share of tokens asked
    learning_rate: float = 2e-3  # AdamW's peak
    optimizer: Literal["adamw", "muon"] = "muon"  # of the matrices inside the blocks
    muon_learning_rate: float = 0.02  # Muon's peak
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    warmup: float = 0.03  # share of the steps
    clip: float = 1.0  # largest norm of the gradient
    counted_embeddings: bool = True  # start from PPMI + SVD word vectors
    bf16: bool = False  # matrix products in half precision
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_rows < 1:
            raise ValueError(f"batch_rows must be at least 1, but it is {self.batch_rows}")
        if not 0 < self.mask_rate < 1:
            raise ValueError(f"mask_rate is a share of the tokens, but it is {self.mask_rate}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the steps, but it is {self.warmup}")

    def replace(self, **changes: Any) -> Recipe:
        """The same recipe with some settings changed, checked again."""
        return dataclasses.replace(self, **changes)

    @classmethod
    def course(cls, **changes: Any) -> Recipe:
        """The recipe of the course encoder."""
        return cls(**changes)

    @classmethod
    def bert_2018(cls, **changes: Any) -> Recipe:
        """The published settings, with a warm-up of 1 % of the steps. Devlin et al., 2018."""
        settings = dict(batch_rows=32, mask_rate=0.15, learning_rate=1e-4, optimizer="adamw")
        settings |= dict(betas=(0.9, 0.999), warmup=0.01, counted_embeddings=False)
        return cls(**{**settings, **changes})


def ladder(config: EncoderConfig) -> dict[str, tuple[EncoderConfig, Recipe]]:
    """From the recipe of 2018 to ours, one change at a time; `config` gives the size.

    Each step keeps the changes of the steps before it.
    """
    old = dict(segments=0, positions="learned", norm="post", norm_eps=1e-12)
    model = config.replace(**old, activation="gelu", bias=True, dropout=0.1, ff_dim=4 * config.dim)
    recipe = Recipe.bert_2018()
    steps = {"BERT, 2018": (model, recipe)}
    model = model.replace(dropout=0.0)
    recipe = recipe.replace(learning_rate=5e-4, batch_rows=16, betas=(0.9, 0.98), warmup=0.06)
    steps["+ tuned"] = (model, recipe)
    model = model.replace(norm="pre", norm_eps=1e-5, bias=False)
    recipe = recipe.replace(learning_rate=2e-3, warmup=0.03)
    steps["+ pre-norm"] = (model, recipe)
    model = model.replace(positions="rotary")
    steps["+ rotary positions"] = (model, recipe)
    model, recipe = config, recipe.replace(mask_rate=0.3)
    steps["+ GeGLU, 30 % masks"] = (model, recipe)
    recipe = recipe.replace(counted_embeddings=True)
    steps["+ counted embeddings"] = (model, recipe)
    recipe = recipe.replace(optimizer="muon")
    steps["+ Muon"] = (model, recipe)
    return steps


def make_optimizers(model: MaskedLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """AdamW for vectors, embeddings and the head; AdamW or Muon for the blocks' matrices.

    Norms, biases and embeddings are not decayed. Loshchilov and Hutter, 2017; Jordan, 2024.
    """
    hidden = [p for p in model.encoder.blocks.parameters() if p.dim() == 2]
    chosen = {id(p) for p in hidden}
    others = [p for p in model.parameters() if id(p) not in chosen and p.requires_grad]
    groups = [{"params": others, "weight_decay": 0.0}]
    optimizers: list[torch.optim.Optimizer] = []
    if recipe.optimizer == "muon":
        muon = torch.optim.Muon(
            hidden, lr=recipe.muon_learning_rate, weight_decay=recipe.weight_decay
        )
        optimizers.append(muon)
    else:
        groups.append({"params": hidden, "weight_decay": recipe.weight_decay})
    adamw = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, fused=True)
    optimizers.insert(0, adamw)
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["peak"] = group["lr"]  # what `schedule` scales
    return optimizers


def schedule(step: int, steps: int, warmup: float) -> float:
    """The factor on the learning rate: up in a line, then down in a line to zero at the end."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return max(0.0, (steps - step) / max(1, steps - rise))


def start_from_counts(embedding: nn.Embedding, vectors: torch.Tensor, std: float = 0.02) -> None:
    """Give token embeddings the directions of counted word vectors, at the usual width `std`.

    ValueError when the shapes differ.
    """
    if vectors.shape != embedding.weight.shape:
        raise ValueError(
            f"the vectors are {tuple(vectors.shape)}"
            f" but the embedding is {tuple(embedding.weight.shape)}"
        )
    with torch.no_grad():
        seen = vectors.norm(dim=1) > 0  # tokens that never occurred keep their random start
        embedding.weight[seen] = vectors[seen] * (std / vectors[seen].std())
