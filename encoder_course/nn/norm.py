"""The norm that a configuration asks for."""

from __future__ import annotations

from torch import nn

from encoder_course.config import EncoderConfig


def make_norm(config: EncoderConfig) -> nn.Module:
    """A `LayerNorm` over D numbers, or an `RMSNorm`, which leaves their mean where it is.

    RMSNorm divides by the root of the mean square and has no bias: Zhang and Sennrich, 2019.
    """
    if config.norm_kind == "rms":
        return nn.RMSNorm(config.dim, eps=config.norm_eps)
    return nn.LayerNorm(config.dim, eps=config.norm_eps, bias=config.bias)
