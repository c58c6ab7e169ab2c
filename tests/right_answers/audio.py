"""Right answers to the exercises of notebook 16."""

import cmath
import math

import torch


def energy_by_complex(frame, hertz, rate):
    turned = sum(
        x * cmath.exp(-2j * math.pi * hertz * n / rate) for n, x in enumerate(frame.tolist())
    )
    return abs(turned) ** 2


def energy_by_polar(frame, hertz, rate):
    time = torch.arange(len(frame), dtype=torch.float64) / rate
    wave = torch.polar(torch.ones_like(time), 2 * math.pi * hertz * time)
    return (frame.double() * wave).sum().abs().square().item()


def logs_by_loop(energy):
    loudest = math.log10(max(energy.max().item(), 1e-10))
    out = torch.empty_like(energy)
    for place in range(energy.numel()):
        found = math.log10(max(energy.flatten()[place].item(), 1e-10))
        out.view(-1)[place] = max(found, loudest - 8) / 4 + 1
    return out


def logs_by_clamp(energy):
    found = torch.log10(torch.clamp(energy, min=1e-10))
    return 1 + torch.clamp(found, min=found.max().item() - 8) / 4


def targets_by_loop(words):
    rows = []
    for word in words.tolist():
        right = [other == word for other in words.tolist()]
        rows.append([x / sum(right) for x in right])
    return torch.tensor(rows)


def targets_by_softmax(words):
    different = words[:, None] != words[None]
    return torch.zeros(different.shape).masked_fill(different, -torch.inf).softmax(dim=-1)


RIGHT = {
    "16.1": [energy_by_complex, energy_by_polar],
    "16.2": [70],
    "16.3": [logs_by_loop, logs_by_clamp],
    "16.4": [targets_by_loop, targets_by_softmax],
}
