"""Right answers to the exercises of notebook 14."""

import torch


def draw_by_root(mean, log_variance, standard):
    return standard * log_variance.exp().sqrt() + mean


def draw_by_loop(mean, log_variance, standard):
    out = mean.clone()
    for place in range(mean.shape[-1]):
        out[..., place] += standard[..., place] * torch.exp(0.5 * log_variance[..., place])
    return out


def divergence_by_variance(mean, log_variance):
    variance = log_variance.exp()
    return 0.5 * (variance + mean * mean - 1 - torch.log(variance))


def divergence_by_torch(mean, log_variance):
    normal = torch.distributions.Normal
    return torch.distributions.kl_divergence(
        normal(mean, (0.5 * log_variance).exp()), normal(0.0, 1.0)
    )


def loss_by_sums(cost, clouds):
    return (cost.sum() + clouds.sum()) / len(cost)


def loss_by_loop(cost, clouds):
    each = [pixels.sum() + latents.sum() for pixels, latents in zip(cost, clouds, strict=True)]
    return torch.stack(each).mean()


def walk_by_loop(start, end, steps):
    return torch.stack([start + (end - start) * i / (steps - 1) for i in range(steps)])


def walk_by_lerp(start, end, steps):
    return torch.lerp(start[None], end[None], torch.linspace(0, 1, steps)[:, None])


RIGHT = {
    "14.1": [draw_by_root, draw_by_loop],
    "14.2": [2, 2.0],
    "14.3": [divergence_by_variance, divergence_by_torch],
    "14.4": [loss_by_sums, loss_by_loop],
    "14.5": [walk_by_loop, walk_by_lerp],
}
