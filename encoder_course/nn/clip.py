"""Two encoders, one space: a picture and the words for it get vectors that point the same way."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.nn.encoder import Encoder, initialise
from encoder_course.nn.feed_forward import FeedForward
from encoder_course.nn.vision import ViT
from encoder_course.shapes import check_keep

MOST = 100.0  # the logits are never multiplied by more than this while training


class CLIP(nn.Module):
    """A picture encoder and a text encoder, each projected to a common `width` (axis E).

    A picture is read at its class token, a text at its last token. Cosines divided by a
    temperature that is learned, too, are the logits of finding the partner. As in the published
    models, the text encoder may be a `Decoder`: at the last token it has seen everything.
    Radford et al., 2021. ValueError for a temperature that is not above 0.
    """

    def __init__(
        self, image: ViT, text: Encoder, width: int, temperature: float | int = 0.07
    ) -> None:
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, but it is {temperature}")
        super().__init__()
        self.image, self.text = image, text
        self.image_projection = nn.Linear(image.config.dim, width, bias=False)
        self.text_projection = nn.Linear(text.config.dim, width, bias=False)
        # Its logarithm is learned: a step then changes it by a share, and it stays above 0.
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        for projection in (self.image_projection, self.text_projection):
            initialise(projection)

    @property
    def temperature(self) -> float:
        """What cosines are divided by."""
        return math.exp(-self.log_scale.item())

    def encode_images(self, images: Float[Tensor, "B c h w"]) -> Float[Tensor, "B E"]:
        """A vector of length 1 for each picture."""
        return F.normalize(self.image_projection(self.image(images)[:, 0]), dim=-1)

    def encode_texts(
        self, ids: Int[Tensor, "B T"], keep: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B E"]:
        """A vector of length 1 for each text, from the last token that is kept.

        ValueError for a text of which no token is kept.
        """
        check_keep(keep, tuple(ids.shape))
        keep = torch.ones_like(ids, dtype=torch.bool) if keep is None else keep
        if not keep.any(dim=1).all():
            raise ValueError("a text with no token to keep has no last token")
        places = torch.arange(ids.shape[1], device=ids.device)
        last = (keep * places).argmax(dim=1)  # (B,)
        hidden = self.text(ids, keep)[torch.arange(len(ids), device=ids.device), last]  # (B, D)
        return F.normalize(self.text_projection(hidden), dim=-1)

    def logits(
        self, images: Float[Tensor, "B E"], texts: Float[Tensor, "C E"]
    ) -> Float[Tensor, "B C"]:
        """How well each picture (row) goes with each text (column)."""
        return self.log_scale.exp() * images @ texts.T

    def forward(
        self,
        images: Float[Tensor, "B c h w"],
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, ""]:
        """The loss of B pairs: picture i belongs to text i, and to no other."""
        return matching_loss(self.logits(self.encode_images(images), self.encode_texts(ids, keep)))

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep the temperature from falling below 1/100; to be called after each step."""
        self.log_scale.clamp_(max=math.log(MOST))


def matching_loss(logits: Float[Tensor, "B C"]) -> Float[Tensor, ""]:
    """InfoNCE both ways, in nats: find the text of each picture, and the picture of each text.

    Row i is right for column i. Chance is log B. van den Oord et al., 2018; Radford et al., 2021.
    ValueError where pictures and texts are not equally many.
    """
    if logits.shape[0] != logits.shape[1]:
        raise ValueError(f"{logits.shape[0]} pictures and {logits.shape[1]} texts are no pairs")
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


class QuickFeedForward(FeedForward):
    """A feed-forward that bends by x * sigmoid(1.702 x), near GELU: OpenAI's CLIP was trained so.

    Hendrycks and Gimpel, 2016.
    """

    def forward(self, hidden: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        wide = self.expand(hidden)  # (..., F)
        return self.contract(wide * torch.sigmoid(1.702 * wide))
