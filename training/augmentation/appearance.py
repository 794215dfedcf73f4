"""Appearance augmentation: light, season, weather, camera and compression vary, the ground does not change.

Works on batches on any device. Images are radiometrically normalised first (:func:`normalize_radiometry`, as in a
scan) and restyled after that, so that the variation of exposure and colour is what remains after normalising complete
scenes. Without normalisation, or with much stronger variation, colour drowns the signal of changes.

    draw, warp (training.augmentation.geometry) → normalize_radiometry → restyle → normalise → network
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

from model.radiometric_normalization import MAX_GAIN, TARGET_MEAN, TARGET_STD
from training.augmentation.random_numbers import ParameterSampler, to_device
from training.augmentation.sensor import add_noise, coarsen, compress, hue_and_saturation, mix_bands, refocus
from training.augmentation.weather import add_clouds, add_haze, change_season, change_sun

OPAQUE_CLOUD = 0.7
"""Opacity of clouds above which the ground is regarded as hidden."""


@dataclass(frozen=True)
class AppearanceSettings:
    """Probabilities and strengths of the appearance augmentation.

    Probabilities are per image; standard deviations are of normal distributions; pairs are the ends of uniform ones.

    Attributes:
        season: probability of a change of vegetation or soil.
        sun: probability of another sun direction.
        cloud: probability of clouds or thin veils.
        haze: probability of haze.
        colour: probability of another camera response.
        colour_cast: probability, given another camera response, of a strong colour cast, as in some archives.
        greyscale: probability, given another camera response, of a greyscale image.
        sharpness: probability of blur, larger pixels or sharpening.
        noise: probability of noise.
        compression: probability of JPEG artefacts.
        strength: factor on the standard deviations of colour.
        gamma: standard deviation of the logarithm of the exponent.
        contrast: standard deviation of the logarithm of the contrast.
        level: standard deviation of the added brightness, 1 being white.
        gain: standard deviation of the logarithm of the exposure.
        band_gain: standard deviation of the logarithm of the gain of each band.
        saturation: standard deviation of the logarithm of the saturation.
        hue_deg: standard deviation of the hue rotation, in degrees.
        cast_band_gain: as band_gain, for a strong colour cast.
        cast_hue_deg: as hue_deg, for a strong colour cast.
        haze_amount: share of the light that is haze.
        shadow_shift_px: largest displacement of shadows.
        coarser: share of images with another sharpness that get larger pixels.
        blur_px: standard deviation of the blur.
        coarser_by: factor of the larger pixels.
        unsharp: weight of unsharp masking.
        noise_levels: standard deviation of noise, in levels of 0…255.
        halved_colour: share of compressed images with 4:2:0 chroma subsampling.
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


def normalize_radiometry(images: Tensor, valid: Tensor | None = None) -> Tensor:
    """Normalise mean and standard deviation of each band of each image (:mod:`model.radiometric_normalization`).

    Args:
        images: N×3×H×W float 0…255.
        valid: N×H×W bool, valid pixels; the others become 0. None: all are valid.

    Returns:
        the same shape, integer levels 1…255 where valid; an image without valid pixels is all 0.
    """
    weight = torch.ones_like(images[:, :1]) if valid is None else valid[:, None].to(images.dtype)
    count = weight.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = (images * weight).sum(dim=(2, 3), keepdim=True) / count
    centred = (images - mean) * weight
    std = ((centred * centred).sum(dim=(2, 3), keepdim=True) / count).sqrt()
    gain = (TARGET_STD / std.clamp(min=1e-6)).clamp(1 / MAX_GAIN, MAX_GAIN)
    return centred.mul_(gain).add_(TARGET_MEAN).round_().clamp_(1, 255).mul_(weight)


def _colour(images: Tensor, sampler: ParameterSampler, settings: AppearanceSettings) -> Tensor:
    """Vary exposure, contrast, gamma, white balance, saturation and hue."""
    count, strength = len(images), settings.strength
    colour_cast = sampler.bernoulli(count, settings.colour_cast)
    greyscale = sampler.bernoulli(count, settings.greyscale)

    def std(usual: float, strong: float) -> Tensor:
        return usual * strength + colour_cast * (strong - usual * strength)

    gamma = sampler.normal(count, settings.gamma * strength).exp()
    contrast = sampler.normal(count, settings.contrast * strength).exp()
    level = sampler.normal(count, settings.level * strength)
    gain = sampler.normal(count, settings.gain * strength) + sampler.normal(count, 1.0, bands=3) * std(
        settings.band_gain, settings.cast_band_gain
    )
    saturation = sampler.normal(count, settings.saturation * strength).exp().clamp(max=2) * (1 - greyscale)
    hue_rotation = sampler.normal(count, math.pi / 180) * std(settings.hue_deg, settings.cast_hue_deg)

    # contrast varies around the target mean of normalisation, so that it does not change the exposure too
    pivot = TARGET_MEAN
    bands = 255 * (images / 255).clamp_(0, 1).pow_(gamma)
    bands = bands.mul_(gain.exp() * contrast).add_(pivot * (1 - contrast) + 255 * level)
    return mix_bands(bands, hue_and_saturation(hue_rotation.flatten(), saturation.flatten()))


def _sharpness(images: Tensor, sampler: ParameterSampler, settings: AppearanceSettings) -> Tensor:
    """Give some images larger pixels, blur or sharpen the others."""
    coarse = sampler.select(len(images), settings.coarser)
    out = images.clone()
    _apply_to(out, _complement(images, coarse), lambda some: refocus(some, sampler, settings.blur_px, settings.unsharp))
    _apply_to(out, coarse, lambda some: coarsen(some, sampler, settings.coarser_by))
    return out


def _compression(images: Tensor, sampler: ParameterSampler, settings: AppearanceSettings) -> Tensor:
    """Compress all images as JPEG, some of them with chroma subsampling."""
    subsampled = sampler.select(len(images), settings.halved_colour)
    out = images.clone()
    for selected, halve_colour in ((subsampled, True), (_complement(images, subsampled), False)):
        quality = sampler.uniform(len(selected), *settings.quality).flatten().round()
        _apply_to(out, selected, partial(compress, quality=quality, halve_colour=halve_colour))
    return out


def _complement(images: Tensor, selected: list[int]) -> list[int]:
    return [index for index in range(len(images)) if index not in selected]


def _apply_to(images: Tensor, selected: list[int], effect: Callable[[Tensor], Tensor]) -> None:
    """Replace the selected images of a batch in place by their effect."""
    if selected:
        index = to_device(selected, images.device)
        images.index_copy_(0, index, effect(images.index_select(0, index)))


@torch.no_grad()
def restyle(images: Tensor, generator: torch.Generator, settings: AppearanceSettings) -> tuple[Tensor, Tensor]:
    """Vary the appearance of each image of a batch independently: season, light, weather, camera and file.

    Args:
        images: N×3×H×W float 0…255 RGB on any device; all bands are 0 where there is no data.
        generator: CPU generator, also for images on a GPU; the same state gives the same result.
        settings: probabilities and strengths.

    Returns:
        N×3×H×W in integer levels 1…255, still 0 where there is no data; and N×H×W bool, True where opaque cloud hides
        the ground and the label must be ignored.
    """
    sampler = ParameterSampler(generator, images.device)
    count, _, height, width = images.shape
    valid = images.amax(dim=1, keepdim=True) > 0
    # effects read neighbouring pixels: nodata is filled with the mean so that it does not act as a shadow
    out = torch.where(valid, images.float(), TARGET_MEAN).contiguous()
    opacity = torch.zeros((count, 1, height, width), device=images.device)

    # half precision would be visible: half a level is one part in 500
    with torch.autocast(images.device.type, enabled=False):
        # in physical order: ground, light, atmosphere, lens, sensor, file
        _apply_to(out, sampler.select(count, settings.season), lambda some: change_season(some, sampler))
        _apply_to(
            out, sampler.select(count, settings.sun), lambda some: change_sun(some, sampler, settings.shadow_shift_px)
        )
        if clouded := sampler.select(count, settings.cloud):
            index = to_device(clouded, images.device)
            cloudy, cloud_opacity = add_clouds(out.index_select(0, index), sampler)
            out.index_copy_(0, index, cloudy)
            opacity.index_copy_(0, index, cloud_opacity)
        _apply_to(out, sampler.select(count, settings.haze), lambda some: add_haze(some, sampler, settings.haze_amount))
        _apply_to(out, sampler.select(count, settings.colour), lambda some: _colour(some, sampler, settings))
        _apply_to(out, sampler.select(count, settings.sharpness), lambda some: _sharpness(some, sampler, settings))
        _apply_to(
            out, sampler.select(count, settings.noise), lambda some: add_noise(some, sampler, settings.noise_levels)
        )
        _apply_to(out, sampler.select(count, settings.compression), lambda some: _compression(some, sampler, settings))

    out = out.round_().clamp_(1, 255).mul_(valid)
    return out, ((opacity > OPAQUE_CLOUD) & valid)[:, 0]


def restyle_image(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Restyle one H×W×3 image on the CPU, always varying its colour and without clouds; ``seed`` decides the result."""
    batch = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    settings = replace(AppearanceSettings(), colour=1.0, cloud=0.0)
    restyled, _ = restyle(batch, torch.Generator().manual_seed(seed), settings)
    return np.asarray(restyled[0].permute(1, 2, 0).to(torch.uint8).numpy())
