"""Encoders: one date in, features at strides 2, 4, 8 and 16 out. Both dates go through the same one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the name everyone knows)

from model.registry import INVERTED_STAGES, PUBLISHED_EXPANSION

MEAN = 0.42
SPREAD = 0.22
"""One mean and spread for all bands and sensors (grey of aerial imagery, in 0…1): colour balance is the scene's."""


def normalise(rgb: Tensor) -> Tensor:
    """Turn 0…255 of any shape into what the network wants."""
    return rgb * (1 / (255.0 * SPREAD)) - MEAN / SPREAD  # one pass over the image, not three


def conv_norm_relu(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
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
        self.first = conv_norm_relu(width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W → the same shape."""
        return F.relu(x + self.norm(self.second(self.first(x))))


class _Downward(nn.Conv2d):
    """A convolution of stride 2 that pads one pixel more at the right and bottom, as the published numbers expect."""

    def forward(self, x: Tensor) -> Tensor:
        spare = self.kernel_size[0] - 2
        edge = (spare // 2, spare - spare // 2)
        out: Tensor = super().forward(F.pad(x, (*edge, *edge)))
        return out


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride == 2:
        return _Downward(channels_in, channels_out, kernel, stride=2, groups=groups)
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, groups=groups)


class InvertedResidual(nn.Module):
    """Wide inside, narrow outside (Sandler et al. 2018). Normalisation is already melted into the convolutions."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        """Make a block; the skip is there where the shape stays the same."""
        super().__init__()
        inner = channels_in * expansion
        self.expand = _conv(channels_in, inner, 1) if expansion > 1 else None
        self.depthwise = _conv(inner, inner, kernel, stride, groups=inner)
        self.project = _conv(inner, channels_out, 1)
        self.skip = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W → N×C'×H/stride×W/stride."""
        wide = x if self.expand is None else F.relu6(self.expand(x))
        y: Tensor = self.project(F.relu6(self.depthwise(wide)))
        return x + y if self.skip else y


class InvertedEncoder(nn.Module):
    """EfficientNet-Lite0 (Tan and Le 2019; Lite: without squeeze and excitation, ReLU6) as far as stride 16.

    It can begin with what it learned from 1.2 million photographs (:meth:`load_imagenet`), and that is what a detector
    for unseen places lacks most.
    """

    def __init__(self, expansion: int = PUBLISHED_EXPANSION) -> None:
        """Build it with random weights, its blocks at most ``expansion`` times wider inside than outside."""
        super().__init__()
        self.expansion = expansion
        self.stem = _conv(3, 32, 3, 2)
        stages: list[nn.Module] = []
        previous = 32
        for groups in INVERTED_STAGES:
            blocks: list[nn.Module] = []
            for count, kernel, stride, published, width in groups:
                for number in range(count):
                    inner = min(published, expansion)
                    blocks.append(InvertedResidual(previous, width, kernel, stride if number == 0 else 1, inner))
                    previous = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """N×3×H×W, H and W multiples of 16 → four maps, finest first."""
        x = F.relu6(self.stem(self.as_published(image)))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    @staticmethod
    def as_published(image: Tensor) -> Tensor:
        """From our mean and spread to the ones its numbers were trained with: (level − 127) / 128."""
        return image * (255 * SPREAD / 128) + (255 * MEAN - 127) / 128

    def load_imagenet(self, published: Mapping[str, Tensor]) -> None:
        """Take over the published numbers of EfficientNet-Lite0 (Apache-2.0), normalisation melted in.

        Args:
            published: the state of the PyTorch port, by its own names (``_conv_stem.weight``, ``_bn0.weight``,
                ``_blocks.0._depthwise_conv.weight`` …).

        Raises:
            KeyError: these are not the numbers of EfficientNet-Lite0.
        """

        def melt(conv: nn.Conv2d, weight: str, norm: str) -> None:
            gain = published[f"{norm}.weight"] / torch.sqrt(published[f"{norm}.running_var"] + 1e-3)
            conv.weight.copy_(published[f"{weight}.weight"] * gain[:, None, None, None])
            assert conv.bias is not None
            conv.bias.copy_(published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * gain)

        with torch.no_grad():
            melt(self.stem, "_conv_stem", "_bn0")
            blocks = [block for stage in self.stages for block in stage.children()]
            for number, block in enumerate(blocks):
                assert isinstance(block, InvertedResidual)
                name = f"_blocks.{number}"
                if block.expand is not None:
                    melt(block.expand, f"{name}._expand_conv", f"{name}._bn0")
                melt(block.depthwise, f"{name}._depthwise_conv", f"{name}._bn1")
                melt(block.project, f"{name}._project_conv", f"{name}._bn2")
