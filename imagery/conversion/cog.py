"""Write a scene as a cloud-optimised GeoTIFF (COG) that holds only what a scan reads.

That is red, green and blue (or one grey band) in their original data type, the validity mask, the georeference and the
day of acquisition. Compression is lossless; averaged overviews let it be read in pieces at any scale.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from pyproj import CRS
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from errors import OutputError
from imagery.files.tiff_layout import check_written
from imagery.raster_kind import KIND_TAG
from imagery.scene import Scene

TILE = 512
DATE_TAG = "ACQUISITIONDATE"  # one of the tags that imagery.dates prefers

_PIECE_BYTES = 96 * 1024 * 1024  # of pixels read at once; they are copied a few times
_CELLS = 1024  # along the longer side of the grid on which valid pixels are counted

_THREADS = 2  # for compression


@dataclass(frozen=True)
class Coverage:
    """Share of valid pixels in the square cells of a coarse grid over a scene.

    Attributes:
        cell: side of a cell in pixels; cells at the right and lower edge may be smaller.
        shares: float32 rows×columns, share of each cell's pixels that is valid, 0…1.
        valid_share: the same for the whole scene.
    """

    cell: int
    shares: NDArray[np.float32]
    valid_share: float


def write_cog(scene: Scene, out: Path, workdir: Path, date: dt.date | None) -> Coverage:
    """Write a scene as a COG. Memory is bounded, whatever the size of the scene.

    Args:
        scene: open and georeferenced.
        out: the file to write.
        workdir: a folder for an intermediate file of about the same size.
        date: day of acquisition; written as a tag.

    Raises:
        ImageError: the pixels cannot be decoded.
        OutputError: the files cannot be written, for example because the disk is full.
    """
    stage = workdir / "stage.tif"
    try:
        coverage = _write_stage(scene, stage, date)
        check_written(stage)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            rasterio.shutil.copy(
                stage,
                out,
                driver="COG",
                compress="DEFLATE",
                predictor="YES",
                blocksize=TILE,
                overview_resampling="AVERAGE",  # of valid pixels only
                bigtiff="IF_SAFER",
                num_threads=_THREADS,
            )
        check_written(out)
    except (RasterioError, CPLE_BaseError, OSError) as error:
        out.unlink(missing_ok=True)
        line = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise OutputError(f"{scene.name} could not be rewritten in {workdir} ({line}). Is there room?") from error
    finally:
        stage.unlink(missing_ok=True)
    return coverage


def _write_stage(scene: Scene, stage: Path, date: dt.date | None) -> Coverage:
    """Write the intermediate file from which GDAL creates the COG, and count its valid pixels."""
    cell = max(1, -(-max(scene.width, scene.height) // _CELLS))
    counts = np.zeros((-(-scene.height // cell), -(-scene.width // cell)), np.int64)
    masked = scene.mask_source != "none" or scene.dtype == "float32"
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": scene.width,
        "height": scene.height,
        "count": 1 if scene.grey else 3,
        "dtype": scene.dtype,
        "crs": _rasterio_crs(scene),
        "transform": scene.geobox.affine,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "interleave": "pixel",
        "compress": "zstd",
        "zstd_level": 1,
        "predictor": 3 if scene.dtype == "float32" else 2,
        "photometric": "MINISBLACK" if scene.grey else "RGB",
        "bigtiff": "IF_SAFER",
        "num_threads": _THREADS,
    }
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(stage, "w", **profile) as copy:
            if not scene.grey:
                copy.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
            copy.update_tags(**{KIND_TAG: scene.kind} | ({DATE_TAG: date.isoformat()} if date else {}))
            for rows, columns in _pieces(scene):
                values, valid = scene.read_raw(rows, columns)
                if not valid.all():
                    values[~valid] = 0  # compresses well, and overviews must not average NaN
                window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
                copy.write(np.moveaxis(values, 2, 0)[: profile["count"]], window=window)
                if masked:
                    copy.write_mask(valid, window=window)
                _count(counts, valid, rows.start, columns.start, cell)
    return _coverage(scene, counts, cell)


def _pieces(scene: Scene) -> Iterator[tuple[slice, slice]]:
    """Yield windows one tile high and as wide as memory allows, so that a file stored in strips is decoded once."""
    bytes_per_column = TILE * 3 * np.dtype(scene.dtype).itemsize
    step = max(TILE, _PIECE_BYTES // bytes_per_column // TILE * TILE)
    for top in range(0, scene.height, TILE):
        for left in range(0, scene.width, step):
            yield slice(top, min(top + TILE, scene.height)), slice(left, min(left + step, scene.width))


def _count(counts: NDArray[np.int64], valid: NDArray[np.bool_], top: int, left: int, cell: int) -> None:
    """Add the valid pixels of a window to the counts of their cells."""
    rows, columns = _starts(top, valid.shape[0], cell), _starts(left, valid.shape[1], cell)
    sums = np.add.reduceat(np.add.reduceat(valid, rows, axis=0, dtype=np.int64), columns, axis=1)
    first_row, first_column = top // cell, left // cell
    counts[first_row : first_row + len(rows), first_column : first_column + len(columns)] += sums


def _starts(offset: int, length: int, cell: int) -> NDArray[np.int64]:
    """Return where cells begin along one axis of a window that begins ``offset`` pixels into the scene."""
    return np.unique(np.maximum(np.arange(offset // cell * cell, offset + length, cell) - offset, 0))


def _coverage(scene: Scene, counts: NDArray[np.int64], cell: int) -> Coverage:
    heights = np.minimum(cell, scene.height - cell * np.arange(counts.shape[0]))
    widths = np.minimum(cell, scene.width - cell * np.arange(counts.shape[1]))
    shares = (counts / np.outer(heights, widths)).astype(np.float32)
    return Coverage(cell, shares, float(counts.sum()) / (scene.width * scene.height))


def _rasterio_crs(scene: Scene) -> rasterio.CRS:
    """Return the scene's CRS for rasterio, by EPSG code if it has one."""
    crs = CRS.from_wkt(scene.geobox.crs.to_wkt())
    code = crs.to_epsg(min_confidence=100)
    return rasterio.CRS.from_epsg(code) if code else rasterio.CRS.from_wkt(crs.to_wkt())
