"""Replaced token detection: one small model forges tokens, another one finds the forgeries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.nn.encoder import Encoder, initialise
from encoder_course.nn.heads import MaskedLM
from encoder_course.text.masking import NOT_ASKED


class Discriminator(nn.Module):
    """An encoder and a score for each token: above 0, it was replaced; below 0, it is original."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.transform = nn.Linear(config.dim, config.dim)
        self.score = nn.Linear(config.dim, 1)
        self.transform.apply(initialise)
        self.score.apply(initialise)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T"]:
        hidden = self.encoder(ids, keep, segments)  # (B, T, D)
        return self.score(F.gelu(self.transform(hidden))).squeeze(-1)  # (B, T)


@dataclass(frozen=True)
class Round:
    """One round of the game. The two losses in nats; the others (B, T)."""

    guessing: Float[Tensor, ""]  # the generator's loss, over the masked positions
    detection: Float[Tensor, ""]  # the discriminator's loss, over all tokens
    forged: Int[Tensor, "B T"]  # what the discriminator saw
    replaced: Bool[Tensor, "B T"]  # where that is not the original
    scores: Float[Tensor, "B T"]


class Electra(nn.Module):
    """A generator fills masked positions with draws, a discriminator judges every token.

    Both share their token embeddings, so they must have one width; the generator should have fewer
    layers. The loss is ``guessing + weight * detection``. No gradient passes through a draw: the
    generator is not paid for deceiving anybody. After training, `encoder` is what one keeps.
    Clark et al., 2020. ValueError for two widths or vocabularies.
    """

    def __init__(
        self,
        generator: EncoderConfig,
        discriminator: EncoderConfig,
        weight: float | int = 50,
        seed: int = 0,
    ) -> None:
        for name in ("dim", "vocab_size"):
            one, other = getattr(generator, name), getattr(discriminator, name)
            if one != other:
                raise ValueError(
                    f"the generator has {name} {one} and the discriminator {other}, but they share"
                    " their token embeddings"
                )
        super().__init__()
        self.config = discriminator
        self.generator = MaskedLM(generator)
        self.discriminator = Discriminator(discriminator)
        self.discriminator.encoder.embed.token = self.generator.encoder.embed.token
        self.weight = weight
        self.draws = torch.Generator().manual_seed(seed)

    @property
    def encoder(self) -> Encoder:
        """The discriminator's encoder."""
        return self.discriminator.encoder

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
        labels: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, ""]:
        """The joint loss. `ids` and `labels` as for `MaskedLM`: masked tokens, -100 = not asked."""
        played = self.play(ids, keep, labels)
        return played.guessing + self.weight * played.detection

    def play(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
        labels: Int[Tensor, "B T"] | None = None,
    ) -> Round:
        """Mask, forge, detect. ValueError without labels of the shape of `ids`."""
        if labels is None or labels.shape != ids.shape:
            found = None if labels is None else tuple(labels.shape)
            raise ValueError(f"labels are {found} but the tokens are {tuple(ids.shape)}")
        asked = labels != NOT_ASKED
        answers = labels[asked]  # (M,)
        logits = self.generator.logits(ids, keep, asked)  # (M, V)
        guessing = F.cross_entropy(logits, answers, reduction="sum") / max(len(answers), 1)

        original = torch.where(asked, labels, ids)
        forged = original.masked_scatter(asked, self.draw(logits))
        replaced = forged != original  # a lucky draw is no forgery
        scores = self.discriminator(forged, keep)  # (B, T)
        real = torch.ones_like(asked) if keep is None else keep
        truth = replaced[real].to(scores.dtype)
        detection = F.binary_cross_entropy_with_logits(scores[real], truth)
        return Round(guessing, detection, forged, replaced, scores)

    @torch.no_grad()
    def draw(self, logits: Float[Tensor, "M V"]) -> Int[Tensor, " M"]:
        """A token for each position, as likely as the generator says."""
        if not len(logits):
            return torch.empty(0, dtype=torch.long, device=logits.device)
        chances = logits.float().softmax(dim=-1).cpu()
        return chances.multinomial(1, generator=self.draws)[:, 0].to(logits.device)

    def logits(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
        at: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "M V"]:
        """The generator's scores over the vocabulary, as `MaskedLM.logits`."""
        return self.generator.logits(ids, keep, at)
