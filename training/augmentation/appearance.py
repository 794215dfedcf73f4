"""How one place looks on two dates though nothing changed: light, season, weather, camera, file. Not geometry.

Made for a batch on any device. Images are balanced first (:func:`balance`, as a scan balances its scenes), restyled
next: what :func:`restyle` does to exposure and colour is then what balancing a whole scene leaves over. Without
balancing, or much stronger, colour drowns what is to be learnt.

    draw, warp (training.augmentation.geometry) → balance → restyle → normalise → network
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.radiometric_normalization import LARGEST_GAIN, TARGET_MEAN, TARGET_SPREAD
from training.augmentation.random_numbers import Draws, sent
from training.augmentation.sensor import add_noise, coarsen, compress, hue_and_saturation, mixed, refocus
from training.augmentation.weather import cast_clouds, haze_over, move_sun, turn_season

HIDDEN_FROM = 0.7
"""Opacity of a cloud above which nothing can be said of the ground."""


@dataclass(frozen=True)
class AppearanceSettings:
    """How often and how strongly the look of an image is varied.

    Probabilities are per image; standard deviations are those of normal draws; pairs are the ends of even draws.

    Attributes:
        season: probability that vegetation or soil turns.
        sun: probability that light comes from elsewhere.
        cloud: probability of clouds or veils.
        haze: probability of haze.
        colour: probability that the camera's response differs.
        colour_cast: probability, where colour differs, that hue or white balance is far off, as in some archives.
        greyscale: probability, where colour differs, that there is none.
        sharpness: probability of blur, larger pixels or sharpening.
        noise: probability of noise.
        compression: probability of JPEG artefacts.
        strength: multiplies the standard deviations of colour.
        gamma: standard deviation of the logarithm of the exponent.
        contrast: standard deviation of the logarithm of the contrast.
        level: standard deviation of the brightness that is added, 1 being white.
        gain: standard deviation of the logarithm of the exposure.
        band_gain: standard deviation of the logarithm of each band's own gain.
        saturation: standard deviation of the logarithm of the saturation.
        hue_deg: standard deviation of the turn of hues, in degrees.
        cast_band_gain: as band_gain, where the cast is strong.
        cast_hue_deg: as hue_deg, where the cast is strong.
        haze_amount: share of the light that is haze.
        shadow_shift_px: how far shadows move at most.
        coarser: share of those of another sharpness that come from a sensor with larger pixels.
        blur_px: standard deviation of the blur.
        coarser_by: size of those larger pixels.
        unsharp: weight of what unsharp masking adds.
        noise_levels: standard deviation of noise, in levels of 0…255.
        halved_colour: share of compressed images with chrominance at half size.
        quality: JPEG quality.
    """

    season: float = 0.15
    sun: float = 0.2
    cloud: float = 0.02
    haze: float = 0.12
    colour: float = 0.9
    colour_cast: float = 0.12
    greyscale: float = 0.02
    sharpness: float = 0.35
    noise: float = 0.3
    compression: float = 0.25

    strength: float = 1.0
    gamma: float = 0.15
    contrast: float = 0.13
    level: float = 0.05
    gain: float = 0.10
    band_gain: float = 0.06
    saturation: float = 0.3
    hue_deg: float = 4.0
    cast_band_gain: float = 0.12
    cast_hue_deg: float = 30.0
    haze_amount: tuple[float, float] = (0.08, 0.45)
    shadow_shift_px: float = 8.0
    coarser: float = 0.3
    blur_px: tuple[float, float] = (0.4, 1.8)
    coarser_by: tuple[float, float] = (1.5, 3.0)
    unsharp: tuple[float, float] = (0.3, 1.2)
    noise_levels: tuple[float, float] = (1.2, 7.0)
    halved_colour: float = 0.7
    quality: tuple[float, float] = (25.0, 90.0)


def balance(images: Tensor, valid: Tensor | None = None) -> Tensor:
    """:mod:`model.radiometric_normalization` for a batch: mean and spread of each band of each image are brought to the standard.

    Args:
        images: N×3×H×W float 0…255.
        valid: N×H×W bool, which pixels count; the others become 0. None: all count.

    Returns:
        the same shape, whole levels 1…255 where valid; an image without valid pixels is all 0.
    """
    weight = torch.ones_like(images[:, :1]) if valid is None else valid[:, None].to(images.dtype)
    number = weight.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = (images * weight).sum(dim=(2, 3), keepdim=True) / number
    centred = (images - mean) * weight
    spread = ((centred * centred).sum(dim=(2, 3), keepdim=True) / number).sqrt()
    gain = (TARGET_SPREAD / spread.clamp(min=1e-6)).clamp(1 / LARGEST_GAIN, LARGEST_GAIN)
    return centred.mul_(gain).add_(TARGET_MEAN).round_().clamp_(1, 255).mul_(weight)


def _colour(images: Tensor, draws: Draws, settings: AppearanceSettings) -> Tensor:
    """Exposure, contrast, gamma, white balance, saturation and hue."""
    count, strength = len(images), settings.strength
    far_off = draws.happens(count, settings.colour_cast)
    none = draws.happens(count, settings.greyscale)

    def spread(usual: float, strong: float) -> Tensor:
        return usual * strength + far_off * (strong - usual * strength)

    gamma = draws.normal(count, settings.gamma * strength).exp()
    contrast = draws.normal(count, settings.contrast * strength).exp()
    level = draws.normal(count, settings.level * strength)
    gain = draws.normal(count, settings.gain * strength) + draws.normal(count, 1.0, bands=3) * spread(
        settings.band_gain, settings.cast_band_gain
    )
    saturation = draws.normal(count, settings.saturation * strength).exp().clamp(max=2) * (1 - none)
    turn = draws.normal(count, math.pi / 180) * spread(settings.hue_deg, settings.cast_hue_deg)

    # contrast is about the level that balancing aims at, so that it does not change the exposure too
    middle = TARGET_MEAN
    bands = 255 * (images / 255).clamp_(0, 1).pow_(gamma)
    bands = bands.mul_(gain.exp() * contrast).add_(middle * (1 - contrast) + 255 * level)
    return mixed(bands, hue_and_saturation(turn.flatten(), saturation.flatten()))


def _sharpness(images: Tensor, draws: Draws, settings: AppearanceSettings) -> Tensor:
    coarse = draws.chosen(len(images), settings.coarser)
    out = images.clone()
    _vary(out, _others(images, coarse), lambda some: refocus(some, draws, settings.blur_px, settings.unsharp))
    _vary(out, coarse, lambda some: coarsen(some, draws, settings.coarser_by))
    return out


def _compression(images: Tensor, draws: Draws, settings: AppearanceSettings) -> Tensor:
    halved = draws.chosen(len(images), settings.halved_colour)
    out = images.clone()
    for chosen, halve in ((halved, True), (_others(images, halved), False)):
        quality = draws.uniform(len(chosen), *settings.quality).flatten().round()
        _vary(out, chosen, partial(compress, quality=quality, halve_colour=halve))
    return out


def _others(images: Tensor, chosen: list[int]) -> list[int]:
    return [number for number in range(len(images)) if number not in chosen]


def _vary(images: Tensor, chosen: list[int], effect: Callable[[Tensor], Tensor]) -> None:
    """Replace the chosen images of a batch; the others cost nothing."""
    if chosen:
        index = sent(chosen, images.device)
        images.index_copy_(0, index, effect(images.index_select(0, index)))


@torch.no_grad()
def restyle(images: Tensor, generator: torch.Generator, settings: AppearanceSettings) -> tuple[Tensor, Tensor]:
    """Show each image of a batch as another day, camera and file would; each is varied on its own.

    Args:
        images: N×3×H×W float 0…255 RGB on any device, all bands 0 where there is no data.
        generator: of the processor, whatever the device; the same state gives the same result.
        settings: how often and how strongly.

    Returns:
        N×3×H×W in whole levels, 1…255 and still 0 where there is no data; and N×H×W bool, where opaque cloud hides the
        ground, so that the label is to be ignored.
    """
    draws = Draws(generator, images.device)
    count, _, height, width = images.shape
    valid = images.amax(dim=1, keepdim=True) > 0
    # effects look at their surroundings: no data is to look like nothing in particular, not like a shadow
    out = torch.where(valid, images.float(), TARGET_MEAN).contiguous()
    opacity = torch.zeros((count, 1, height, width), device=images.device)

    # half precision would be seen: half a level is one part in 500
    with torch.autocast(images.device.type, enabled=False):
        # the order of the world: ground, light, what is in the air, lens, sensor, file
        _vary(out, draws.chosen(count, settings.season), lambda some: turn_season(some, draws))
        _vary(out, draws.chosen(count, settings.sun), lambda some: move_sun(some, draws, settings.shadow_shift_px))
        if clouded := draws.chosen(count, settings.cloud):
            index = sent(clouded, images.device)
            below, over = cast_clouds(out.index_select(0, index), draws)
            out.index_copy_(0, index, below)
            opacity.index_copy_(0, index, over)
        _vary(out, draws.chosen(count, settings.haze), lambda some: haze_over(some, draws, settings.haze_amount))
        _vary(out, draws.chosen(count, settings.colour), lambda some: _colour(some, draws, settings))
        _vary(out, draws.chosen(count, settings.sharpness), lambda some: _sharpness(some, draws, settings))
        _vary(out, draws.chosen(count, settings.noise), lambda some: add_noise(some, draws, settings.noise_levels))
        _vary(out, draws.chosen(count, settings.compression), lambda some: _compression(some, draws, settings))

    out = out.round_().clamp_(1, 255).mul_(valid)
    return out, ((opacity > HIDDEN_FROM) & valid)[:, 0]


def restyle_image(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """One H×W×3 image restyled on the processor, always in colour and never under clouds: same place, no change."""
    batch = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    settings = replace(AppearanceSettings(), colour=1.0, cloud=0.0)
    restyled, _ = restyle(batch, torch.Generator().manual_seed(seed), settings)
    return np.asarray(restyled[0].permute(1, 2, 0).to(torch.uint8).numpy())
