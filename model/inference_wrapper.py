"""The network as every runtime runs it: bytes in, probabilities out, so that runtimes cannot differ around it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.encoders import normalise
from model.network import ChangeNetwork


class DeployedNetwork(nn.Module):
    """Adds to a :class:`ChangeNetwork` what comes before and after it."""

    def __init__(self, network: ChangeNetwork) -> None:
        """Wrap a network in evaluation mode."""
        super().__init__()
        self.network = network

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Compare two dates.

        Args:
            before: 1×H×W×3 uint8, RGB; H and W multiples of the layout's stride.
            after: the later date, same shape, same ground.

        Returns:
            1×3×H×W float32: probability of *building* and of *ground* in 0…1, direction in −1…1.
        """
        pair = torch.cat([before, after]).permute(0, 3, 1, 2).float()
        n = before.shape[0]
        pair = normalise(pair)
        out = self.network(pair[:n], pair[n:])
        # tanh(x) = 2·sigmoid(2x) − 1, for which OpenVINO needs a fifth of the time
        return torch.cat([torch.sigmoid(out.change), 2 * torch.sigmoid(2 * out.direction) - 1], dim=1)

    def predict(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compare two dates in H×W×3 uint8 on the network's device; 3×H×W. CUDA computes in f16, with f32 sums."""
        device = next(self.parameters()).device
        cuda = device.type == "cuda"
        with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=cuda):
            pair = [torch.from_numpy(np.ascontiguousarray(x))[None].to(device) for x in (before, after)]
            out = self(*pair)
        return np.asarray(out[0].float().cpu().numpy(), dtype=np.float32)

    @property
    def stride(self) -> int:
        """Sides must be multiples of this many pixels."""
        return self.network.layout.stride
