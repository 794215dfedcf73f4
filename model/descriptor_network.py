"""Network that describes the ground for registration: one vector per cell of 8 × 8 pixels.

The encoder of the change network up to stride 8 (frozen copy, so that registration does not depend on the weights that
detect) and a small head with a context of 16 pixels per cell. A description is a unit vector times a weight in 0…1, the
network's trust that the place is still recognizable on another date: roofs and roads have more of it than crops.

References: DeTone et al. 2018 (SuperPoint: dense descriptors from a shared encoder), Oord et al. 2018 (InfoNCE loss).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (conventional name)

from errors import WeightsError
from model.encoders import InvertedEncoder, normalise
from model.network_outputs import DESCRIPTOR_CHANNELS
from model.weights import DescriptorWeights

ENCODER_STAGES = 3
"""Stages of the encoder that are used: strides 2, 4 and 8."""

WIDTH = 64


class DescriptorHead(nn.Module):
    """Descriptions from the encoder's maps at strides 4 and 8."""

    def __init__(self, fine: int = 24, coarse: int = 40) -> None:
        """Build a head for maps of ``fine`` channels at stride 4 and ``coarse`` at stride 8."""
        super().__init__()
        self.fine = nn.Conv2d(fine, WIDTH, 4, stride=2, padding=1)
        self.coarse = nn.Conv2d(coarse, WIDTH, 1)
        self.context = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU()
        )
        self.first = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.second = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.out = nn.Conv2d(WIDTH, DESCRIPTOR_CHANNELS + 1, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """N×24×2h×2w and N×40×h×w, h and w even → N×33×h×w: weighted descriptions, then their weight."""
        x = F.relu(self.coarse(coarse) + self.fine(fine))
        context = F.interpolate(self.context(x), scale_factor=2.0, mode="nearest")
        x = x + F.relu(self.first(x + context))
        x = self.out(x + F.relu(self.second(x)))
        weight = torch.sigmoid(x[:, DESCRIPTOR_CHANNELS:])
        return torch.cat([F.normalize(x[:, :DESCRIPTOR_CHANNELS], dim=1) * weight, weight], dim=1)


class DescriptorNetwork(nn.Module):
    """Encoder up to stride 8 and :class:`DescriptorHead`."""

    def __init__(self) -> None:
        """Build it with random weights."""
        super().__init__()
        self.encoder = InvertedEncoder()
        self.encoder.stages = self.encoder.stages[:ENCODER_STAGES]
        self.head = DescriptorHead()

    def forward(self, image: Tensor) -> Tensor:
        """1×H×W×3 uint8 RGB, radiometrically normalized, sides multiples of 16 → 1×33×H/8×W/8 float32."""
        _, fine, coarse = self.encoder(normalise(image.permute(0, 3, 1, 2).float()))
        out: Tensor = self.head(fine, coarse)
        return out


def load_descriptor_network(weights: DescriptorWeights) -> DescriptorNetwork:
    """Build the network of a weights file in evaluation mode.

    Raises:
        WeightsError: the tensors in the file do not fit the network.
    """
    from safetensors.torch import load_file

    network = DescriptorNetwork()
    try:
        network.load_state_dict(load_file(weights.path))
    except RuntimeError as error:
        raise WeightsError(f"The weights {weights.path} do not fit the descriptor network: {error}") from error
    return network.eval()
