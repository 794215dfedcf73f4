"""Encoder shared by both dates: features at strides 2, 4, 8 and 16 of one image."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (conventional name)

from model.registry import INVERTED_STAGES, PUBLISHED_EXPANSION

INPUT_MEAN = 0.42
INPUT_STD = 0.22
"""Mean and standard deviation of aerial imagery, 0…1. The same for all bands: colour is normalized per scene."""


def normalise(rgb: Tensor) -> Tensor:
    """Normalise levels 0…255, of any shape, to the input range of the network."""
    return rgb * (1 / (255.0 * INPUT_STD)) - INPUT_MEAN / INPUT_STD  # a single pass over the image


def conv_norm_relu(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """3×3 convolution, batch normalisation (folded into the convolution for inference) and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a skip connection (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        """Build a block with ``width`` channels."""
        super().__init__()
        self.first = conv_norm_relu(width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W → the same shape."""
        return F.relu(x + self.norm(self.second(self.first(x))))


class _StridedConv(nn.Conv2d):
    """Convolution of stride 2 that pads one pixel more at the right and bottom, as the published weights expect."""

    def forward(self, x: Tensor) -> Tensor:
        total = self.kernel_size[0] - 2
        padding = (total // 2, total - total // 2)
        out: Tensor = super().forward(F.pad(x, (*padding, *padding)))
        return out


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride == 2:
        return _StridedConv(channels_in, channels_out, kernel, stride=2, groups=groups)
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, groups=groups)


class InvertedResidual(nn.Module):
    """Inverted residual block (Sandler et al. 2018) with batch normalisation already folded into the convolutions."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        """Build a block; it has a skip connection where input and output have the same shape."""
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
    """EfficientNet-Lite0 (Tan and Le 2019; Lite: without squeeze and excitation, ReLU6) up to stride 16.

    :meth:`load_imagenet` initializes it with features learned from 1.2 million photographs, which detection in unseen
    places needs most.
    """

    def __init__(self, expansion: int = PUBLISHED_EXPANSION) -> None:
        """Build it with random weights and an expansion of at most ``expansion`` inside its blocks."""
        super().__init__()
        self.expansion = expansion
        self.stem = _conv(3, 32, 3, 2)
        stages: list[nn.Module] = []
        previous = 32
        for groups in INVERTED_STAGES:
            blocks: list[nn.Module] = []
            for count, kernel, stride, published_expansion, width in groups:
                for number in range(count):
                    inner = min(published_expansion, expansion)
                    blocks.append(InvertedResidual(previous, width, kernel, stride if number == 0 else 1, inner))
                    previous = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """N×3×H×W, H and W multiples of 16 → four maps, finest first."""
        x = F.relu6(self.stem(self.to_published_range(image)))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    @staticmethod
    def to_published_range(image: Tensor) -> Tensor:
        """Convert the output of :func:`normalise` to the range of the published weights: (level − 127) / 128."""
        return image * (255 * INPUT_STD / 128) + (255 * INPUT_MEAN - 127) / 128

    def load_imagenet(self, published: Mapping[str, Tensor]) -> None:
        """Load the published weights of EfficientNet-Lite0 (Apache-2.0), folding batch normalisation into convolutions.

        Args:
            published: state dict of the PyTorch port, with its names (``_conv_stem.weight``, ``_bn0.weight``,
                ``_blocks.0._depthwise_conv.weight`` …).

        Raises:
            KeyError: these are not weights of EfficientNet-Lite0.
        """

        def fold(conv: nn.Conv2d, weight: str, norm: str) -> None:
            gain = published[f"{norm}.weight"] / torch.sqrt(published[f"{norm}.running_var"] + 1e-3)
            conv.weight.copy_(published[f"{weight}.weight"] * gain[:, None, None, None])
            assert conv.bias is not None
            conv.bias.copy_(published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * gain)

        with torch.no_grad():
            fold(self.stem, "_conv_stem", "_bn0")
            blocks = [block for stage in self.stages for block in stage.children()]
            for number, block in enumerate(blocks):
                assert isinstance(block, InvertedResidual)
                name = f"_blocks.{number}"
                if block.expand is not None:
                    fold(block.expand, f"{name}._expand_conv", f"{name}._bn0")
                fold(block.depthwise, f"{name}._depthwise_conv", f"{name}._bn1")
                fold(block.project, f"{name}._project_conv", f"{name}._bn2")
