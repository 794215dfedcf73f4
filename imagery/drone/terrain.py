"""Terrain that photos are projected on (a plane or an elevation model), and its local coordinate frame."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.warp import reproject

from errors import ImageError
from imagery.files.formats import TIFF
from imagery.files.inspection import inspect_file
from imagery.files.safe_file import check_regular_file, isolate_file
from imagery.limits import Limits

Float64 = NDArray[np.float64]

_MAX_CELLS = 2000  # of a resampled elevation model, along each side
_MIN_CELL_M = 0.2
_MIN_COVERAGE = 0.5  # of the photos' ground by the elevation model
_MAX_REMAP_ROW = 30_000  # cv2.remap accepts no longer rows
_CHINA = (73.5, 18.0, 135.1, 53.6)  # west, south, east, north in degrees


def local_crs(longitude: float, latitude: float) -> CRS:
    """Projected CRS of a place: CGCS2000 Gauss-Krüger in 3° zones in China (EPSG:4534…4554), UTM elsewhere."""
    west, south, east, north = _CHINA
    if west <= longitude <= east and south <= latitude <= north:
        meridian = round(longitude / 3) * 3
        return CRS.from_epsg(4534 + (meridian - 75) // 3)
    zone = int((longitude + 180) // 6) % 60 + 1
    return CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)


@dataclass(frozen=True)
class LocalFrame:
    """A projected CRS with transformers to and from degrees. Easting, northing; longitude, latitude."""

    crs: CRS
    to_grid: Transformer
    to_degrees: Transformer

    @classmethod
    def at(cls, longitude: float, latitude: float) -> LocalFrame:
        """Return the frame of a place."""
        crs = local_crs(longitude, latitude)
        return cls(
            crs,
            Transformer.from_crs("EPSG:4490", crs, always_xy=True),
            Transformer.from_crs(crs, "EPSG:4490", always_xy=True),
        )

    def project(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Project degrees to easting and northing."""
        x, y = self.to_grid.transform(longitude, latitude)
        return float(x), float(y)

    def true_north_deg(self, longitude: float, latitude: float) -> float:
        """Direction of true north, clockwise from grid north."""
        x0, y0 = self.project(longitude, latitude)
        x1, y1 = self.project(longitude, latitude + 1e-3)
        return math.degrees(math.atan2(x1 - x0, y1 - y0))


class Ground:
    """Elevation in metres above the datum of the frame: a plane, or a raster read from a file.

    Attributes:
        level: of the plane; the median of a raster.
        slope: of the plane to the east and to the north, metres per metre; 0 for a raster.
    """

    def __init__(self, level: float, heights: NDArray[np.float32] | None = None, grid: Affine | None = None) -> None:
        """Create a plane at ``level``, or a raster of ``heights`` (rows×columns) at the cell centres of ``grid``."""
        self.level = level
        self.slope, self._slope_origin = np.zeros(2), np.zeros(2)
        self._heights = heights
        self._to_cells = ~grid if grid is not None else None

    @property
    def is_plane(self) -> bool:
        """Whether it is a plane."""
        return self._heights is None

    def with_slope(self, slope: Float64, origin: Float64) -> Ground:
        """Return the plane with another slope, and ``level`` at easting and northing ``origin``; a raster unchanged."""
        if not self.is_plane:
            return self
        out = Ground(self.level)
        out.slope, out._slope_origin = slope, origin
        return out

    def elevation(self, x: Float64, y: Float64) -> Float64:
        """Elevation at eastings and northings of any shape; beyond a raster, that of its edge."""
        if self._heights is None or self._to_cells is None:
            east, north = x - self._slope_origin[0], y - self._slope_origin[1]
            return np.asarray(self.level + self.slope[0] * east + self.slope[1] * north)
        column, row = self._to_cells @ (np.asarray(x, float), np.asarray(y, float))
        shape = np.shape(column)
        cells = [np.nan_to_num(np.atleast_1d(part).ravel() - 0.5).astype(np.float32) for part in (column, row)]
        out = np.empty(cells[0].shape, np.float64)
        for start in range(0, len(out), _MAX_REMAP_ROW):
            part = slice(start, start + _MAX_REMAP_ROW)
            out[part] = cv2.remap(
                self._heights,
                cells[0][part][None, :],
                cells[1][part][None, :],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )[0]
        return out.reshape(shape)


def read_elevation_model(
    path: Path, frame: LocalFrame, bounds: tuple[float, float, float, float], workdir: Path
) -> Ground:
    """Read an elevation model (GeoTIFF, one band, metres), resampled to a frame.

    Args:
        path: an untrusted file.
        frame: target coordinate frame.
        bounds: west, south, east, north in it.
        workdir: an empty folder.

    Raises:
        ImageError: it is not a GeoTIFF, has no coordinates, or does not cover the bounds.
    """
    file = check_regular_file(path)
    file_format, _ = inspect_file(file, Limits())
    if file_format != TIFF:
        raise ImageError(
            f"{file.name} is {file_format.name}, and an elevation model must be a GeoTIFF.",
            "elevation.format",
            name=file.name,
            format=file_format.name,
        )
    alone = isolate_file(file, workdir, ".tif")
    west, south, east, north = bounds
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(alone, driver="GTiff", sharing=False) as image:
                if image.crs is None:
                    raise ImageError(
                        f"{file.name} has no coordinates. Save the elevation model with its coordinate system.",
                        "elevation.no_place",
                        name=file.name,
                    )
                cell = max(_MIN_CELL_M, (east - west) / _MAX_CELLS, (north - south) / _MAX_CELLS)
                columns, rows = (max(2, math.ceil(side / cell)) for side in (east - west, north - south))
                grid = Affine(cell, 0, west, 0, -cell, north)
                # WarpedVRT would register the VRT driver, which follows links, in the complete process
                heights = np.full((rows, columns), np.nan, np.float32)
                reproject(
                    rasterio.band(image, 1), heights, src_nodata=image.nodata, dst_nodata=np.nan, dst_transform=grid,
                    dst_crs=rasterio.CRS.from_wkt(frame.crs.to_wkt()), resampling=Resampling.bilinear,
                )  # fmt: skip
    except RasterioError as error:
        raise ImageError(
            f"{file.name} cannot be read as an elevation model ({str(error)[:150]}).",
            "elevation.unread",
            name=file.name,
        ) from None
    known = np.isfinite(heights)
    if known.mean() < _MIN_COVERAGE:
        raise ImageError(
            f"{file.name} covers {known.mean():.0%} of the ground that the photos show. Give an elevation model of "
            "this place, or none.",
            "elevation.elsewhere",
            name=file.name,
            share=float(known.mean()),
        )
    level = float(np.median(heights[known]))
    heights[~known] = level
    return Ground(level, heights, grid)
