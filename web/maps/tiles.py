"""Tiles and small pictures of our own COGs, for maps in Web Mercator. A scene is named by its row, never by an address.

Colours are those of :mod:`imagery.radiometry`: 8-bit images as they are, all others stretched by their own percentiles, so
that a tile looks as the network saw the place.
"""

from __future__ import annotations

import io
import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import imagery  # first of all that knows GDAL: its settings are read once
from errors import ImageError
from imagery.radiometry import Stretch, measure_stretch
from service.context import Context
from store.schema.tables import SceneRow

TILE_PX = 256
DEEPEST = 24
"""Deepest zoom: a pixel is a centimetre then."""

MERCATOR = "EPSG:3857"
_HALF = math.pi * 6378137.0  # of the Web Mercator square, metres
_SAMPLE_PX = 1024  # on the longer side of what a stretch is measured on
_KEPT = 512  # stretches kept; each is six numbers
_QUALITY = 85

MercatorBox = tuple[float, float, float, float]
"""West, south, east, north in metres of Web Mercator."""

assert imagery.Stretch is Stretch


@dataclass(frozen=True)
class Picture:
    """A piece of a scene.

    Attributes:
        rgb: uint8 H×W×3, the first row in the north; 0 where nothing is seen.
        valid: bool H×W.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]

    def within(self, bounds: MercatorBox, window: MercatorBox) -> Picture:
        """The same with all pixels outside of ``window`` taken away; ``bounds`` are the picture's own."""
        rows, columns = self.valid.shape
        west, south, east, north = bounds
        x = west + (np.arange(columns) + 0.5) * (east - west) / columns
        y = north - (np.arange(rows) + 0.5) * (north - south) / rows
        inside = ((y >= window[1]) & (y <= window[3]))[:, None] & ((x >= window[0]) & (x <= window[2]))[None, :]
        valid = self.valid & inside
        return Picture(np.where(valid[..., None], self.rgb, np.uint8(0)), valid)


def is_tile(z: int, x: int, y: int) -> bool:
    """Whether there is such a tile; y counts from the north."""
    return 0 <= z <= DEEPEST and 0 <= x < 2**z and 0 <= y < 2**z


def tile_bounds(z: int, x: int, y: int) -> MercatorBox:
    """Bounds of a tile."""
    side = 2 * _HALF / 2**z
    return x * side - _HALF, _HALF - (y + 1) * side, (x + 1) * side - _HALF, _HALF - y * side


def mercator(lon: float, lat: float) -> tuple[float, float]:
    """Longitude, latitude in degrees → metres of Web Mercator."""
    return math.radians(lon) * 6378137.0, math.asinh(math.tan(math.radians(lat))) * 6378137.0


def overlap(one: MercatorBox, other: MercatorBox) -> bool:
    """Whether two boxes share ground."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def scene_box(scene: SceneRow) -> MercatorBox:
    """Bounds of a scene's footprint."""
    return *mercator(scene.west, scene.south), *mercator(scene.east, scene.north)


def read_box(
    context: Context, scene: SceneRow, bounds: tuple[float, float, float, float], crs: str, size: tuple[int, int]
) -> Picture:
    """Read a scene on any grid that is north up.

    Args:
        context: where objects are.
        scene: which.
        bounds: west, south, east, north in units of ``crs``.
        crs: like ``EPSG:3857``.
        size: width and height, pixels.

    Raises:
        ImageError: the scene's object cannot be decoded.
    """
    with _opened(context, scene) as reader:
        stretch = _stretch(scene, reader)
        with _faults(scene), _warped(reader, bounds, crs, size) as laid:
            found = laid.read(indexes=laid.dataset.indexes[:-1])  # the last one is which pixels are valid
    return _picture(found.data, found.mask, stretch)


def read_tile(context: Context, scene: SceneRow, bounds: MercatorBox, px: int = TILE_PX) -> Picture | None:
    """A scene in a square of Web Mercator; None: it shows nothing there.

    Raises:
        ImageError: the scene's object cannot be decoded.
    """
    if not overlap(bounds, scene_box(scene)):
        return None
    picture = read_box(context, scene, bounds, MERCATOR, (px, px))
    return picture if picture.valid.any() else None


def read_preview(context: Context, scene: SceneRow, longest_px: int) -> Picture:
    """The whole scene on its own grid, small.

    Raises:
        ImageError: the scene's object cannot be decoded.
    """
    with _opened(context, scene) as reader:
        stretch = _stretch(scene, reader)
        with _faults(scene):
            found = reader.preview(max_size=longest_px, resampling_method="bilinear")
    return _picture(found.data, found.mask, stretch)


def webp(picture: Picture | None, px: int = TILE_PX) -> bytes:
    """As WebP, transparent where nothing is seen; None: all of a tile of ``px`` is."""
    if picture is None:
        return _EMPTY if px == TILE_PX else _encode(Image.new("RGBA", (px, px)))
    if picture.valid.all():
        return _encode(Image.fromarray(picture.rgb))
    alpha = picture.valid.astype(np.uint8) * np.uint8(255)
    return _encode(Image.fromarray(np.dstack([picture.rgb, alpha])))


def _encode(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY, method=1)
    return out.getvalue()


_EMPTY = _encode(Image.new("RGBA", (TILE_PX, TILE_PX)))

_stretches: OrderedDict[str, Stretch] = OrderedDict()
_turn = Lock()


def _stretch(scene: SceneRow, reader: Any) -> Stretch:
    """What was measured on the whole scene, once: tiles beside each other must not differ."""
    with _turn:
        known = _stretches.get(scene.object_sha256)
        if known is not None:
            _stretches.move_to_end(scene.object_sha256)
            return known
    with _faults(scene):
        whole = reader.preview(max_size=_SAMPLE_PX, resampling_method="nearest")
    values = np.moveaxis(_colours(whole.data), 0, -1)
    measured = measure_stretch(values[whole.mask > 0], scene.name)
    with _turn:
        _stretches[scene.object_sha256] = measured
        while len(_stretches) > _KEPT:
            _stretches.popitem(last=False)
    return measured


def _colours(data: NDArray[Any]) -> NDArray[Any]:
    """Three bands of a scene of ours, which has one or three."""
    return np.repeat(data, 3, axis=0) if len(data) == 1 else data[:3]


def _picture(data: NDArray[Any], mask: NDArray[np.uint8], stretch: Stretch) -> Picture:
    valid = np.asarray(mask > 0)
    rgb = stretch.apply(np.ascontiguousarray(np.moveaxis(_colours(data), 0, -1)))
    return Picture(np.where(valid[..., None], rgb, np.uint8(0)), valid)


@contextmanager
def _opened(context: Context, scene: SceneRow) -> Iterator[Any]:
    import rasterio  # after the settings of GDAL, which this module applies by importing imagery
    from rio_tiler.io import Reader

    with context.objects.local(scene.object_key) as path:
        with _faults(scene):
            dataset = _dataset(rasterio, path)
        with dataset, Reader(None, dataset=dataset) as reader:
            yield reader


@contextmanager
def _warped(reader: Any, bounds: tuple[float, float, float, float], crs: str, size: tuple[int, int]) -> Iterator[Any]:
    """The scene laid onto a grid, read from the overview that fits it.

    The grid is given to the last number: where rio-tiler chooses one it asks GDAL for the size of the whole scene in
    that system, by a driver that follows links and is switched off here. Warping itself registers that driver again,
    which harms nobody in a process that opens nothing but our own COGs, by the driver that wrote them.
    """
    from rasterio.enums import Resampling
    from rasterio.transform import from_bounds
    from rasterio.vrt import WarpedVRT
    from rio_tiler.io import Reader

    grid = {"transform": from_bounds(*bounds, *size), "width": size[0], "height": size[1]}
    with (
        WarpedVRT(reader.dataset, crs=crs, resampling=Resampling.bilinear, add_alpha=True, **grid) as warped,
        Reader(None, dataset=warped) as laid,
    ):
        yield laid


def _dataset(rasterio: Any, path: Path) -> Any:
    """The file by the one driver that wrote it."""
    return rasterio.open(path, driver="GTiff", sharing=False)


@contextmanager
def _faults(scene: SceneRow) -> Iterator[None]:
    import rasterio

    try:
        yield
    except rasterio.errors.RasterioError as error:
        raise ImageError(
            f"The stored image of {scene.name} cannot be read: {str(error)[:200]}", "file.stored", name=scene.name
        ) from error
