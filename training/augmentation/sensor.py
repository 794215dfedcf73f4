"""What lies between the light and the file: colour response, sharpness, noise and JPEG, on batches N×3×H×W 0…255."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (the name everyone knows)

from training.augmentation.random_numbers import Draws, sent

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
YCBCR_OF_RGB = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
RGB_OF_YCBCR = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def mixed(images: Tensor, matrices: Tensor) -> Tensor:
    """Bands mixed by one 3×3 matrix per image (N×3×3)."""
    return (matrices @ images.flatten(2)).view_as(images)


def hue_and_saturation(turn: Tensor, saturation: Tensor) -> Tensor:
    """Matrices (N×3×3) that turn colours about the grey axis by N radians and stretch them from it; grey stays grey."""
    third = turn.new_full((3, 3), 1 / 3)
    one = torch.eye(3, device=turn.device)
    # the cross product with the unit vector along grey (Rodrigues' rotation)
    cross = sent([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], turn.device) / math.sqrt(3)
    turn, saturation = turn[:, None, None], saturation[:, None, None]
    return third + saturation * (turn.cos() * (one - third) + turn.sin() * cross)


def blurred(images: Tensor, sigma_px: Tensor, largest_px: float) -> Tensor:
    """Gaussian blur with N standard deviations; ``largest_px`` says how wide a kernel is needed."""
    bands, height, width = images.shape[1:]
    reach = math.ceil(2.5 * largest_px)
    away = torch.arange(-reach, reach + 1, device=images.device)
    kernels = torch.exp(-0.5 * (away / sigma_px.view(-1, 1)) ** 2)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).repeat_interleave(bands, dim=0)[:, None, None]
    # every band of every image is a group of its own
    flat = F.pad(images.reshape(1, -1, height, width), (reach,) * 4, mode="replicate")
    flat = F.conv2d(F.conv2d(flat, kernels, groups=len(kernels)), kernels.mT, groups=len(kernels))
    return flat.view_as(images)


def refocus(images: Tensor, draws: Draws, sigma_px: tuple[float, float], unsharp: tuple[float, float]) -> Tensor:
    """Gaussian blur in two of three images, unsharp masking in the third."""
    count = len(images)
    sharpened = draws.happens(count, 1 / 3)
    sigma = torch.where(sharpened > 0, draws.uniform(count, 0.8, 1.5), draws.uniform(count, *sigma_px))
    weight = torch.where(sharpened > 0, -draws.uniform(count, *unsharp), torch.ones_like(sharpened))
    return torch.lerp(images, blurred(images, sigma, max(sigma_px[1], 1.5)), weight)


def coarsen(images: Tensor, draws: Draws, factor: tuple[float, float]) -> Tensor:
    """Seen by a sensor with pixels ``factor`` times larger and enlarged again."""
    _, _, height, width = images.shape
    seen = []
    for image, by in zip(images, draws.numbers(len(images), *factor), strict=True):
        size = (max(1, round(height / by)), max(1, round(width / by)))
        large_pixels = F.interpolate(image[None], size=size, mode="area")
        seen.append(F.interpolate(large_pixels, size=(height, width), mode="bilinear", align_corners=False))
    return torch.cat(seen)


def add_noise(images: Tensor, draws: Draws, levels: tuple[float, float]) -> Tensor:
    """Noise with a standard deviation within ``levels`` of 0…255.

    More or less of it is common to all bands; some is in grains; some grows with the square root of the light.
    """
    count = len(images)
    noise = draws.pixels(tuple(images.shape))
    # the share that all bands have in common; both shares together keep the variance
    common = draws.uniform(count, 0, 1)
    noise = noise * (1 - common).sqrt() + noise.mean(dim=1, keepdim=True) * (3 * common).sqrt()
    low, high = (math.log(level) for level in levels)
    spread = draws.uniform(count, low, high).exp()
    grains = draws.chosen(count, 0.4)
    if grains:
        index = sent(grains, images.device)
        # the mean of 2×2 has half the spread
        soft = 2 * F.avg_pool2d(F.pad(noise[index], (1, 0, 1, 0), mode="replicate"), 2, stride=1)
        noise.index_copy_(0, index, soft)
    of_light = draws.happens(count, 0.5)
    light = torch.lerp(torch.ones_like(images[:, :1]), (images[:, 1:2].clamp(min=4) / 110).sqrt(), of_light)
    return images + noise * (spread * light)


def _steps(quality: Tensor, table: tuple[tuple[int, ...], ...]) -> Tensor:
    """Quantisation steps at N qualities by the formula of the Independent JPEG Group: N×8×8."""
    base = sent(table, quality.device).float()
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    return ((base * percent + 50) / 100).floor().clamp(1, 255)


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal DCT-II of 8 samples: frequency×sample."""
    frequency, sample = torch.arange(8.0, device=device)[:, None], torch.arange(8.0, device=device)
    basis = torch.cos(math.pi / 8 * (sample + 0.5) * frequency) / 2
    basis[0] /= math.sqrt(2)
    return basis


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """What N×C×H×W (multiples of 8) is after its blocks were transformed, divided by N×8×8 steps, rounded and back."""
    count, bands, height, width = planes.shape
    cosines = _cosines(planes.device)
    rows = cosines @ planes.reshape(-1, 8, width)
    frequencies = (rows.reshape(-1, 8) @ cosines.T).view(count, -1, 8, width)
    # the steps side by side along a row of blocks, so that rows are processed in one go
    along = steps.repeat(1, 1, width // 8)[:, None]
    kept = (frequencies / along).round_().mul_(along)
    rows = cosines.T @ (kept.view(-1, 8) @ cosines).view(-1, 8, width)
    return rows.view(count, bands, height, width)


def compress(images: Tensor, quality: Tensor, halve_colour: bool) -> Tensor:
    """JPEG and back, at N qualities of 1…100.

    Args:
        images: N×3×H×W of 0…255.
        quality: N, as the Independent JPEG Group counts it.
        halve_colour: keep chrominance at half size (4:2:0), as most files do.
    """
    height, width = images.shape[2:]
    unit = 16 if halve_colour else 8
    padded = F.pad(images.clamp(0, 255).round(), (0, -width % unit, 0, -height % unit), mode="replicate")
    count = len(images)
    to = sent(YCBCR_OF_RGB, images.device).expand(count, 3, 3)
    back = sent(RGB_OF_YCBCR, images.device).expand(count, 3, 3)
    planes = mixed(padded, to).round_()
    luminance = _quantised(planes[:, :1] - 128, _steps(quality, LUMINANCE_STEPS)) + 128
    colour = F.avg_pool2d(planes[:, 1:], 2) if halve_colour else planes[:, 1:]
    colour = _quantised(colour, _steps(quality, CHROMINANCE_STEPS))
    if halve_colour:
        colour = F.interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
    return mixed(torch.cat([luminance, colour], dim=1), back)[:, :, :height, :width].round().clamp(0, 255)
