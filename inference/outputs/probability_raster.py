"""The network's probabilities as a picture on the map: a cloud-optimised GeoTIFF, written block by block."""

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
"""A probability of 1 is stored as 255, 0 as 1; 0 is left for "not looked at"."""


class ProbabilityRaster:
    """Three bands of uint8: building, ground, direction (128 = neither). Made beside the results, then moved there."""

    def __init__(self, out: Path) -> None:
        """Choose where the scratch file lies: on the file system of ``out``."""
        parent = out.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=parent, prefix=".tuban-probability-")
        self._path = Path(self._folder.name)
        self._raster: Any = None

    def open(self, pair: Pair) -> ProbabilityRaster:
        """Make the file, now that the grid is known."""
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
        """Keep 3×H×W for those grid rows and columns."""
        unit = probabilities.copy()
        unit[2] = (unit[2] + 1) / 2
        levels = np.rint(unit * LEVELS).astype(np.uint8) + 1
        self._raster.write(levels, window=Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0]))

    def finish(self) -> Path:
        """Close, rewrite as a COG with overviews, and say where it lies."""
        self._raster.close()
        cog = self._path / "probability.tif"
        rasterio.shutil.copy(
            self._path / "tiled.tif", cog, driver="COG", COMPRESS="DEFLATE", OVERVIEW_RESAMPLING="AVERAGE"
        )
        return cog

    def discard(self) -> None:
        """Delete what is left of the scratch files."""
        if self._raster is not None:
            self._raster.close()
        self._folder.cleanup()
