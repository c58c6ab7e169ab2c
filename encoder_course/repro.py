"""Reproducibility: one seed, one generator, one device, all passed on by name."""

from __future__ import annotations

import random

import torch


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python, NumPy and PyTorch, and return a CPU generator with the same seed.

    Code of the course draws from the returned generator, which it is handed; the global seeds are
    for libraries that know no other way (weight initialisation, for one).
    """
    import numpy

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def default_device() -> torch.device:
    """The accelerator of this machine if PyTorch finds one, else the CPU."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")
