"""Right answers to the exercises of lab 04."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from encoder_course.check.lab04 import first_tensors
from encoder_course.microscope import IDEAS, compare


def norm_by_steps(x, weight, bias, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.pow(2).mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * weight + bias


def norm_by_var_mean(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return torch.addcmul(bias, (x - mean) * (variance + eps).rsqrt(), weight)


def gelu_by_erf(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def gelu_by_normal(x):
    return x * torch.special.ndtr(x)


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.expand = nn.Linear(dim, hidden)
        self.contract = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.contract(gelu_by_erf(self.expand(x)))


class FeedForwardByMatrices(FeedForward):
    def forward(self, x):
        wide = x @ self.expand.weight.T + self.expand.bias
        return F.linear(F.gelu(wide), self.contract.weight, self.contract.bias)


class MultiHead(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.out = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x, keep):
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        values = F.scaled_dot_product_attention(q, k, v, attn_mask=keep[:, None, None, :])
        return self.out(values.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, dim, heads, hidden, eps):
        super().__init__()
        self.attention, self.feed_forward = MultiHead(dim, heads), FeedForward(dim, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps), nn.LayerNorm(dim, eps)

    def forward(self, x, keep):
        x = self.norm1(x + self.attention(x, keep))
        return self.norm2(x + self.feed_forward(x))


class BlockBySteps(Block):
    def forward(self, x, keep):
        attended = self.attention(x, keep).add_(x)
        attended = norm_by_steps(attended, self.norm1.weight, self.norm1.bias, self.norm1.eps)
        return self.norm2(self.feed_forward(attended) + attended)


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.dim)
        self.position = nn.Embedding(config.max_len, config.dim)
        self.kind = nn.Embedding(config.segments, config.dim)
        self.norm = nn.LayerNorm(config.dim, config.norm_eps)
        self.blocks = nn.ModuleList(
            Block(config.dim, config.heads, config.ff_dim, config.norm_eps)
            for _ in range(config.layers)
        )

    def forward(self, ids, keep, kinds=None):
        x = self.token(ids) + self.position.weight[: ids.shape[1]]
        x = self.norm(x + (self.kind.weight[0] if kinds is None else self.kind(kinds)))
        for block in self.blocks:
            x = block(x, keep)
        return x


class EncoderWithBlankPadding(Encoder):
    def forward(self, ids, keep, kinds=None):
        kinds = torch.zeros_like(ids) if kinds is None else kinds
        places = torch.arange(ids.shape[1]).expand_as(ids)
        x = self.norm(self.token(ids) + self.position(places) + self.kind(kinds))
        for i in range(len(self.blocks)):
            x = self.blocks[i](x, keep)
        return torch.where(keep[..., None], x, 0.0)


RIGHT = {
    "lab04.1": [norm_by_steps, norm_by_var_mean],
    "lab04.2": [gelu_by_erf, gelu_by_normal],
    "lab04.3": [FeedForward, FeedForwardByMatrices],
    "lab04.4": [Block, BlockBySteps],
    "lab04.5": [Encoder, EncoderWithBlankPadding],
    "lab04.6": [
        {
            idea.name: compare(idea.build).first
            for idea in IDEAS
            if idea.name in first_tensors.reference
        }
    ],
    "lab04.7": [Block, BlockBySteps],
    "lab04.8": [
        {
            *(idea.name for idea in IDEAS if "scale" in idea.name),
            *("mask forgotten", "positions forgotten", "eps of 1e-5", "GELU in its tanh form"),
        }
    ],
}
