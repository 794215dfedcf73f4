"""Rectify a frame to the ground plane as a GeoTIFF."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from errors import CameraError, OutputError
from imagery.cameras.camera import Calibration, Frame, Preset
from imagery.cameras.georeferencing import pixel_areas_m2, watched_mask
from imagery.cameras.homography import apply_homography

_MAX_SIDE = 2000  # pixels
_SAMPLE_COUNT = 5000  # watched pixels that the resolution is measured on


def write_rectified(frame: Frame, preset: Preset, calibration: Calibration, out: Path) -> None:
    """Write the watched ground of a frame as a GeoTIFF in the calibration's CRS; everything else is masked.

    Only flat ground is at its true position: what stands up is projected to the ground behind it.

    Args:
        frame: H×W×3, aligned with the reference frame.
        preset: region and range.
        calibration: of this preset.
        out: the file to write.

    Raises:
        CameraError: the frame has another size than the view, or no ground is watched.
        OutputError: it cannot be written.
    """
    width, height = preset.frame_size
    if frame.shape[:2] != (height, width):
        raise CameraError(
            f"The frame has {frame.shape[1]} × {frame.shape[0]} pixels, and the view was calibrated on {width} × "
            f"{height}. Calibrate it again."
        )
    mask = watched_mask(calibration, preset)
    rows, columns = np.nonzero(mask)
    if not rows.size:
        raise CameraError("No ground of the frame is within the region and range. Correct them.")
    stride = max(1, rows.size // _SAMPLE_COUNT)
    pixels = np.column_stack([columns, rows])[::stride].astype(np.float64) + 0.5
    matrix = np.array(calibration.homography).reshape(3, 3)
    ground = apply_homography(matrix, pixels)[0] + calibration.origin
    west, south = ground.min(axis=0)
    east, north = ground.max(axis=0)
    finest = float(np.sqrt(np.median(pixel_areas_m2(calibration, pixels))))
    pixel_m = max(finest, (east - west) / _MAX_SIDE, (north - south) / _MAX_SIDE, 0.01)
    shape = max(1, int(np.ceil((north - south) / pixel_m))), max(1, int(np.ceil((east - west) / pixel_m)))
    x, y = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    points = np.column_stack([west + x.ravel() * pixel_m, north - y.ravel() * pixel_m]) - calibration.origin
    positions, _ = apply_homography(np.linalg.inv(matrix), points)
    source = np.where(np.isfinite(positions), positions - 0.5, -1).astype(np.float32).reshape(*shape, 2)
    rectified = cv2.remap(frame, source[..., 0], source[..., 1], cv2.INTER_LINEAR)
    valid = cv2.remap(mask.astype(np.uint8), source[..., 0], source[..., 1], cv2.INTER_NEAREST) > 0
    pixels_out = np.where(valid[..., None], rectified, 0).astype(np.uint8)
    _write_geotiff(out, pixels_out, valid, calibration.crs, Affine(pixel_m, 0, west, 0, -pixel_m, north))


def _write_geotiff(out: Path, rgb: Frame, valid: NDArray[np.bool_], crs: str, transform: Affine) -> None:
    height, width = valid.shape
    profile = {
        "driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8", "crs": crs,
        "transform": transform, "photometric": "RGB", "compress": "DEFLATE",
    }  # fmt: skip
    try:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(out, "w", **profile) as file:
            file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
            file.write(rgb.transpose(2, 0, 1))
            file.write_mask(valid)
    except (rasterio.errors.RasterioError, OSError) as error:
        raise OutputError(
            f"The rectified frame cannot be written to {out.parent}. Is there enough disk space?"
        ) from error
