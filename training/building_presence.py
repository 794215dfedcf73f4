"""The auxiliary task: where buildings stand on each date, asked of the encoder alone and thrown away afterwards."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from training.loss import question_loss

WIDTH = 32


class StandingHead(nn.Module):
    """Features of one date at strides 4, 8 and 16 → logit of "a building stands here" at stride 4.

    Single-date masks come from many more places and sensors than change labels do; this lets the encoder learn from
    all of them what a building is (a branch for each date, as in Zheng et al. 2021, ChangeMask).
    """

    def __init__(self, encoder_widths: tuple[int, ...]) -> None:
        """Make the head for an encoder of those widths."""
        super().__init__()
        self.gather = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in encoder_widths[1:])
        self.answer = nn.Conv2d(WIDTH, 1, 3, padding=1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features, finest first → N×1×H/4×W/4."""
        x: Tensor | None = None
        for gather, level in zip(reversed(self.gather), reversed(features[1:]), strict=True):
            here = gather(level)
            x = here if x is None else here + F.interpolate(x, scale_factor=2.0, mode="nearest")
        return cast(Tensor, self.answer(F.relu(cast(Tensor, x))))


def standing_loss(head: StandingHead, features: list[Tensor], standing: Tensor) -> Tensor:
    """Loss of the auxiliary task.

    Args:
        head: the head.
        features: of both dates in one batch (2N), finest first.
        standing: 2N×H×W uint8: 0, 1 or UNKNOWN.
    """
    # every fourth pixel, from the middle of its cell
    return question_loss(head(features)[:, 0], torch.as_tensor(standing[:, 2::4, 2::4]))
