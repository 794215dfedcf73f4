"""The network: two dates of one place in, what changed out.

Dense 3×3 convolutions at widths of multiples of 16 (fast on a processor's matrix unit, see the card in
``model/weights``): a space-to-depth stem, a residual encoder shared by both dates, fusion by
``[|a − b|, a + b]`` at every level, an additive top-down decoder, a depth-to-space head.

Symmetric in time by construction: the two change outputs see only ``|a − b|`` and ``a + b``, which do not know
which date came first. The signed output is odd by construction: a bias-free linear map of ``b − a``, gated by
symmetric features, through ``tanh``.

Learned from: Daudt et al. 2018 (siamese difference, FC-Siam-diff), He et al. 2016 (residual blocks),
Shi et al. 2016 (depth to space), Lin et al. 2017 (top-down pathway), Codegoni et al. 2023 (TinyCD: small networks
are enough for this question).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the name everyone knows)

from model.network_outputs import CHANGE_OUTPUTS
from model.registry import NetworkLayout


class ChangeLogits(NamedTuple):
    """What the network says before the last function.

    Attributes:
        change: N×2×H×W, logits of :data:`model.network_outputs.CHANGE_OUTPUTS`, the same when the dates are swapped.
        direction: N×1×H×W, positive where something appeared and negative where it disappeared, before ``tanh``;
            changes its sign when the dates are swapped.
    """

    change: Tensor
    direction: Tensor


def _conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """3×3 convolution, normalisation, ReLU. The normalisation melts into the convolution when deployed."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a skip (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        """Make a block of that many channels."""
        super().__init__()
        self.first = _conv(width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W → the same shape."""
        return F.relu(x + self.norm(self.second(self.first(x))))


class Encoder(nn.Module):
    """One date → features at strides 2, 4, 8 and 16."""

    def __init__(self, layout: NetworkLayout) -> None:
        """Build the stages of ``layout``."""
        super().__init__()
        stages: list[nn.Module] = []
        previous = 12
        for level, (width, depth) in enumerate(zip(layout.widths, layout.depths, strict=True)):
            down = _conv(previous, width, stride=2 if level else 1)
            stages.append(nn.Sequential(down, *(ResidualBlock(width) for _ in range(depth))))
            previous = width
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """N×3×H×W, H and W multiples of 16 → four maps, finest first."""
        x = F.pixel_unshuffle(image, 2)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class ChangeNetwork(nn.Module):
    """Two dates → :class:`ChangeLogits`. See the module's docstring for the layout."""

    def __init__(self, layout: NetworkLayout) -> None:
        """Build the network of ``layout`` with random weights."""
        super().__init__()
        self.layout = layout
        widths = layout.widths
        self.encoder = Encoder(layout)
        self.fuse = nn.ModuleList(nn.Sequential(nn.Conv2d(2 * w, w, 1, bias=False), nn.BatchNorm2d(w)) for w in widths)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1, bias=False) for fine, coarse in pairwise(widths))
        self.smooth = nn.ModuleList(_conv(w, w) for w in widths[:-1])
        self.head = nn.Conv2d(widths[0], len(CHANGE_OUTPUTS) * 4, 3, padding=1)
        # what changed is rare: start from there, so that the first steps are not spent on learning it
        nn.init.constant_(self.head.bias, -2.5)  # type: ignore[arg-type]
        d = layout.direction_width
        self.odd = nn.ModuleList(nn.Conv2d(w, d, 1, bias=False) for w in widths)
        self.gate = nn.ModuleList(nn.Conv2d(w, d, 1) for w in widths)
        self.direction_head = nn.Conv2d(d, 4, 1, bias=False)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        """Compare two dates.

        Args:
            before: N×3×H×W, RGB, normalised by :func:`normalise`; H and W multiples of 16.
            after: the later date, same shape, same ground.
        """
        n = before.shape[0]
        features = self.encoder(torch.cat([before, after]))
        x: Tensor | None = None
        signed: Tensor | None = None
        for level in reversed(range(len(features))):
            a, b = features[level][:n], features[level][n:]
            fused = self.fuse[level](torch.cat([(a - b).abs(), a + b], dim=1))
            if x is None or signed is None:
                x = F.relu(fused)
                signed = self.odd[level](b - a) * torch.sigmoid(self.gate[level](x))
                continue
            x = F.relu(fused + F.interpolate(self.up[level](x), scale_factor=2.0, mode="nearest"))
            x = self.smooth[level](x)
            odd = self.odd[level](b - a) * torch.sigmoid(self.gate[level](x))
            signed = odd + F.interpolate(signed, scale_factor=2.0, mode="nearest")
        change = F.pixel_shuffle(self.head(x), 2)
        direction = F.pixel_shuffle(self.direction_head(signed), 2)
        return ChangeLogits(change, direction)


MEAN = 0.42
SPREAD = 0.22
"""One mean and spread for all bands and sensors (grey of aerial imagery, in 0…1): colour balance is the scene's."""


def normalise(rgb: Tensor) -> Tensor:
    """Turn 0…255 of any shape into what the network wants."""
    return (rgb / 255.0 - MEAN) / SPREAD
