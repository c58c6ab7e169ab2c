"""The feed-forward layer: each token thinks for itself."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.config import ACTIVATIONS


class FeedForward(nn.Module):
    """Widen D numbers to F, bend, and come back to D; every token on its own.

    `activation` "gelu" (Hendrycks and Gimpel, 2016; the exact form with erf) or "geglu", where
    a second projection of the token gates the first (Shazeer, 2020). GPT-2 and T5 bend with an
    approximation by tanh: "gelu_tanh" and "geglu_tanh".
    """

    def __init__(self, dim: int, ff_dim: int, activation: str = "gelu", bias: bool = True) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation {activation!r} is not one of {ACTIVATIONS}")
        self.gated = activation.startswith("geglu")
        self.approximate = "tanh" if activation.endswith("tanh") else "none"
        self.expand = nn.Linear(dim, 2 * ff_dim if self.gated else ff_dim, bias=bias)
        self.contract = nn.Linear(ff_dim, dim, bias=bias)

    def forward(self, hidden: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        wide = self.expand(hidden)  # (..., F), gated: (..., 2F)
        if self.gated:
            wide, gate = wide.chunk(2, dim=-1)
            return self.contract(F.gelu(wide, approximate=self.approximate) * gate)
        return self.contract(F.gelu(wide, approximate=self.approximate))
