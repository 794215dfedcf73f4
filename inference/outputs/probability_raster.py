"""Raster of the network's probabilities: a cloud-optimized GeoTIFF, written block by block."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.windows import Window

from inference.pair import Pair

LEVELS = 254
"""A probability of 1 is stored as 255, 0 as 1; 0 means "not compared"."""


class ProbabilityRaster:
    """Three bands of uint8: building, ground, direction (128 = neither). Written to a temporary folder."""

    def __init__(self, out: Path) -> None:
        """Create the temporary folder on the file system of the output folder ``out``."""
        parent = out.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=parent, prefix=".tuban-probability-")
        self._path = Path(self._folder.name)
        self._raster: Any = None

    def open(self, pair: Pair) -> ProbabilityRaster:
        """Create the file for the grid of a pair."""
        rows, columns = pair.grid.shape
        self._raster = rasterio.open(
            self._path / "tiled.tif",
            "w",
            driver="GTiff",
            width=columns,
            height=rows,
            count=3,
            dtype="uint8",
            nodata=0,
            crs=None if pair.grid.crs is None else pair.grid.crs.to_wkt(),
            transform=pair.grid.affine,
            tiled=True,
            blockxsize=512,
            blockysize=512,
            compress="deflate",
            BIGTIFF="IF_SAFER",
        )
        for band, name in enumerate(("building", "ground", "direction"), 1):
            self._raster.set_band_description(band, name)
        return self

    def write(self, rows: tuple[int, int], cols: tuple[int, int], probabilities: NDArray[np.float32]) -> None:
        """Write 3×H×W for these half-open ranges of grid rows and columns."""
        unit = probabilities.copy()
        unit[2] = (unit[2] + 1) / 2
        levels = np.rint(unit * LEVELS).astype(np.uint8) + 1
        self._raster.write(levels, window=Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0]))

    def finish(self) -> Path:
        """Close the file, rewrite it as a COG with overviews, and return its path."""
        self._raster.close()
        cog = self._path / "probability.tif"
        rasterio.shutil.copy(
            self._path / "tiled.tif", cog, driver="COG", COMPRESS="DEFLATE", OVERVIEW_RESAMPLING="AVERAGE"
        )
        return cog

    def discard(self) -> None:
        """Delete the temporary folder."""
        if self._raster is not None:
            self._raster.close()
        self._folder.cleanup()
