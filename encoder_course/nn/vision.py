"""A picture for the encoder: cut it into patches, and read each patch as a token."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from encoder_course.config import EncoderConfig
from encoder_course.nn.attention import Sight
from encoder_course.nn.block import Block
from encoder_course.nn.encoder import EncoderTrace, initialise
from encoder_course.nn.norm import make_norm

# Axes beside those of the legend: c channels, h and w pixels, P numbers of a patch, T patches.


def patches(images: Float[Tensor, "B c h w"], side: int) -> Float[Tensor, "B T P"]:
    """Cut into squares of `side` pixels: row by row, and inside a patch row, column, channel.

    ValueError where `side` does not divide both sides of the pictures.
    """
    height, width = images.shape[-2:]
    if side < 1 or height % side or width % side:
        raise ValueError(
            f"pictures of {height} x {width} pixels cannot be cut into {side} x {side}"
        )
    cut = images.unfold(2, side, side).unfold(3, side, side)  # (B, c, rows, columns, side, side)
    return cut.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)  # (B, T, P)


def pictures(
    cut: Float[Tensor, "B T P"], side: int, height: int, channels: int = 1
) -> Float[Tensor, "B c h w"]:
    """The inverse of `patches`, for pictures of `height` pixels.

    ValueError where so many patches of this size do not make such a picture.
    """
    count, numbers = cut.shape[1:]
    rows = height // side
    if rows < 1 or height % side or count % rows or numbers != side * side * channels:
        raise ValueError(
            f"{count} patches of {numbers} numbers are no picture of {height} pixels in height,"
            f" {channels} channels and patches of {side} x {side}"
        )
    squares = cut.unflatten(2, (side, side, channels)).unflatten(1, (rows, -1))
    return squares.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)  # (B, c, h, w)


class PatchEmbedding(nn.Module):
    """One vector for each patch, a class token before them, and what is learned of each place.

    The projection of the patches is a convolution that moves by its own width. `size` is the
    height and width of the pictures, in pixels. Dosovitskiy et al., 2020.
    """

    def __init__(self, dim: int, size: tuple[int, int], patch: int, channels: int = 1) -> None:
        super().__init__()
        height, width = size
        if patch < 1 or height % patch or width % patch:
            raise ValueError(f"pictures of {height} x {width} cannot be cut into {patch} x {patch}")
        self.size, self.patch, self.channels = (height, width), patch, channels
        self.grid = (height // patch, width // patch)  # rows and columns of patches
        self.project = nn.Linear(patch * patch * channels, dim)
        self.class_token = nn.Parameter(torch.randn(dim) * 0.02)
        self.positions = nn.Parameter(torch.randn(1 + self.grid[0] * self.grid[1], dim) * 0.02)

    def forward(self, images: Float[Tensor, "B c h w"]) -> Float[Tensor, "B T D"]:
        """1 + rows x columns vectors. ValueError for pictures of another size."""
        if tuple(images.shape[1:]) != (self.channels, *self.size):
            raise ValueError(
                f"pictures are {tuple(images.shape[1:])} but the encoder has positions for"
                f" {(self.channels, *self.size)}"
            )
        tokens = self.project(patches(images, self.patch))  # (B, rows * columns, D)
        first = self.class_token.expand(len(images), 1, -1)
        return torch.cat([first, tokens], dim=1) + self.positions


class ViT(nn.Module):
    """The encoder of the course over patches: the blocks do not know that they see a picture.

    `config` comes from `vision_config`; its `embedding_norm` asks for a norm before the first
    block, as CLIP has it. Dosovitskiy et al., 2020.
    """

    def __init__(
        self, config: EncoderConfig, size: tuple[int, int], patch: int, channels: int = 1
    ) -> None:
        super().__init__()
        if config.positions != "none" or config.norm != "pre":
            raise ValueError(
                "a ViT needs norm 'pre' and positions 'none' (its patches bring their own), but"
                f" they are {config.norm!r} and {config.positions!r}"
            )
        self.config = config
        self.embed = PatchEmbedding(config.dim, size, patch, channels)
        self.norm = make_norm(config) if config.embedding_norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_norm = make_norm(config)
        self.apply(initialise)

    def forward(self, images: Float[Tensor, "B c h w"]) -> Float[Tensor, "B T D"]:
        """One vector for the whole picture, at place 0, and one for each patch."""
        hidden = self.dropout(self.norm(self.embed(images)))
        for block in self.blocks:
            hidden = block(hidden)
        return self.final_norm(hidden)

    @torch.inference_mode()
    def inspect(self, images: Float[Tensor, "B c h w"]) -> EncoderTrace:
        """Run and keep every hidden state and every attention weight, to look at."""
        hidden, weights = [self.norm(self.embed(images))], []
        for block in self.blocks:
            weights.append(block.weights(hidden[-1], Sight()))
            hidden.append(block(hidden[-1]))
        hidden[-1] = self.final_norm(hidden[-1])
        return EncoderTrace(hidden, weights)


def vision_config(**shape: Any) -> EncoderConfig:
    """An `EncoderConfig` for pictures: dim, layers, heads and ff_dim, and no words at all."""
    words = dict(vocab_size=1, max_len=1, segments=0, positions="none")
    return EncoderConfig(
        **{**words, **dict(norm="pre", norm_eps=1e-12, embedding_norm=False), **shape}
    )
