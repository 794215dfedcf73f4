"""Season, sun, cloud and haze augmentation of unchanged ground.

Every function takes N×3×H×W float 0…255 RGB without nodata and returns the same shape, not clamped. Vegetation, soil
and shadow are estimated from the colours alone, as soft masks, so that a wrong estimate has little effect.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from training.augmentation.random_numbers import ParameterSampler, to_device

SPLINE_SPREAD = 151 / 315
"""Standard deviation of a cubic B-spline surface over knots of standard deviation 1."""

# target colours of ground, as gains on its grey level: red, green, blue, then an added level
DRY = (1.12, 1.0, 0.84, 0.0)
WINTER = (1.05, 1.0, 0.92, 0.0)
LUSH = (0.86, 1.08, 0.78, 0.0)
SNOW = (0.15, 0.15, 0.16, 205.0)


class SmoothNoise:
    """A random smooth surface per image, a sum of cubic B-splines, that can be evaluated with an offset."""

    def __init__(
        self,
        sampler: ParameterSampler,
        count: int,
        size: tuple[int, int],
        spacings_px: tuple[float, ...],
        reach_px: float = 0.0,
    ) -> None:
        """Draw the knots.

        Args:
            sampler: source of the random numbers.
            count: number of surfaces.
            size: height and width in pixels.
            spacings_px: knot spacing of each octave; its weight is proportional to the spacing.
            reach_px: largest offset of :meth:`evaluate`.
        """
        self.size, self.reach_px, self.device = size, reach_px, sampler.device
        self.zoom = sampler.uniform(count, 0.7, 1.4).flatten(1)
        self.spacings_px = spacings_px
        self.knots = [
            sampler.normal_grid(count, *(math.ceil(1.4 * (side + 2 * reach_px) / spacing) + 4 for side in size))
            for spacing in spacings_px
        ]

    def _weights(self, side: int, shift: Tensor | None, spacing: float, knots: int) -> Tensor:
        """Return the cubic B-spline weight of each knot at each pixel of one axis: N×side×knots."""
        pixels = torch.arange(side, device=self.device, dtype=torch.float32)[None] + self.reach_px
        position = (pixels if shift is None else pixels + shift) * self.zoom / spacing + 1
        distance = (position[..., None] - torch.arange(knots, device=self.device)).abs()
        return torch.where(distance < 1, 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clamp(min=0) ** 3 / 6)

    def evaluate(self, shift_y: Tensor | None = None, shift_x: Tensor | None = None) -> Tensor:
        """Return the surface shifted by N×1 pixels per axis, mean 0 and standard deviation 1: N×1×H×W."""
        height, width = self.size
        total = torch.zeros((), device=self.device)
        for spacing, knots in zip(self.spacings_px, self.knots, strict=True):
            rows = self._weights(height, shift_y, spacing, knots.shape[1])
            columns = self._weights(width, shift_x, spacing, knots.shape[2])
            total = total + spacing * (rows @ knots @ columns.mT)
        power = math.sqrt(sum(spacing**2 for spacing in self.spacings_px))
        return (total / (SPLINE_SPREAD * power))[:, None]


def _smoothstep(x: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Smoothstep: 0 below ``low``, 1 above ``high``."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _grey(images: Tensor) -> Tensor:
    return images.mean(dim=1, keepdim=True)


def _half_size(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, 2, ceil_mode=True)


def _upsample_to(masks: Tensor, images: Tensor) -> Tensor:
    return F.interpolate(masks, size=images.shape[2:], mode="bilinear", align_corners=False)


def change_season(images: Tensor, sampler: ParameterSampler) -> Tensor:
    """Change the season: vegetation dries, turns grey or thickens, bare soil turns green, or bright ground gets snow.

    Each image gets one of these, in a degree that varies smoothly over it.
    """
    count, device = len(images), images.device
    small = _half_size(images)
    red, green, blue = small.unbind(1)
    light = small.sum(dim=1) + 1
    vegetation = _smoothstep((2 * green - red - blue) / light, 0.01, 0.09)
    # tile roofs are redder than soil: they are excluded
    warmth = (red - blue) / light
    bare = _smoothstep(warmth, 0.02, 0.10) * (1 - _smoothstep(warmth, 0.20, 0.30)) * (1 - vegetation)
    bright = _smoothstep(light / 3, 105, 190)

    # drying is the most common season in surveys of construction; greening is rare, as it may hide real earthworks
    effect = sampler.categorical(count, (0.4, 0.2, 0.15, 0.12, 0.13))
    acts_on = torch.stack([vegetation, vegetation, vegetation, bare, bright], dim=1)
    mask = acts_on.gather(1, effect[:, None, None, None].expand(-1, 1, *small.shape[2:]))
    colours = to_device([DRY, WINTER, LUSH, LUSH, SNOW], device)[effect][..., None, None]
    darkest, brightest = to_device([(0.85, 1.3), (0.8, 1.2), (0.7, 0.95), (0.65, 0.95), (0.9, 1.1)], device)[effect].T[
        ..., None, None, None
    ]
    brightness = darkest + (brightest - darkest) * sampler.uniform(count, 0, 1)
    max_degree = to_device([1.0, 1.0, 0.9, 0.8, 0.6], device)[effect][:, None, None, None]

    variation = SmoothNoise(sampler, count, (images.shape[2], images.shape[3]), (90.0, 30.0)).evaluate()
    degree = (
        max_degree
        * sampler.uniform(count, 0.5, 1.0)
        * torch.sigmoid(2.5 * variation + sampler.uniform(count, 0.0, 4.0))
    )
    recoloured = _grey(images) * (colours[:, :3] * brightness) + colours[:, 3:]
    # smoothed, so that neighbouring plants change together
    mask = (1.3 * F.avg_pool2d(mask, 5, stride=1, padding=2, count_include_pad=False)).clamp(max=1)
    return torch.lerp(images, recoloured, degree * _upsample_to(mask, images))


def _shadow_mask(grey: Tensor) -> Tensor:
    """Estimate cast shadows of N×1×H×W, 0…1: pixels dark for their image that are not part of a large dark area."""
    mean, spread = grey.mean(dim=(2, 3), keepdim=True), grey.std(dim=(2, 3), correction=0, keepdim=True)
    dark = 1 - _smoothstep(grey, mean - 1.6 * spread - 6, mean - 0.7 * spread - 6)
    around = F.avg_pool2d(dark, 32, ceil_mode=True, count_include_pad=False)
    return dark * (1 - _upsample_to(around, grey)) ** 2


def _translate(masks: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Shift N×1×H×W by integer pixels (N×1×1×1), replicating the edge."""
    count, _, height, width = masks.shape
    rows = (torch.arange(height, device=masks.device)[None, None, :, None] - down).clamp(0, height - 1)
    columns = (torch.arange(width, device=masks.device)[None, None, None, :] - right).clamp(0, width - 1)
    shifted = masks.gather(2, rows.long().expand(count, 1, height, width))
    return shifted.gather(3, columns.long().expand(count, 1, height, width))


def change_sun(images: Tensor, sampler: ParameterSampler, shadow_shift_px: float) -> Tensor:
    """Change the sun direction: slopes and walls are lit from another side, shadows move and change in depth.

    Without a height model this is an approximation: relief is derived from the brightness of the image, and small dark
    areas are treated as shadows. They move by up to ``shadow_shift_px``, and their old places get the brightness
    around them.
    """
    count = len(images)
    small = _half_size(_grey(images))
    bearing = sampler.uniform(count, 0, 2 * math.pi)
    padded = F.pad(small, (1, 1, 1, 1), mode="replicate")
    slope_x = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    slope_y = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    relief = torch.tanh((slope_x * bearing.cos() + slope_y * bearing.sin()) / 50)

    shadow = _shadow_mask(small)
    # brightness around each shadow: the mean of the sunlit pixels
    sunlit = 1 - shadow
    pooled = F.avg_pool2d(torch.cat([small * sunlit, sunlit], dim=1), 16, ceil_mode=True, count_include_pad=False)
    surroundings = _upsample_to(pooled[:, :1] / pooled[:, 1:].clamp(min=0.05), small)
    lift = (surroundings / small.clamp(min=12)).clamp(1, 2.2) - 1

    # in pixels of the half-size image, uniformly distributed over the disc
    distance = shadow_shift_px / 2 * sampler.uniform(count, 0, 1).sqrt()
    moved = _translate(shadow, (distance * bearing.sin()).round(), (distance * bearing.cos()).round())
    uncovered, newly_shaded = (shadow - moved).clamp(min=0), (moved - shadow).clamp(min=0)
    depth = sampler.uniform(count, -0.3, 0.5) * shadow
    gain = (
        1
        + relief * sampler.uniform(count, 0.05, 0.3)
        + uncovered * lift * sampler.uniform(count, 0.5, 1.0)
        + depth * lift
        - newly_shaded * sampler.uniform(count, 0.25, 0.5)
    )
    gain = _upsample_to(gain.clamp(0.4, 2.5), images)
    # shadows are lit by the blue sky
    blue = to_device([0.06, 0.0, -0.06], images.device)[None, :, None, None]
    return images * (gain + (gain - 1).clamp(max=0) * blue)


def add_clouds(images: Tensor, sampler: ParameterSampler) -> tuple[Tensor, Tensor]:
    """Add clouds or thin veils with their shadows; also return their opacity, N×1×H×W of 0…1."""
    count = len(images)
    noise = SmoothNoise(
        sampler, count, (images.shape[2], images.shape[3]), (150.0, 75.0, 38.0, 19.0, 10.0), reach_px=80.0
    )
    cover = sampler.uniform(count, 0.2, 1.5)
    opaque = sampler.bernoulli(count, 0.6)
    density = torch.where(opaque > 0, sampler.uniform(count, 0.85, 1.0), sampler.uniform(count, 0.2, 0.6))
    soft = sampler.uniform(count, 0.4, 1.0)
    bearing, distance = sampler.uniform(count, 0, 2 * math.pi), sampler.uniform(count, 15, 80)
    shift_y, shift_x = (distance * bearing.sin()).flatten(1), (distance * bearing.cos()).flatten(1)

    thickness = noise.evaluate()
    opacity = _smoothstep(thickness, cover, cover + soft) * density
    shadow = _smoothstep(noise.evaluate(shift_y, shift_x), cover, cover + soft + 0.4) * density
    ground = images * (1 - shadow * sampler.uniform(count, 0.3, 0.6))
    top = sampler.uniform(count, 215, 250) + 8 * (thickness - cover - 1).clamp(-1, 1)
    return torch.lerp(ground, top.expand_as(images), opacity), opacity


def add_haze(images: Tensor, sampler: ParameterSampler, amount: tuple[float, float]) -> Tensor:
    """Add haze (scattered light, less contrast), in half of the images with a gradient across the image."""
    count, _, height, width = images.shape
    bearing = sampler.uniform(count, 0, 2 * math.pi)
    y = torch.linspace(-1, 1, height, device=images.device)[:, None]
    x = torch.linspace(-1, 1, width, device=images.device)
    gradient = x * bearing.cos() + y * bearing.sin()
    gradient = gradient * sampler.uniform(count, 0.2, 0.5) * sampler.bernoulli(count, 0.5)
    haze = sampler.uniform(count, *amount) * (1 + gradient)
    bluish = to_device([-1.0, 0.0, 1.0], images.device)[None, :, None, None] * sampler.uniform(count, -3, 12)
    return torch.lerp(images, (sampler.uniform(count, 150, 235) + bluish).expand_as(images), haze)
