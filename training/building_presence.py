"""Auxiliary task: segment the buildings of each date from encoder features. The head is discarded after training."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from training.loss import masked_loss

WIDTH = 32


class BuildingPresenceHead(nn.Module):
    """Segmentation head: features of one date at strides 4, 8 and 16 → building logit at stride 4.

    Single-date building masks cover many more places and sensors than change labels do. This task lets the encoder
    learn from all of them what a building is (a branch for each date, as in Zheng et al. 2021, ChangeMask).
    """

    def __init__(self, encoder_widths: tuple[int, ...]) -> None:
        """Build the head for an encoder of the given channel counts, finest stage first."""
        super().__init__()
        # the module names are keys of stored checkpoints
        self.gather = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in encoder_widths[1:])
        self.answer = nn.Conv2d(WIDTH, 1, 3, padding=1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Return building logits N×1×H/4×W/4 for features of N×C×H/s×W/s, finest first."""
        x: Tensor | None = None
        for projection, level in zip(reversed(self.gather), reversed(features[1:]), strict=True):
            projected = projection(level)
            x = projected if x is None else projected + F.interpolate(x, scale_factor=2.0, mode="nearest")
        return cast(Tensor, self.answer(F.relu(cast(Tensor, x))))


def building_presence_loss(head: BuildingPresenceHead, features: list[Tensor], buildings: Tensor) -> Tensor:
    """Return the loss of the auxiliary task.

    Args:
        head: the head in training.
        features: of both dates in one batch (2N), finest first.
        buildings: 2N×H×W uint8: 0, 1 or UNKNOWN.
    """
    # every fourth pixel, at the centre of its 4×4 cell
    return masked_loss(head(features)[:, 0], torch.as_tensor(buildings[:, 2::4, 2::4]))
