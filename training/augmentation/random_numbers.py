"""Random parameters for a batch, drawn on the CPU and copied to the device of the images.

A run is therefore the same on any device, but for per-pixel noise, which is drawn on the device itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def to_device(numbers: Any, device: torch.device) -> Tensor:
    """Copy numbers to ``device`` asynchronously, without waiting for its queued work."""
    return torch.as_tensor(numbers).to(device, non_blocking=True)


class ParameterSampler:
    """Draw augmentation parameters per image from one generator and copy them to one device."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        """Draw from ``generator`` (a CPU generator) for images on ``device``."""
        self.generator, self.device = generator, device

    def select(self, count: int, probability: float) -> list[int]:
        """Select each of ``count`` images with this probability; return their indices."""
        selected = torch.rand(count, generator=self.generator) < probability
        return [int(i) for i in selected.nonzero().flatten()]

    def uniform(self, count: int, low: float, high: float, bands: int = 1) -> Tensor:
        """Draw uniformly between ``low`` and ``high``: count×bands×1×1."""
        drawn = torch.rand((count, bands, 1, 1), generator=self.generator)
        return to_device(drawn * (high - low) + low, self.device)

    def normal(self, count: int, spread: float, bands: int = 1) -> Tensor:
        """Draw normally around 0 with the standard deviation ``spread``: count×bands×1×1."""
        return to_device(torch.randn((count, bands, 1, 1), generator=self.generator) * spread, self.device)

    def bernoulli(self, count: int, probability: float) -> Tensor:
        """Draw 1.0 with this probability, else 0.0: count×1×1×1."""
        return to_device((torch.rand((count, 1, 1, 1), generator=self.generator) < probability).float(), self.device)

    def categorical(self, count: int, weights: tuple[float, ...]) -> Tensor:
        """Draw indices with the given weights: count."""
        drawn = torch.multinomial(torch.tensor(weights), count, replacement=True, generator=self.generator)
        return to_device(drawn, self.device)

    def uniform_list(self, count: int, low: float, high: float) -> list[float]:
        """Draw as :meth:`uniform`, but return Python numbers, for example for image sizes."""
        return [float(x) for x in torch.rand(count, generator=self.generator) * (high - low) + low]

    def normal_grid(self, count: int, height: int, width: int) -> Tensor:
        """Draw standard normal numbers on a small grid: count×height×width."""
        return to_device(torch.randn((count, height, width), generator=self.generator), self.device)

    def normal_pixels(self, shape: tuple[int, ...]) -> Tensor:
        """Draw standard normal numbers for every pixel, on the device, with a generator seeded by this one."""
        seed = int(torch.randint(2**62, (1,), generator=self.generator))
        device_generator = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(shape, generator=device_generator, device=self.device)
