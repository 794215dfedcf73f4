"""What training minimises: for each question only where the label answers it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from model.network import ChangeLogits
from training.sources.samples import UNKNOWN

DIRECTION_WEIGHT = 0.2
"""The sign is learned from few pixels and is easy: it must not outweigh the question whether anything changed."""


GAP_PX = 9
"""Unchanged ground narrower than this between changed buildings is a gap."""


def gaps(answer: Tensor) -> Tensor:
    """What lies between the 1s of an answer: their closing without themselves (Ronneberger et al. 2015 weigh it so).

    Args:
        answer: N×H×W, 1 where something changed.

    Returns:
        the same shape, float, 1 in the gaps.
    """
    # with room around it, so that what lies between a building and the edge is no gap
    room, half = GAP_PX, GAP_PX // 2
    changed = F.pad((answer == 1).float()[:, None], (room,) * 4)
    grown = F.max_pool2d(changed, GAP_PX, 1, half)
    closed = -F.max_pool2d(-grown, GAP_PX, 1, half)
    return (closed - changed)[:, 0, room:-room, room:-room]


def question_loss(logits: Tensor, answer: Tensor, more: Tensor | None = None) -> Tensor:
    """Cross-entropy and Dice (Milletari et al. 2016) of one output over the pixels whose answer is known.

    Args:
        logits: any shape.
        answer: the same shape, uint8: 0, 1 or :data:`training.sources.samples.UNKNOWN`.
        more: the same shape, what is added to the weight 1 of each pixel in the cross-entropy.
    """
    known = answer != UNKNOWN
    share = known.float()
    count = share.sum()
    target = (answer == 1).float()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if more is not None:
        entropy = entropy * (1 + more)
    p = torch.sigmoid(logits) * share
    overlap = 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
    # a batch that never asks gives 1 − 1/1 = 0 for the overlap too
    return (entropy * share).sum() / count.clamp(min=1) + 0.5 * overlap


def change_loss(out: ChangeLogits, answers: Tensor, direction: Tensor, gap_weight: float = 0.0) -> Tensor:
    """Loss of one batch.

    Args:
        out: the network's answer.
        answers: N×2×H×W uint8 in the order of ``CHANGE_OUTPUTS``: 0, 1 or UNKNOWN.
        direction: N×H×W, +1 appeared, −1 disappeared, 0 unknown.
        gap_weight: how much more the :func:`gaps` between buildings count.
    """
    building, ground = answers.unbind(1)
    # the outlines of ground works are too vague for gaps
    total = question_loss(out.change[:, 0], building, gap_weight * gaps(building))
    total = total + question_loss(out.change[:, 1], ground)
    known = (direction != 0).float()
    appeared = (direction > 0).float()
    # tanh(x) as a probability of "appeared" is sigmoid(2x)
    sign = F.binary_cross_entropy_with_logits(2 * out.direction[:, 0], appeared, reduction="none")
    return total + DIRECTION_WEIGHT * (sign * known).sum() / known.sum().clamp(min=1)


def imitation_loss(logits: Tensor, taught: Tensor, where: Tensor) -> Tensor:
    """Cross-entropy against the probabilities of another network (Hinton et al. 2015), both questions.

    Args:
        logits: N×2×H×W.
        taught: N×2×H×W, probabilities.
        where: N×2×H×W bool, where it is to be imitated.
    """
    share = where.float()
    entropy = F.binary_cross_entropy_with_logits(logits, taught, reduction="none")
    return 2 * (entropy * share).sum() / share.sum().clamp(min=1)


def feature_loss(features: list[Tensor], shown: list[Tensor]) -> Tensor:
    """How far an encoder's features are from a teacher's, as a share of what these vary (Romero et al. 2015, FitNets).

    Args:
        features: N×C×H×W at each stride, finest first.
        shown: the teacher's, of the same shapes.
    """
    parts = [
        (own - taught).square().mean() / (taught.var(dim=(0, 2, 3)).mean() + 1e-6)
        for own, taught in zip(features, shown, strict=True)
    ]
    return torch.stack(parts).mean()
