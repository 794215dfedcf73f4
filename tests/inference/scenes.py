"""Small synthetic scenes written as image files, and a detector without weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from inference.settings import ScanConfig, read_config
from model.registry import find_layout
from model.weights import Weights


def one_look() -> ScanConfig:
    """Return the shipped profiles with one look, on the grid: results can be predicted pixel by pixel."""
    config = read_config()
    plain = {name: profile.model_copy(update={"looks_m": ()}) for name, profile in config.profiles.items()}
    return config.model_copy(update={"profiles": plain})


ORIGIN = (500_000.0, 3_400_000.0)
Image = NDArray[np.uint8]


def textured(height: int, width: int, seed: int = 0) -> Image:
    """Return ground with texture at several scales, so that two dates can be registered."""
    rng = np.random.default_rng(seed)
    out = np.full((height, width, 3), 110.0, np.float32)
    for cell, strength in ((4, 10), (16, 16), (64, 22)):
        shape = (height // cell + 2, width // cell + 2, 3)
        noise = rng.normal(0, strength, shape).astype(np.float32)
        out += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(out, 1, 250).astype(np.uint8)


def write_image(
    path: Path, image: Image, *, resolution: float = 0.5, crs: str | None = "EPSG:32650", **profile: object
) -> Path:
    """Write a tiled GeoTIFF with its upper left corner at :data:`ORIGIN`."""
    transform = profile.pop("transform", Affine(resolution, 0, ORIGIN[0], 0, -resolution, ORIGIN[1]))
    georeference = {} if crs is None else {"crs": crs, "transform": transform}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=image.shape[0],
        width=image.shape[1],
        count=3,
        dtype=image.dtype,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        **georeference,
        **profile,
    ) as raster:
        raster.write(np.moveaxis(image, 2, 0))
    return path


@dataclass
class DifferenceDetector:
    """Reports *building* where the image became much brighter and *ground* where it became much redder.

    It works per pixel after a small blur, so that results of a scan can be predicted exactly.
    """

    stride: int = 16
    halo: int = 16
    runtime: str = "difference"
    precision: str = "f32"
    weights: Weights = field(
        default_factory=lambda: Weights(
            "difference", Path(), "0" * 64, find_layout("fast"), {"building": 0.5, "ground": 0.5}
        )
    )

    def predict(self, before: Image, after: Image) -> NDArray[np.float32]:
        """See :meth:`model.detector.Detector.predict`."""
        a, b = (cv2.blur(image.astype(np.float32), (3, 3)) for image in (before, after))
        brighter = (b - a).mean(axis=2)
        redder = (b - a)[..., 0] - (b - a)[..., 2]
        out = np.stack([np.abs(brighter) / 120, np.abs(redder) / 200, np.sign(brighter + redder)])
        return np.clip(out, -1, 1).astype(np.float32)
