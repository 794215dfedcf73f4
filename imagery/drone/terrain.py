"""The ground that photos are projected on: a plane, or an elevation model; and the grid that it is measured in."""

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
from imagery.files.limits import Limits
from imagery.files.safe_file import lay_alone, local_file
from imagery.scene import examine

Float64 = NDArray[np.float64]

_MOST_CELLS = 2000  # along a side, of what is held of an elevation model
_CHINA = (73.5, 18.0, 135.1, 53.6)


def local_crs(longitude: float, latitude: float) -> CRS:
    """The metric grid of a place: CGCS2000 in zones of 3° in China (EPSG:4534…4554), UTM elsewhere."""
    west, south, east, north = _CHINA
    if west <= longitude <= east and south <= latitude <= north:
        meridian = round(longitude / 3) * 3
        return CRS.from_epsg(4534 + (meridian - 75) // 3)
    zone = int((longitude + 180) // 6) % 60 + 1
    return CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)


@dataclass(frozen=True)
class Frame:
    """A metric grid, with the way to and from degrees. Easting, northing; longitude, latitude."""

    crs: CRS
    to_grid: Transformer
    to_degrees: Transformer

    @classmethod
    def at(cls, longitude: float, latitude: float) -> Frame:
        """The local one."""
        crs = local_crs(longitude, latitude)
        return cls(
            crs,
            Transformer.from_crs("EPSG:4490", crs, always_xy=True),
            Transformer.from_crs(crs, "EPSG:4490", always_xy=True),
        )

    def place(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Easting and northing."""
        x, y = self.to_grid.transform(longitude, latitude)
        return float(x), float(y)

    def true_north_deg(self, longitude: float, latitude: float) -> float:
        """Where true north lies in the grid, clockwise from the grid's north."""
        x0, y0 = self.place(longitude, latitude)
        x1, y1 = self.place(longitude, latitude + 1e-3)
        return math.degrees(math.atan2(x1 - x0, y1 - y0))


class Ground:
    """Elevation above the datum of the frame, in metres, for every place: a plane, or a grid read from a file.

    Attributes:
        level: of the plane.
        rise: of the plane to the east and to the north, as a share; 0 for a grid.
    """

    def __init__(self, level: float, heights: NDArray[np.float32] | None = None, grid: Affine | None = None) -> None:
        """A plane at ``level``; or ``heights`` (rows×columns) at the centres of the cells of ``grid``."""
        self.level = level
        self.rise, self._foot = np.zeros(2), np.zeros(2)
        self._heights = heights
        self._to_cells = ~grid if grid is not None else None

    @property
    def plane(self) -> bool:
        """Whether it is one."""
        return self._heights is None

    def tilted(self, rise: Float64, foot: Float64) -> Ground:
        """The plane with another rise, and ``level`` at the easting and northing ``foot``; a grid as it is."""
        if not self.plane:
            return self
        out = Ground(self.level)
        out.rise, out._foot = rise, foot
        return out

    def elevation(self, x: Float64, y: Float64) -> Float64:
        """At eastings and northings of any shape; beyond the grid that of its edge."""
        if self._heights is None or self._to_cells is None:
            return np.asarray(self.level + self.rise[0] * (x - self._foot[0]) + self.rise[1] * (y - self._foot[1]))
        column, row = self._to_cells @ (np.asarray(x, float), np.asarray(y, float))
        shape = np.shape(column)
        where = [np.nan_to_num(np.atleast_1d(part).ravel() - 0.5).astype(np.float32) for part in (column, row)]
        out = np.empty(where[0].shape, np.float64)
        most = 30_000  # cv2.remap takes no longer rows
        for start in range(0, len(out), most):
            part = slice(start, start + most)
            out[part] = cv2.remap(
                self._heights,
                where[0][part][None, :],
                where[1][part][None, :],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )[0]
        return out.reshape(shape)


def read_ground(path: Path, frame: Frame, bounds: tuple[float, float, float, float], workdir: Path) -> Ground:
    """Elevation model (GeoTIFF, one band, metres) of a piece of ground.

    Args:
        path: of the file; may come from a stranger.
        frame: the grid wanted.
        bounds: west, south, east, north in it.
        workdir: an empty folder.

    Raises:
        ImageError: it is no GeoTIFF, has no place, or does not cover the ground.
    """
    file = local_file(path)
    file_format, _ = examine(file, Limits())
    if file_format != TIFF:
        raise ImageError(
            f"{file.name} is {file_format.name}, and an elevation model must be a GeoTIFF.",
            "elevation.format",
            name=file.name,
            format=file_format.name,
        )
    alone = lay_alone(file, workdir, ".tif")
    west, south, east, north = bounds
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(alone, driver="GTiff", sharing=False) as image:
                if image.crs is None:
                    raise ImageError(
                        f"{file.name} has no coordinates. Save the elevation model with its system.",
                        "elevation.no_place",
                        name=file.name,
                    )
                cell = max(0.2, (east - west) / _MOST_CELLS, (north - south) / _MOST_CELLS)
                columns, rows = (max(2, math.ceil(side / cell)) for side in (east - west, north - south))
                grid = Affine(cell, 0, west, 0, -cell, north)
                # no WarpedVRT: that brings back the driver that follows links, for all of this process
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
    if known.mean() < 0.5:
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
