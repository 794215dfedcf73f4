"""Random numbers for a batch: always drawn on the processor, then moved to where the images are.

So a run is the same run on any device. Only what is drawn per pixel comes from the device itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def sent(numbers: Any, device: torch.device) -> Tensor:
    """Numbers of the processor on another device, without waiting for what that still has to do."""
    return torch.as_tensor(numbers).to(device, non_blocking=True)


class Draws:
    """Draws parameters per image from one generator and puts them on one device."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        """Draw from ``generator`` (of the processor) for images on ``device``."""
        self.generator, self.device = generator, device

    def chosen(self, count: int, probability: float) -> list[int]:
        """Of ``count`` images the numbers of those that an effect of this probability falls on."""
        fallen = torch.rand(count, generator=self.generator) < probability
        return [int(i) for i in fallen.nonzero().flatten()]

    def uniform(self, count: int, low: float, high: float, bands: int = 1) -> Tensor:
        """Evenly between ``low`` and ``high``: count×bands×1×1."""
        drawn = torch.rand((count, bands, 1, 1), generator=self.generator)
        return sent(drawn * (high - low) + low, self.device)

    def normal(self, count: int, spread: float, bands: int = 1) -> Tensor:
        """Around 0 with this standard deviation: count×bands×1×1."""
        return sent(torch.randn((count, bands, 1, 1), generator=self.generator) * spread, self.device)

    def happens(self, count: int, probability: float) -> Tensor:
        """1 with this probability, else 0: count×1×1×1, to multiply by."""
        return sent((torch.rand((count, 1, 1, 1), generator=self.generator) < probability).float(), self.device)

    def one_of(self, count: int, weights: tuple[float, ...]) -> Tensor:
        """Numbers of alternatives, drawn by weight: count."""
        drawn = torch.multinomial(torch.tensor(weights), count, replacement=True, generator=self.generator)
        return sent(drawn, self.device)

    def numbers(self, count: int, low: float, high: float) -> list[float]:
        """As :meth:`uniform`, but for whoever needs plain numbers (a size, not a factor)."""
        return [float(x) for x in torch.rand(count, generator=self.generator) * (high - low) + low]

    def knots(self, count: int, height: int, width: int) -> Tensor:
        """Standard normal numbers on a small grid: count×height×width."""
        return sent(torch.randn((count, height, width), generator=self.generator), self.device)

    def pixels(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers for every pixel, drawn on the device by a generator of its own."""
        seed = int(torch.randint(2**62, (1,), generator=self.generator))
        own = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(shape, generator=own, device=self.device)
