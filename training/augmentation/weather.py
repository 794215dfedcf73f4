"""What season, sun, clouds and haze do to ground that stays the same, before a camera sees it.

Every function takes N×3×H×W float 0…255 RGB without holes and gives the same shape, not yet clamped. What is
vegetation, soil or shadow is guessed from the colours alone, softly: a wrong guess then costs little.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (the name everyone knows)

from training.augmentation.random_numbers import Draws, sent

SPLINE_SPREAD = 151 / 315
"""Standard deviation of a cubic B-spline surface over knots of standard deviation 1."""

# colours that ground turns to, as gains of its grey: red, green, blue, then the level that is added
DRY = (1.12, 1.0, 0.84, 0.0)
WINTER = (1.05, 1.0, 0.92, 0.0)
LUSH = (0.86, 1.08, 0.78, 0.0)
SNOW = (0.15, 0.15, 0.16, 205.0)


class SmoothNoise:
    """A random smooth surface per image that can be looked at from several places."""

    def __init__(
        self, draws: Draws, count: int, size: tuple[int, int], spacings_px: tuple[float, ...], reach_px: float = 0.0
    ) -> None:
        """Draw the knots.

        Args:
            draws: where from.
            count: surfaces.
            size: height and width in pixels.
            spacings_px: distances of the knots, one octave each, the more weight the wider.
            reach_px: how far :meth:`seen` may be shifted.
        """
        self.size, self.reach_px, self.device = size, reach_px, draws.device
        self.zoom = draws.uniform(count, 0.7, 1.4).flatten(1)
        self.spacings_px = spacings_px
        self.knots = [
            draws.knots(count, *(math.ceil(1.4 * (side + 2 * reach_px) / spacing) + 4 for side in size))
            for spacing in spacings_px
        ]

    def _weights(self, side: int, shift: Tensor | None, spacing: float, knots: int) -> Tensor:
        """Cubic B-spline weights of each knot on each pixel of one axis: N×side×knots."""
        pixels = torch.arange(side, device=self.device, dtype=torch.float32)[None] + self.reach_px
        place = (pixels if shift is None else pixels + shift) * self.zoom / spacing + 1
        away = (place[..., None] - torch.arange(knots, device=self.device)).abs()
        return torch.where(away < 1, 2 / 3 - away**2 + away**3 / 2, (2 - away).clamp(min=0) ** 3 / 6)

    def seen(self, shift_y: Tensor | None = None, shift_x: Tensor | None = None) -> Tensor:
        """The surface, mean 0 and standard deviation 1, shifted by N×1 pixels per axis: N×1×H×W."""
        height, width = self.size
        total = torch.zeros((), device=self.device)
        for spacing, knots in zip(self.spacings_px, self.knots, strict=True):
            rows = self._weights(height, shift_y, spacing, knots.shape[1])
            columns = self._weights(width, shift_x, spacing, knots.shape[2])
            total = total + spacing * (rows @ knots @ columns.mT)
        power = math.sqrt(sum(spacing**2 for spacing in self.spacings_px))
        return (total / (SPLINE_SPREAD * power))[:, None]


def _ramp(x: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _grey(images: Tensor) -> Tensor:
    return images.mean(dim=1, keepdim=True)


def _halved(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, 2, ceil_mode=True)


def _enlarged(masks: Tensor, images: Tensor) -> Tensor:
    return F.interpolate(masks, size=images.shape[2:], mode="bilinear", align_corners=False)


def turn_season(images: Tensor, draws: Draws) -> Tensor:
    """Vegetation dries, goes grey in winter or thickens; bare soil greens; or snow dusts what is light.

    Each image turns one way, field by field to another degree.
    """
    count, device = len(images), images.device
    small = _halved(images)
    red, green, blue = small.unbind(1)
    light = small.sum(dim=1) + 1
    grassy = _ramp((2 * green - red - blue) / light, 0.01, 0.09)
    # roofs of tile are redder than soil: they stay
    warmth = (red - blue) / light
    bare = _ramp(warmth, 0.02, 0.10) * (1 - _ramp(warmth, 0.20, 0.30)) * (1 - grassy)
    bright = _ramp(light / 3, 105, 190)

    # drying is the season that surveys of construction meet most; greening is rare since it may hide real earthworks
    turn = draws.one_of(count, (0.4, 0.2, 0.15, 0.12, 0.13))
    acts_on = torch.stack([grassy, grassy, grassy, bare, bright], dim=1)
    mask = acts_on.gather(1, turn[:, None, None, None].expand(-1, 1, *small.shape[2:]))
    colours = sent([DRY, WINTER, LUSH, LUSH, SNOW], device)[turn][..., None, None]
    lowest, highest = sent([(0.85, 1.3), (0.8, 1.2), (0.7, 0.95), (0.65, 0.95), (0.9, 1.1)], device)[turn].T[
        ..., None, None, None
    ]
    brightness = lowest + (highest - lowest) * draws.uniform(count, 0, 1)
    most = sent([1.0, 1.0, 0.9, 0.8, 0.6], device)[turn][:, None, None, None]

    fields = SmoothNoise(draws, count, (images.shape[2], images.shape[3]), (90.0, 30.0)).seen()
    degree = most * draws.uniform(count, 0.5, 1.0) * torch.sigmoid(2.5 * fields + draws.uniform(count, 0.0, 4.0))
    turned = _grey(images) * (colours[:, :3] * brightness) + colours[:, 3:]
    # what grows together turns together
    mask = (1.3 * F.avg_pool2d(mask, 5, stride=1, padding=2, count_include_pad=False)).clamp(max=1)
    return torch.lerp(images, turned, degree * _enlarged(mask, images))


def _shadows(grey: Tensor) -> Tensor:
    """How far each pixel of N×1×H×W looks like a cast shadow: dark for its image, not part of a large dark area."""
    mean, spread = grey.mean(dim=(2, 3), keepdim=True), grey.std(dim=(2, 3), correction=0, keepdim=True)
    dark = 1 - _ramp(grey, mean - 1.6 * spread - 6, mean - 0.7 * spread - 6)
    around = F.avg_pool2d(dark, 32, ceil_mode=True, count_include_pad=False)
    return dark * (1 - _enlarged(around, grey)) ** 2


def _moved(masks: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """N×1×H×W shifted by whole pixels (N×1×1×1), the edge repeated."""
    count, _, height, width = masks.shape
    rows = (torch.arange(height, device=masks.device)[None, None, :, None] - down).clamp(0, height - 1)
    columns = (torch.arange(width, device=masks.device)[None, None, None, :] - right).clamp(0, width - 1)
    moved = masks.gather(2, rows.long().expand(count, 1, height, width))
    return moved.gather(3, columns.long().expand(count, 1, height, width))


def move_sun(images: Tensor, draws: Draws, shadow_shift_px: float) -> Tensor:
    """Slopes and walls are lit from another side; shadows lie elsewhere and are deeper or lighter.

    Without heights this is an imitation: the relief is that of the image's own brightness, and what is dark and small
    is taken for a shadow and moved by up to ``shadow_shift_px``, its old place brought to the light around it.
    """
    count = len(images)
    small = _halved(_grey(images))
    bearing = draws.uniform(count, 0, 2 * math.pi)
    padded = F.pad(small, (1, 1, 1, 1), mode="replicate")
    slope_x = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    slope_y = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    relief = torch.tanh((slope_x * bearing.cos() + slope_y * bearing.sin()) / 50)

    shadow = _shadows(small)
    # the light beside each shadow: the mean of what is no shadow
    sunlit = 1 - shadow
    pooled = F.avg_pool2d(torch.cat([small * sunlit, sunlit], dim=1), 16, ceil_mode=True, count_include_pad=False)
    lit = _enlarged(pooled[:, :1] / pooled[:, 1:].clamp(min=0.05), small)
    lift = (lit / small.clamp(min=12)).clamp(1, 2.2) - 1

    # in pixels of half the size, evenly over the disc that is reached
    far = shadow_shift_px / 2 * draws.uniform(count, 0, 1).sqrt()
    moved = _moved(shadow, (far * bearing.sin()).round(), (far * bearing.cos()).round())
    left, taken = (shadow - moved).clamp(min=0), (moved - shadow).clamp(min=0)
    depth = draws.uniform(count, -0.3, 0.5) * shadow
    gain = (
        1
        + relief * draws.uniform(count, 0.05, 0.3)
        + left * lift * draws.uniform(count, 0.5, 1.0)
        + depth * lift
        - taken * draws.uniform(count, 0.25, 0.5)
    )
    gain = _enlarged(gain.clamp(0.4, 2.5), images)
    # what loses the sun keeps the blue of the sky
    blue = sent([0.06, 0.0, -0.06], images.device)[None, :, None, None]
    return images * (gain + (gain - 1).clamp(max=0) * blue)


def cast_clouds(images: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    """Clouds or thin veils and their shadows; also how opaque they are, N×1×H×W in 0…1."""
    count = len(images)
    noise = SmoothNoise(
        draws, count, (images.shape[2], images.shape[3]), (150.0, 75.0, 38.0, 19.0, 10.0), reach_px=80.0
    )
    cover = draws.uniform(count, 0.2, 1.5)
    opaque = draws.happens(count, 0.6)
    density = torch.where(opaque > 0, draws.uniform(count, 0.85, 1.0), draws.uniform(count, 0.2, 0.6))
    soft = draws.uniform(count, 0.4, 1.0)
    bearing, far = draws.uniform(count, 0, 2 * math.pi), draws.uniform(count, 15, 80)
    shift_y, shift_x = (far * bearing.sin()).flatten(1), (far * bearing.cos()).flatten(1)

    thickness = noise.seen()
    opacity = _ramp(thickness, cover, cover + soft) * density
    shade = _ramp(noise.seen(shift_y, shift_x), cover, cover + soft + 0.4) * density
    ground = images * (1 - shade * draws.uniform(count, 0.3, 0.6))
    top = draws.uniform(count, 215, 250) + 8 * (thickness - cover - 1).clamp(-1, 1)
    return torch.lerp(ground, top.expand_as(images), opacity), opacity


def haze_over(images: Tensor, draws: Draws, amount: tuple[float, float]) -> Tensor:
    """Light scattered in the air is added and contrast lost, in half of the images more on one side."""
    count, _, height, width = images.shape
    bearing = draws.uniform(count, 0, 2 * math.pi)
    y = torch.linspace(-1, 1, height, device=images.device)[:, None]
    x = torch.linspace(-1, 1, width, device=images.device)
    lean = (x * bearing.cos() + y * bearing.sin()) * draws.uniform(count, 0.2, 0.5) * draws.happens(count, 0.5)
    haze = draws.uniform(count, *amount) * (1 + lean)
    bluish = sent([-1.0, 0.0, 1.0], images.device)[None, :, None, None] * draws.uniform(count, -3, 12)
    return torch.lerp(images, (draws.uniform(count, 150, 235) + bluish).expand_as(images), haze)
