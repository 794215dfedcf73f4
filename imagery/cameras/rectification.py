"""A frame laid onto the ground: a GeoTIFF like any other image, as far as the camera is believed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from errors import CameraError, OutputError
from imagery.cameras.camera import Calibration, Frame, Preset
from imagery.cameras.georeferencing import metres_per_pixel, watched
from imagery.cameras.homography import apply

_LONGEST = 2000  # pixels along the longer side
_SAMPLE = 5000  # watched pixels that the resolution is measured on


def write_rectified(frame: Frame, preset: Preset, calibration: Calibration, out: Path) -> None:
    """Write the watched ground of a frame as a GeoTIFF in the calibration's zone; all else is masked.

    What stands up lies where its shadow would fall from the camera: only what is flat is where it seems to be.

    Args:
        frame: H×W×3, as the reference frame lies.
        preset: region and range.
        calibration: of this preset.
        out: the file to write.

    Raises:
        CameraError: the frame has another size than the view, or nothing is watched.
        OutputError: it cannot be written.
    """
    width, height = preset.frame_size
    if frame.shape[:2] != (height, width):
        raise CameraError(
            f"The frame has {frame.shape[1]} × {frame.shape[0]} pixels, and the view was calibrated on {width} × "
            f"{height}. Calibrate it again."
        )
    mask = watched(calibration, preset)
    rows, columns = np.nonzero(mask)
    if not rows.size:
        raise CameraError("Nothing of the frame is ground within the range. Correct the region or the range.")
    step = max(1, rows.size // _SAMPLE)
    pixels = np.column_stack([columns, rows])[::step].astype(np.float64) + 0.5
    matrix = np.array(calibration.homography).reshape(3, 3)
    ground = apply(matrix, pixels)[0] + calibration.origin
    west, south = ground.min(axis=0)
    east, north = ground.max(axis=0)
    finest = float(np.sqrt(np.median(metres_per_pixel(calibration, pixels))))
    size_m = max(finest, (east - west) / _LONGEST, (north - south) / _LONGEST, 0.01)
    across, down = max(1, int(np.ceil((east - west) / size_m))), max(1, int(np.ceil((north - south) / size_m)))
    x, y = np.meshgrid(np.arange(across) + 0.5, np.arange(down) + 0.5)
    there = np.column_stack([west + x.ravel() * size_m, north - y.ravel() * size_m]) - calibration.origin
    back, _ = apply(np.linalg.inv(matrix), there)
    seen = np.where(np.isfinite(back), back - 0.5, -1).astype(np.float32).reshape(down, across, 2)
    laid = cv2.remap(frame, seen[..., 0], seen[..., 1], cv2.INTER_LINEAR)
    valid = cv2.remap(mask.astype(np.uint8), seen[..., 0], seen[..., 1], cv2.INTER_NEAREST) > 0
    try:
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(
                out,
                "w",
                driver="GTiff",
                width=across,
                height=down,
                count=3,
                dtype="uint8",
                crs=calibration.crs,
                transform=Affine(size_m, 0, west, 0, -size_m, north),
                photometric="RGB",
                compress="DEFLATE",
            ) as file,
        ):
            file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
            file.write(np.where(valid[..., None], laid, 0).astype(np.uint8).transpose(2, 0, 1))
            file.write_mask(valid)
    except (rasterio.errors.RasterioError, OSError) as error:
        raise OutputError(f"The frame could not be laid onto the ground in {out.parent}. Is there room?") from error
