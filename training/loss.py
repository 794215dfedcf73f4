"""What training minimises: for each question only on the samples that answer it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from model.network import ChangeLogits

DIRECTION_WEIGHT = 0.2
"""The sign is learned from few pixels and is easy: it must not outweigh the question whether anything changed."""


def _question(logits: Tensor, target: Tensor, asked: Tensor) -> Tensor:
    """Cross-entropy and Dice (Milletari 2016) of one output, over the samples of which ``asked`` (N) is true."""
    if not bool(asked.any()):
        return logits.sum() * 0.0
    logits, target = logits[asked], target[asked]
    entropy = F.binary_cross_entropy_with_logits(logits, target)
    p = torch.sigmoid(logits)
    overlap = 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
    return entropy + 0.5 * overlap


def change_loss(out: ChangeLogits, target: Tensor, asked: Tensor, direction: Tensor) -> Tensor:
    """Loss of one batch.

    Args:
        out: the network's answer.
        target: N×2×H×W in 0…1, in the order of ``CHANGE_OUTPUTS``; anything where not asked.
        asked: N×2 bool, which output each sample's label answers.
        direction: N×H×W, +1 appeared, −1 disappeared, 0 unknown.
    """
    total = out.change.sum() * 0.0
    for k in range(out.change.shape[1]):
        total = total + _question(out.change[:, k], target[:, k], asked[:, k])
    known = direction != 0
    if bool(known.any()):
        appeared = (direction[known] > 0).float()
        # tanh(x) as a probability of "appeared" is sigmoid(2x)
        total = total + DIRECTION_WEIGHT * F.binary_cross_entropy_with_logits(2 * out.direction[:, 0][known], appeared)
    return total
