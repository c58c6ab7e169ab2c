"""A convolutional autoencoder whose code is a smaller picture, as latent diffusion uses it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.nn.autoencoder import kl, normal_cost, sample


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3 x 3 convolution, twice, added to the input: the block of diffusion models.

    Where the number of channels changes, a 1 x 1 convolution carries the input over.
    He et al., 2016; Ho, Jain and Abbeel, 2020.
    """

    def __init__(self, channels: int, out: int, groups: int = 4, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps=eps)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, out, eps=eps)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.carry = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Float[Tensor, "B c1 h w"]) -> Float[Tensor, "B c2 h w"]:
        hidden = self.conv1(F.silu(self.norm1(x)))  # (B, c2, h, w)
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return self.carry(x) + hidden


class Halve(nn.Module):
    """Half the height and width, by a convolution with stride 2 that pads right and below."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Float[Tensor, "B c h w"]) -> Float[Tensor, "B c h2 w2"]:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Double(nn.Module):
    """Twice the height and width, by repeating pixels and a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "B c h w"]) -> Float[Tensor, "B c h2 w2"]:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class SpatialAutoencoder(nn.Module):
    """A variational autoencoder from pictures (B, 1, h, w) to latents (B, `latent`, h/2, w/2).

    Each latent still has a place in the picture: a diffusion model can be trained on these smaller
    pictures instead of on pixels. Rombach et al., 2022. ValueError for an odd height or width.
    """

    def __init__(self, latent: int = 2, width: int = 16, noise: float | int = 0.1) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            ResidualBlock(width, width),
            Halve(width),
            ResidualBlock(width, 2 * width),
            nn.Conv2d(2 * width, 2 * latent, 1),
        )
        self.decode = nn.Sequential(
            nn.Conv2d(latent, 2 * width, 1),
            ResidualBlock(2 * width, width),
            Double(width),
            ResidualBlock(width, width),
            nn.Conv2d(width, 1, 3, padding=1),
        )
        self.noise = noise

    def encode(
        self, images: Float[Tensor, "B 1 h w"]
    ) -> tuple[Float[Tensor, "B z h2 w2"], Float[Tensor, "B z h2 w2"]]:
        """Mean and log variance of the latents at each place."""
        if images.shape[-1] % 2 or images.shape[-2] % 2:
            raise ValueError(f"pictures are {tuple(images.shape[-2:])}: the sides must be even")
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance

    def losses(
        self, images: Float[Tensor, "B 1 h w"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, "B z h2 w2"]]:
        """As `VariationalAutoencoder.losses`: nats for each picture, and each of its latents."""
        mean, log_variance = self.encode(images)
        decoded = self.decode(sample(mean, log_variance, generator))  # (B, 1, h, w)
        cost = normal_cost(images, decoded, self.noise).sum(dim=(1, 2, 3))
        return cost, kl(mean, log_variance)
