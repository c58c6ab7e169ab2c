"""Autoencoders: shapes, both losses against torch and Monte Carlo, parity of the blocks."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from encoder_course.nn.autoencoder import (
    Autoencoder,
    VariationalAutoencoder,
    kl,
    normal_cost,
    sample,
)
from encoder_course.nn.spatial import Double, Halve, ResidualBlock, SpatialAutoencoder


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


MEAN, LOG_VARIANCE = draw(3, 4), draw(3, 4, seed=1)


def test_shapes():
    x = draw(5, 12).float()
    assert Autoencoder(12, 3)(x).shape == (5, 12) and Autoencoder(12, 3).encode(x).shape == (5, 3)
    cost, clouds = VariationalAutoencoder(12, 3).losses(x)
    assert cost.shape == (5,) and clouds.shape == (5, 3) and (clouds >= 0).all()
    cost, clouds = SpatialAutoencoder().losses(draw(2, 1, 8, 6).float())
    assert cost.shape == (2,) and clouds.shape == (2, 2, 4, 3)


def test_kl_equals_that_of_torch_and_is_0_for_the_standard_normal():
    ours = kl(MEAN, LOG_VARIANCE)
    theirs = kl_divergence(Normal(MEAN, (LOG_VARIANCE / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    assert kl(torch.zeros(2), torch.zeros(2)).tolist() == [0, 0]


def test_kl_equals_the_mean_over_draws():
    generator = torch.Generator().manual_seed(0)
    many = (MEAN.expand(200_000, 3, 4), LOG_VARIANCE.expand(200_000, 3, 4))
    z = sample(*many, generator)
    cloud, standard = Normal(MEAN, (LOG_VARIANCE / 2).exp()), Normal(0.0, 1.0)
    gaps = cloud.log_prob(z) - standard.log_prob(z)
    error = gaps.std(dim=0) / len(gaps) ** 0.5
    assert ((gaps.mean(dim=0) - kl(MEAN, LOG_VARIANCE)).abs() < 5 * error).all()
    wrong = gaps.mean(dim=0) - kl(MEAN, 2 * LOG_VARIANCE)  # a standard deviation for a variance
    assert (wrong.abs() > 5 * error).any()


def test_draws_have_the_mean_and_spread_that_was_asked_for():
    z = sample(MEAN.expand(100_000, 3, 4), LOG_VARIANCE.expand(100_000, 3, 4))
    torch.testing.assert_close(z.mean(dim=0), MEAN, rtol=0, atol=0.05)
    torch.testing.assert_close(z.var(dim=0).log(), LOG_VARIANCE, rtol=0, atol=0.05)


def test_gradients_pass_through_a_draw():
    mean, log_variance = MEAN.clone().requires_grad_(), LOG_VARIANCE.clone().requires_grad_()
    z = sample(mean, log_variance, torch.Generator().manual_seed(0))
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(log_variance.grad, (z.detach() - MEAN) / 2, rtol=0, atol=1e-12)


def test_the_cost_of_a_pixel_equals_torchs_density():
    theirs = -Normal(LOG_VARIANCE, 0.3).log_prob(MEAN)
    torch.testing.assert_close(normal_cost(MEAN, LOG_VARIANCE, 0.3), theirs, rtol=0, atol=1e-12)


def test_the_two_losses_bound_the_true_surprise_of_a_linear_model():
    """With a linear decoder, p(x) is normal and known; the best cloud meets the bound."""
    model = VariationalAutoencoder(2, 1, noise=0.5).double()
    weight = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    model.decode = torch.nn.Linear(1, 2, bias=False).double()
    model.decode.weight.data = weight
    x = draw(1, 2).expand(200_000, 2)
    covariance = weight @ weight.mT + 0.25 * torch.eye(2, dtype=torch.float64)
    true = -torch.distributions.MultivariateNormal(torch.zeros(2).double(), covariance).log_prob(
        x[0]
    )
    variance = 1 / (1 + (weight**2).sum() / 0.25)
    mean = variance * (x[:1] @ weight) / 0.25
    for shift, gap in ((0.0, 0.0), (0.3, (0.3**2 / variance / 2).item())):
        model.encode = lambda rows, by=shift: (
            (mean + by).expand(len(rows), 1),
            variance.log().expand(len(rows), 1),
        )
        cost, clouds = model.losses(x, torch.Generator().manual_seed(0))
        bound = (cost + clouds.sum(dim=-1)).mean()
        assert bound.item() == pytest.approx(true.item() + gap, abs=0.03)


def test_a_residual_block_equals_that_of_diffusers():
    resnet = pytest.importorskip("diffusers.models.resnet")
    for channels, out in ((8, 8), (8, 12)):
        ours = ResidualBlock(channels, out).double()
        theirs = resnet.ResnetBlock2D(
            in_channels=channels,
            out_channels=out,
            temb_channels=None,
            groups=4,
            eps=1e-6,
        ).double()
        copied = {
            name.replace("carry", "conv_shortcut"): weight
            for name, weight in ours.state_dict().items()
        }
        theirs.load_state_dict(copied)
        x = draw(2, channels, 6, 4)
        torch.testing.assert_close(ours(x), theirs(x, None), rtol=0, atol=1e-10)


def test_halving_and_doubling_equal_those_of_diffusers():
    down = pytest.importorskip("diffusers.models.downsampling")
    up = pytest.importorskip("diffusers.models.upsampling")
    x = draw(2, 4, 6, 8)
    for ours, theirs in (
        (Halve(4), down.Downsample2D(4, use_conv=True, out_channels=4, padding=0)),
        (Double(4), up.Upsample2D(4, use_conv=True, out_channels=4)),
    ):
        theirs.conv.load_state_dict(ours.conv.state_dict())
        torch.testing.assert_close(ours.double()(x), theirs.double()(x), rtol=0, atol=1e-10)


def test_padding_on_all_sides_is_another_function():
    x, ours = draw(1, 4, 6, 8), Halve(4).double()
    other = F.conv2d(x, ours.conv.weight, ours.conv.bias, stride=2, padding=1)
    assert other.shape == ours(x).shape and not torch.allclose(other, ours(x), atol=1e-3)


def test_what_goes_wrong_is_named():
    with pytest.raises(ValueError, match="noise must be above 0"):
        VariationalAutoencoder(4, 2, noise=0)
    with pytest.raises(ValueError, match=r"\(8, 7\): the sides must be even"):
        SpatialAutoencoder().encode(draw(1, 1, 8, 7).float())
