"""Siamese network for change detection between two dates of one place.

Layout: an encoder shared by both dates (:mod:`model.encoders`); fusion by ``[|a − b|, a + b]`` at every level; an
additive top-down decoder of dense 3×3 convolutions whose widths are multiples of 16 (fast on the CPU's matrix unit); a
depth-to-space head.

The change outputs are symmetric in time by construction: they depend only on ``|a − b|`` and ``a + b``, which are the
same when the dates are swapped. The signed output is odd by construction: a bias-free linear map of ``b − a``, gated
by symmetric features, through ``tanh``.

References: Daudt et al. 2018 (siamese difference, FC-Siam-diff), He et al. 2016 (residual blocks),
Shi et al. 2016 (depth to space), Lin et al. 2017 (top-down pathway), Codegoni et al. 2023 (TinyCD: small networks
are enough for this question).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the name everyone knows)

from model.encoders import InvertedEncoder, ResidualBlock, conv_norm_relu
from model.network_outputs import CHANGE_OUTPUTS
from model.registry import NetworkLayout


class ChangeLogits(NamedTuple):
    """Outputs of the network before the final activation.

    Attributes:
        change: N×2×H×W, logits of :data:`model.network_outputs.CHANGE_OUTPUTS`; unchanged when the dates are swapped.
        direction: N×1×H×W, before ``tanh``; positive where something appeared, negative where it disappeared.
            Changes sign when the dates are swapped.
    """

    change: Tensor
    direction: Tensor


class ChangeNetwork(nn.Module):
    """Network from two dates to :class:`ChangeLogits`; the module docstring describes the layout."""

    def __init__(self, layout: NetworkLayout) -> None:
        """Build the network of ``layout`` with random weights."""
        super().__init__()
        self.layout = layout
        widths = layout.widths
        encoded = layout.encoder_widths
        self.encoder = InvertedEncoder(layout.expansion)
        self.fuse = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * e, w, 1, bias=False), nn.BatchNorm2d(w))
            for e, w in zip(encoded, widths, strict=True)
        )
        self.settle = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(w) for _ in range(depth)))
            for w, depth in zip(widths, layout.fused_depths, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1, bias=False) for fine, coarse in pairwise(widths))
        self.smooth = nn.ModuleList(conv_norm_relu(w, w) for w in widths[:-1])
        self.head = nn.Conv2d(widths[0], len(CHANGE_OUTPUTS) * 4, 3, padding=1)
        # change is rare: a low initial bias saves the first training steps from learning that
        nn.init.constant_(self.head.bias, -2.5)  # type: ignore[arg-type]
        d = layout.direction_width
        self.odd = nn.ModuleList(nn.Conv2d(e, d, 1, bias=False) for e in encoded)
        self.gate = nn.ModuleList(nn.Conv2d(w, d, 1) for w in widths)
        self.direction_head = nn.Conv2d(d, 4, 1, bias=False)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        """Compare two dates.

        Args:
            before: N×3×H×W, RGB, normalised by :func:`model.encoders.normalise`; H and W multiples of 16.
            after: the later date, same shape and extent.
        """
        n = before.shape[0]
        features = self.encoder(torch.cat([before, after]))
        return self.compare([f[:n] for f in features], [f[n:] for f in features])

    def compare(self, before: list[Tensor], after: list[Tensor]) -> ChangeLogits:
        """Compare the encoder features of two dates, finest level first."""
        x: Tensor | None = None
        signed: Tensor | None = None
        for level in reversed(range(len(before))):
            a, b = before[level], after[level]
            fused = self.fuse[level](torch.cat([(a - b).abs(), a + b], dim=1))
            if x is None or signed is None:
                x = self.settle[level](F.relu(fused))
                signed = self.odd[level](b - a) * torch.sigmoid(self.gate[level](x))
                continue
            x = F.relu(fused + F.interpolate(self.up[level](x), scale_factor=2.0, mode="nearest"))
            x = self.settle[level](self.smooth[level](x))
            odd = self.odd[level](b - a) * torch.sigmoid(self.gate[level](x))
            signed = odd + F.interpolate(signed, scale_factor=2.0, mode="nearest")
        change = F.pixel_shuffle(self.head(x), 2)
        direction = F.pixel_shuffle(self.direction_head(signed), 2)
        return ChangeLogits(change, direction)
