"""Handwritten digits that come with scikit-learn: 1,797 pictures of 8 x 8 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

SHADES = 16  # the darkest pixel of the data set
HELD_OUT = 0.25  # of each digit


@dataclass(frozen=True)
class Digits:
    """Pictures (B, 1, 8, 8), 0 (paper) to 1 (ink), and the digit that each of them shows."""

    images: Float[Tensor, "B 1 8 8"]
    labels: Int[Tensor, " B"]

    def __len__(self) -> int:
        return len(self.labels)


def load_digits(split: str = "train") -> Digits:
    """One split, "train" or "test", the same at every call; a quarter of each digit is test.

    Alpaydin and Kaynak, 1998 (Optical Recognition of Handwritten Digits, UCI), as scikit-learn
    ships it. ValueError for another split.
    """
    from sklearn.datasets import load_digits as bundled
    from sklearn.model_selection import train_test_split

    if split not in ("train", "test"):
        raise ValueError(f"split {split!r} is not one of ['test', 'train']")
    pixels, labels = bundled(return_X_y=True)
    parts = train_test_split(
        np.arange(len(labels)), test_size=HELD_OUT, stratify=labels, random_state=0
    )
    rows = np.sort(parts[split == "test"])
    images = torch.from_numpy(pixels[rows] / SHADES).float().unflatten(1, (1, 8, 8))
    return Digits(images, torch.from_numpy(labels[rows]))  # (B, 1, 8, 8)
