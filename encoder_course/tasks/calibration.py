"""Whether a classifier that says 80 % is right 8 times in 10, and the one number that helps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence lies in one range."""

    confidence: float  # mean
    accuracy: float  # the share that is right
    count: int


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> list[Bin]:
    """Predictions sorted by confidence into `bins` ranges of equal width; empty ones left out.

    `confidence` is the probability of the predicted class, `right` whether it was the true one.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1 but is {bins}")
    places = np.ceil(np.asarray(confidence) * bins).clip(1, bins).astype(int)  # (0, 0.1] is 1
    return [
        Bin(
            confidence=float(confidence[places == place].mean()),
            accuracy=float(right[places == place].mean()),
            count=int((places == place).sum()),
        )
        for place in np.unique(places)
    ]


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: how far confidence and accuracy are apart, 0 (never) to 1.

    The gaps of the ranges, weighted by how many predictions each has. Few predictions leave a gap
    by chance alone. Naeini et al., 2015.
    """
    table = reliability(confidence, right, bins)
    gaps = sum(row.count * abs(row.confidence - row.accuracy) for row in table)
    return gaps / len(confidence)


def fit_temperature(logits: Float[Tensor, "B C"], labels: Int[Tensor, " B"]) -> float:
    """The T for which softmax(logits / T) gives the labels the highest likelihood.

    Above 1 it takes confidence away, below 1 it adds some; no prediction changes. Searched between
    1/100 and 100: perfect logits would ask for 0. Guo et al., 2017.
    """
    from scipy.optimize import minimize_scalar

    logits = logits.double()

    def surprise(log_temperature: float) -> float:
        return F.cross_entropy(logits / math.exp(log_temperature), labels).item()

    limit = math.log(100)
    found = minimize_scalar(surprise, bounds=(-limit, limit), method="bounded")
    return float(torch.tensor(found.x).exp())
