"""An encoder that has to say a picture in a few numbers, and a decoder that reads them back."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Axes beside those of the legend: P inputs (pixels) and Z latents, the numbers in the bottleneck.


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Three linear layers with GELU between them."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.GELU(),
        nn.Linear(hidden, hidden),
        nn.GELU(),
        nn.Linear(hidden, outputs),
    )


class Autoencoder(nn.Module):
    """`encode` to `latent` numbers, `decode` to the input again. Hinton and Salakhutdinov, 2006."""

    def __init__(self, inputs: int, latent: int, hidden: int = 128) -> None:
        super().__init__()
        self.encode = mlp(inputs, hidden, latent)
        self.decode = mlp(latent, hidden, inputs)

    def forward(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
        return self.decode(self.encode(x))


class VariationalAutoencoder(nn.Module):
    """An autoencoder whose code is a small cloud, a normal distribution, instead of a point.

    The clouds of all inputs are drawn towards one standard normal, so that a point drawn from it
    decodes into something new. Pixels are normal around the decoder's output with the standard
    deviation `noise`, in the unit of the pixels: how exact a reconstruction has to be.
    Kingma and Welling, 2014.
    """

    def __init__(
        self, inputs: int, latent: int, hidden: int = 128, noise: float | int = 0.15
    ) -> None:
        if noise <= 0:
            raise ValueError(f"noise must be above 0, but it is {noise}")
        super().__init__()
        self.encoder = mlp(inputs, hidden, 2 * latent)
        self.decode = mlp(latent, hidden, inputs)
        self.noise = noise

    def encode(self, x: Float[Tensor, "B P"]) -> tuple[Float[Tensor, "B Z"], Float[Tensor, "B Z"]]:
        """Mean and log variance of each input's cloud."""
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)  # (B, Z) each
        return mean, log_variance

    def losses(
        self, x: Float[Tensor, "B P"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, "B Z"]]:
        """What a reconstruction costs each input, and its cloud each latent, in nats.

        Their sum bounds -log p(x) from above (the negative ELBO), for one draw from each cloud.
        """
        mean, log_variance = self.encode(x)
        z = sample(mean, log_variance, generator)  # (B, Z)
        return normal_cost(x, self.decode(z), self.noise).sum(dim=-1), kl(mean, log_variance)


def sample(
    mean: Float[Tensor, "*B"],
    log_variance: Float[Tensor, "*B"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*B"]:
    """A draw from each normal distribution, through which gradients reach mean and variance.

    The randomness is drawn apart, and then moved and stretched (the reparameterisation trick).
    """
    standard = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    return mean + (log_variance / 2).exp() * standard


def kl(mean: Float[Tensor, "*B"], log_variance: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """How far each normal distribution is from the standard one: its KL divergence, in nats."""
    return (mean**2 + log_variance.exp() - 1 - log_variance) / 2


def normal_cost(
    x: Float[Tensor, "*B"], mean: Float[Tensor, "*B"], noise: float | int
) -> Float[Tensor, "*B"]:
    """-log density of each number under a normal distribution, in nats."""
    return ((x - mean) / noise) ** 2 / 2 + math.log(noise) + math.log(2 * math.pi) / 2
