"""Sensor augmentation: colour response, sharpness, noise and JPEG compression, on batches N×3×H×W of 0…255."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from training.augmentation.random_numbers import ParameterSampler, to_device

# Quantisation tables K.1 and K.2 of ITU-T T.81 (1992), Annex K: luminance and chrominance at quality 50
LUMINANCE_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE_STEPS = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)

# ITU-R BT.601, as JFIF prescribes: rows Y, Cb, Cr
RGB_TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
YCBCR_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def mix_bands(images: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the bands of each image by its 3×3 matrix (N×3×3)."""
    return (matrices @ images.flatten(2)).view_as(images)


def hue_and_saturation(rotation: Tensor, saturation: Tensor) -> Tensor:
    """Build colour matrices that rotate hue and scale saturation; grey stays grey.

    Args:
        rotation: N angles about the grey axis, radians.
        saturation: N factors.

    Returns:
        N×3×3.
    """
    to_grey = rotation.new_full((3, 3), 1 / 3)
    identity = torch.eye(3, device=rotation.device)
    # the cross product with the unit vector along grey (Rodrigues' rotation)
    cross = to_device([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], rotation.device) / math.sqrt(3)
    rotation, saturation = rotation[:, None, None], saturation[:, None, None]
    return to_grey + saturation * (rotation.cos() * (identity - to_grey) + rotation.sin() * cross)


def gaussian_blur(images: Tensor, sigma_px: Tensor, largest_px: float) -> Tensor:
    """Blur N images with N standard deviations, of which none exceeds ``largest_px`` (it sets the kernel size)."""
    bands, height, width = images.shape[1:]
    radius = math.ceil(2.5 * largest_px)
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    kernels = torch.exp(-0.5 * (offsets / sigma_px.view(-1, 1)) ** 2)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).repeat_interleave(bands, dim=0)[:, None, None]
    # a grouped convolution with one group per band and image
    flat = F.pad(images.reshape(1, -1, height, width), (radius,) * 4, mode="replicate")
    flat = F.conv2d(F.conv2d(flat, kernels, groups=len(kernels)), kernels.mT, groups=len(kernels))
    return flat.view_as(images)


def refocus(
    images: Tensor, sampler: ParameterSampler, sigma_px: tuple[float, float], unsharp: tuple[float, float]
) -> Tensor:
    """Blur two of three images, sharpen the third by unsharp masking."""
    count = len(images)
    sharpened = sampler.bernoulli(count, 1 / 3)
    sigma = torch.where(sharpened > 0, sampler.uniform(count, 0.8, 1.5), sampler.uniform(count, *sigma_px))
    weight = torch.where(sharpened > 0, -sampler.uniform(count, *unsharp), torch.ones_like(sharpened))
    return torch.lerp(images, gaussian_blur(images, sigma, max(sigma_px[1], 1.5)), weight)


def coarsen(images: Tensor, sampler: ParameterSampler, factor: tuple[float, float]) -> Tensor:
    """Simulate a sensor with larger pixels: downsample by a factor from the range ``factor``, then upsample."""
    _, _, height, width = images.shape
    out = []
    for image, ratio in zip(images, sampler.uniform_list(len(images), *factor), strict=True):
        size = (max(1, round(height / ratio)), max(1, round(width / ratio)))
        large_pixels = F.interpolate(image[None], size=size, mode="area")
        out.append(F.interpolate(large_pixels, size=(height, width), mode="bilinear", align_corners=False))
    return torch.cat(out)


def add_noise(images: Tensor, sampler: ParameterSampler, levels: tuple[float, float]) -> Tensor:
    """Add noise with a standard deviation from the range ``levels`` (of 0…255).

    A random share is common to all bands; some images get coarse-grained noise; in some it grows with the square root
    of the brightness (photon noise).
    """
    count = len(images)
    noise = sampler.normal_pixels(tuple(images.shape))
    # mix independent and common noise so that the variance stays 1
    common = sampler.uniform(count, 0, 1)
    noise = noise * (1 - common).sqrt() + noise.mean(dim=1, keepdim=True) * (3 * common).sqrt()
    low, high = (math.log(level) for level in levels)
    std = sampler.uniform(count, low, high).exp()
    grainy = sampler.select(count, 0.4)
    if grainy:
        index = to_device(grainy, images.device)
        # the mean of 2×2 pixels has half the standard deviation
        grain = 2 * F.avg_pool2d(F.pad(noise[index], (1, 0, 1, 0), mode="replicate"), 2, stride=1)
        noise.index_copy_(0, index, grain)
    photon_noise = sampler.bernoulli(count, 0.5)
    light = torch.lerp(torch.ones_like(images[:, :1]), (images[:, 1:2].clamp(min=4) / 110).sqrt(), photon_noise)
    return images + noise * (std * light)


def _quantisation_tables(quality: Tensor, table: tuple[tuple[int, ...], ...]) -> Tensor:
    """Scale a quantisation table to N qualities by the formula of the Independent JPEG Group: N×8×8."""
    base = to_device(table, quality.device).float()
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    return ((base * percent + 50) / 100).floor().clamp(1, 255)


def _dct_matrix(device: torch.device) -> Tensor:
    """Return the orthonormal DCT-II of 8 samples as a matrix, frequency×sample."""
    frequency, sample = torch.arange(8.0, device=device)[:, None], torch.arange(8.0, device=device)
    basis = torch.cos(math.pi / 8 * (sample + 0.5) * frequency) / 2
    basis[0] /= math.sqrt(2)
    return basis


def _quantise_blocks(planes: Tensor, steps: Tensor) -> Tensor:
    """Transform 8×8 blocks, quantise their frequencies and transform them back.

    Args:
        planes: N×C×H×W, H and W multiples of 8.
        steps: quantisation tables, N×8×8.
    """
    count, bands, height, width = planes.shape
    dct = _dct_matrix(planes.device)
    rows = dct @ planes.reshape(-1, 8, width)
    frequencies = (rows.reshape(-1, 8) @ dct.T).view(count, -1, 8, width)
    # tables repeated along a row of blocks, so that complete rows are quantised at once
    row_steps = steps.repeat(1, 1, width // 8)[:, None]
    quantised = (frequencies / row_steps).round_().mul_(row_steps)
    rows = dct.T @ (quantised.view(-1, 8) @ dct).view(-1, 8, width)
    return rows.view(count, bands, height, width)


def compress(images: Tensor, quality: Tensor, halve_colour: bool) -> Tensor:
    """Compress images as JPEG and decompress them.

    Args:
        images: N×3×H×W of 0…255.
        quality: N qualities of 1…100, on the scale of the Independent JPEG Group.
        halve_colour: use chroma subsampling (4:2:0), as most files do.
    """
    height, width = images.shape[2:]
    unit = 16 if halve_colour else 8
    padded = F.pad(images.clamp(0, 255).round(), (0, -width % unit, 0, -height % unit), mode="replicate")
    count = len(images)
    rgb_to_ycbcr = to_device(RGB_TO_YCBCR, images.device).expand(count, 3, 3)
    ycbcr_to_rgb = to_device(YCBCR_TO_RGB, images.device).expand(count, 3, 3)
    planes = mix_bands(padded, rgb_to_ycbcr).round_()
    luminance = _quantise_blocks(planes[:, :1] - 128, _quantisation_tables(quality, LUMINANCE_STEPS)) + 128
    colour = F.avg_pool2d(planes[:, 1:], 2) if halve_colour else planes[:, 1:]
    colour = _quantise_blocks(colour, _quantisation_tables(quality, CHROMINANCE_STEPS))
    if halve_colour:
        colour = F.interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
    return mix_bands(torch.cat([luminance, colour], dim=1), ycbcr_to_rgb)[:, :, :height, :width].round().clamp(0, 255)
