"""How good is a masked language model? Loss, accuracy and top-5 on documents never trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from encoder_course.nn import MaskedLM
from encoder_course.pretrain.rows import Vocabulary, draw_masks
from encoder_course.text.masking import NOT_ASKED


@dataclass(frozen=True)
class Score:
    """Averages over the asked positions of the held-out rows."""

    loss: float  # nats per asked token
    accuracy: float  # share of asked tokens guessed first
    top5: float  # share of asked tokens among the first five guesses
    asked: int  # positions

    @property
    def perplexity(self) -> float:
        """``exp(loss)``: how many equally likely tokens the model hesitates between."""
        return math.exp(self.loss)


@torch.inference_mode()
def evaluate(
    model: MaskedLM, rows: Int[Tensor, "R T"], vocab: Vocabulary, seed: int = 7, batch: int = 64
) -> Score:
    """Score a model with 15 % masks (80/10/10) that depend on the seed alone.

    The same rows and seed ask every model the same questions, whatever it was trained on.
    """
    training = model.training
    model.eval()
    losses, first, top5, asked = 0.0, 0, 0, 0
    device = next(model.parameters()).device
    for step, start in enumerate(range(0, len(rows), batch)):
        inputs, labels = draw_masks(rows[start : start + batch], vocab, 0.15, seed, step)
        inputs, labels = inputs.to(device), labels.to(device)
        at = labels != NOT_ASKED
        answers = labels[at]  # (M,)
        logits = model.logits(inputs, at=at).float()  # (M, V)
        losses += float(F.cross_entropy(logits, answers, reduction="sum"))
        hits = logits.topk(5, dim=-1).indices == answers[:, None]  # (M, 5)
        first += int(hits[:, 0].sum())
        top5 += int(hits.sum())
        asked += len(answers)
    model.train(training)
    if not asked:
        raise ValueError(f"the {len(rows)} held-out rows hold no token that could be asked")
    return Score(losses / asked, first / asked, top5 / asked, asked)


def unigram_loss(
    train: Int[Tensor, "R T"], heldout: Int[Tensor, "Q T"], vocab: Vocabulary
) -> float:
    """The plateau: the loss, in nats, of a model that knows only how frequent each token is."""
    counts = torch.bincount(train.flatten(), minlength=vocab.size).double() + 1.0
    counts[: vocab.special_below] = 0
    tokens = heldout[heldout >= vocab.special_below]
    return float(-(counts / counts.sum()).log()[tokens].mean())
