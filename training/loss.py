"""Loss functions. Each output is trained only on pixels whose label is known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from model.network import ChangeLogits
from training.sources.samples import UNKNOWN

DIRECTION_WEIGHT = 0.2
"""Weight of the direction loss. Direction is easy and learned from few pixels; it must not outweigh change."""

GAP_PX = 9
"""Unchanged ground narrower than this between changed buildings is a gap."""


def gap_mask(target: Tensor) -> Tensor:
    """Find the gaps between changed buildings: morphological closing minus the buildings (cf. Ronneberger et al. 2015).

    Args:
        target: N×H×W, 1 where something changed.

    Returns:
        N×H×W float, 1 in gaps.
    """
    # padded, so that the ground between a building and the image edge is not a gap
    padding, half = GAP_PX, GAP_PX // 2
    changed = F.pad((target == 1).float()[:, None], (padding,) * 4)
    dilated = F.max_pool2d(changed, GAP_PX, 1, half)
    closed = -F.max_pool2d(-dilated, GAP_PX, 1, half)
    return (closed - changed)[:, 0, padding:-padding, padding:-padding]


def masked_loss(logits: Tensor, target: Tensor, extra_weight: Tensor | None = None) -> Tensor:
    """Return cross-entropy plus half the Dice loss (Milletari et al. 2016) of one output over its known pixels.

    Args:
        logits: any shape.
        target: the same shape, uint8: 0, 1 or :data:`training.sources.samples.UNKNOWN`.
        extra_weight: the same shape; added to the weight 1 of each pixel in the cross-entropy.
    """
    known = (target != UNKNOWN).float()
    count = known.sum()
    positive = (target == 1).float()
    entropy = F.binary_cross_entropy_with_logits(logits, positive, reduction="none")
    if extra_weight is not None:
        entropy = entropy * (1 + extra_weight)
    p = torch.sigmoid(logits) * known
    dice = 1 - (2 * (p * positive).sum() + 1) / (p.sum() + positive.sum() + 1)
    # without known pixels both terms are 0: the Dice loss is 1 − 1/1
    return (entropy * known).sum() / count.clamp(min=1) + 0.5 * dice


def change_loss(out: ChangeLogits, targets: Tensor, direction: Tensor, gap_weight: float = 0.0) -> Tensor:
    """Return the loss of one batch: both change outputs and the direction.

    Args:
        out: output of the network.
        targets: N×2×H×W uint8 in the order of ``CHANGE_OUTPUTS``: 0, 1 or UNKNOWN.
        direction: N×H×W, +1 appeared, −1 disappeared, 0 unknown.
        gap_weight: additional weight of the gaps between buildings (:func:`gap_mask`).
    """
    building, ground = targets.unbind(1)
    # outlines of ground works are too vague to define gaps
    total = masked_loss(out.change[:, 0], building, gap_weight * gap_mask(building))
    total = total + masked_loss(out.change[:, 1], ground)
    known = (direction != 0).float()
    appeared = (direction > 0).float()
    # tanh(x) as a probability of "appeared" is sigmoid(2x)
    sign = F.binary_cross_entropy_with_logits(2 * out.direction[:, 0], appeared, reduction="none")
    return total + DIRECTION_WEIGHT * (sign * known).sum() / known.sum().clamp(min=1)


def distillation_mask(targets: Tensor, teacher_probability: Tensor, where: str) -> Tensor:
    """Return the N×2×H×W bool pixels to distil.

    Args:
        targets: N×2×H×W uint8: 0, 1 or UNKNOWN.
        teacher_probability: N×2×H×W, 0…1.
        where: ``teacher_where`` of :class:`training.recipe.Recipe`.
    """
    if where == "everywhere":
        return torch.ones_like(targets, dtype=torch.bool)
    # labels of reviewers, above all rejected alerts, must not be overruled by the network that raised them
    unlabelled = targets == UNKNOWN
    if where == "unanswered":
        return unlabelled
    return unlabelled | ((teacher_probability > 0.5) == (targets == 1))


def distillation_loss(logits: Tensor, teacher_probability: Tensor, mask: Tensor) -> Tensor:
    """Return the cross-entropy of both change outputs against a teacher's probabilities (Hinton et al. 2015).

    Args:
        logits: N×2×H×W.
        teacher_probability: N×2×H×W, 0…1.
        mask: N×2×H×W bool, pixels to distil.
    """
    weight = mask.float()
    entropy = F.binary_cross_entropy_with_logits(logits, teacher_probability, reduction="none")
    return 2 * (entropy * weight).sum() / weight.sum().clamp(min=1)


def feature_distillation_loss(features: list[Tensor], teacher_features: list[Tensor]) -> Tensor:
    """Return the squared error to a teacher's features, relative to their variance (Romero et al. 2015, FitNets).

    Args:
        features: N×C×H×W at each stride, finest first.
        teacher_features: of the same shapes.
    """
    losses = [
        (student - teacher).square().mean() / (teacher.var(dim=(0, 2, 3)).mean() + 1e-6)
        for student, teacher in zip(features, teacher_features, strict=True)
    ]
    return torch.stack(losses).mean()
