"""Render Web Mercator tiles and previews of the stored COGs. A scene is identified by its row, never by a URL.

Colours are those of :mod:`imagery.radiometry`: 8-bit images are unchanged, all others are stretched by their own
percentiles, so that a tile shows what the network sees.
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

import imagery  # before all modules that import GDAL, which reads its settings once
from errors import ImageError
from imagery.radiometry import Stretch, measure_stretch
from service.context import Context
from store.schema.tables import SceneRow

TILE_PX = 256
MAX_ZOOM = 24
"""Maximum zoom, at which a pixel is about one centimetre."""

MERCATOR = "EPSG:3857"
_HALF = math.pi * 6378137.0  # of the Web Mercator square, metres
_SAMPLE_PX = 1024  # longer side of the preview on which a stretch is measured
_MAX_CACHED = 512  # stretches of six numbers each
_QUALITY = 85

MercatorBox = tuple[float, float, float, float]
"""West, south, east, north in metres of Web Mercator."""

assert imagery.Stretch is Stretch


@dataclass(frozen=True)
class Picture:
    """A rendered window of a scene.

    Attributes:
        rgb: uint8 H×W×3, first row in the north; 0 where invalid.
        valid: bool H×W.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]

    def within(self, bounds: MercatorBox, window: MercatorBox) -> Picture:
        """Return the picture with all pixels outside of ``window`` invalid; ``bounds`` are those of the picture."""
        rows, columns = self.valid.shape
        west, south, east, north = bounds
        x = west + (np.arange(columns) + 0.5) * (east - west) / columns
        y = north - (np.arange(rows) + 0.5) * (north - south) / rows
        inside = ((y >= window[1]) & (y <= window[3]))[:, None] & ((x >= window[0]) & (x <= window[2]))[None, :]
        valid = self.valid & inside
        return Picture(np.where(valid[..., None], self.rgb, np.uint8(0)), valid)


def is_tile(z: int, x: int, y: int) -> bool:
    """Return whether the tile exists; y counts from the north."""
    return 0 <= z <= MAX_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z


def tile_bounds(z: int, x: int, y: int) -> MercatorBox:
    """Return the bounds of a tile."""
    side = 2 * _HALF / 2**z
    return x * side - _HALF, _HALF - (y + 1) * side, (x + 1) * side - _HALF, _HALF - y * side


def mercator(lon: float, lat: float) -> tuple[float, float]:
    """Project longitude and latitude in degrees to metres of Web Mercator."""
    return math.radians(lon) * 6378137.0, math.asinh(math.tan(math.radians(lat))) * 6378137.0


def mercator_array(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project N×2 longitudes and latitudes in degrees to metres of Web Mercator."""
    lon, lat = np.radians(degrees[:, 0]), np.radians(degrees[:, 1])
    return np.column_stack([6378137.0 * lon, 6378137.0 * np.arcsinh(np.tan(lat))])


def degrees_of(bounds: MercatorBox) -> tuple[float, float, float, float]:
    """Return bounds of Web Mercator in degrees."""
    west, south, east, north = (value / 6378137.0 for value in bounds)
    latitudes = (math.degrees(math.atan(math.sinh(value))) for value in (south, north))
    low, high = latitudes
    return math.degrees(west), low, math.degrees(east), high


def overlap(one: MercatorBox, other: MercatorBox) -> bool:
    """Return whether two boxes overlap."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def scene_box(scene: SceneRow) -> MercatorBox:
    """Return the bounds of a scene's footprint."""
    return *mercator(scene.west, scene.south), *mercator(scene.east, scene.north)


def read_box(
    context: Context, scene: SceneRow, bounds: tuple[float, float, float, float], crs: str, size: tuple[int, int]
) -> Picture:
    """Read a scene on a north-up grid.

    Args:
        context: settings and object store.
        scene: the scene.
        bounds: west, south, east, north in units of ``crs``.
        crs: like ``EPSG:3857``.
        size: width and height, pixels.

    Raises:
        ImageError: the scene's object cannot be decoded.
    """
    with _opened(context, scene) as reader:
        stretch = _stretch(scene, reader)
        with _image_errors(scene), _warped(reader, bounds, crs, size) as warped:
            image = warped.read(indexes=warped.dataset.indexes[:-1])  # the last band is the alpha band
    return _picture(image.data, image.mask, stretch)


def read_tile(context: Context, scene: SceneRow, bounds: MercatorBox, px: int = TILE_PX) -> Picture | None:
    """Read a scene in a square of Web Mercator; None if it has no data there.

    Raises:
        ImageError: the scene's object cannot be decoded.
    """
    if not overlap(bounds, scene_box(scene)):
        return None
    picture = read_box(context, scene, bounds, MERCATOR, (px, px))
    return picture if picture.valid.any() else None


def read_preview(context: Context, scene: SceneRow, longest_px: int) -> Picture:
    """Read the complete scene on its own grid, reduced to ``longest_px`` on the longer side.

    Raises:
        ImageError: the scene's object cannot be decoded.
    """
    with _opened(context, scene) as reader:
        stretch = _stretch(scene, reader)
        with _image_errors(scene):
            image = reader.preview(max_size=longest_px, resampling_method="bilinear")
    return _picture(image.data, image.mask, stretch)


def webp(picture: Picture | None, px: int = TILE_PX) -> bytes:
    """Encode a picture as WebP, transparent where invalid; None: a transparent tile of ``px`` pixels."""
    if picture is None:
        return _EMPTY if px == TILE_PX else _encode(Image.new("RGBA", (px, px)))
    return _encode(to_image(picture))


def to_image(picture: Picture) -> Image.Image:
    """Return a picture as an image, transparent where invalid."""
    if picture.valid.all():
        return Image.fromarray(picture.rgb)
    alpha = picture.valid.astype(np.uint8) * np.uint8(255)
    return Image.fromarray(np.dstack([picture.rgb, alpha]))


def _encode(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY, method=1)
    return out.getvalue()


_EMPTY = _encode(Image.new("RGBA", (TILE_PX, TILE_PX)))

_stretches: OrderedDict[str, Stretch] = OrderedDict()
_lock = Lock()


def _stretch(scene: SceneRow, reader: Any) -> Stretch:
    """Return the stretch of a scene, measured once on the complete scene so that adjacent tiles match."""
    with _lock:
        cached = _stretches.get(scene.object_sha256)
        if cached is not None:
            _stretches.move_to_end(scene.object_sha256)
            return cached
    with _image_errors(scene):
        sample = reader.preview(max_size=_SAMPLE_PX, resampling_method="nearest")
    values = np.moveaxis(_rgb_bands(sample.data), 0, -1)
    measured = measure_stretch(values[sample.mask > 0], scene.name)
    with _lock:
        _stretches[scene.object_sha256] = measured
        while len(_stretches) > _MAX_CACHED:
            _stretches.popitem(last=False)
    return measured


def _rgb_bands(data: NDArray[Any]) -> NDArray[Any]:
    """Return three bands of a stored scene, which has one or three."""
    return np.repeat(data, 3, axis=0) if len(data) == 1 else data[:3]


def _picture(data: NDArray[Any], mask: NDArray[np.uint8], stretch: Stretch) -> Picture:
    valid = np.asarray(mask > 0)
    rgb = stretch.apply(np.ascontiguousarray(np.moveaxis(_rgb_bands(data), 0, -1)))
    return Picture(np.where(valid[..., None], rgb, np.uint8(0)), valid)


@contextmanager
def _opened(context: Context, scene: SceneRow) -> Iterator[Any]:
    import rasterio  # after GDAL's settings, which importing imagery applies
    from rio_tiler.io import Reader

    with context.objects.local(scene.object_key) as path:
        with _image_errors(scene):
            dataset = _open_geotiff(rasterio, path)
        with dataset, Reader(None, dataset=dataset) as reader:
            yield reader


@contextmanager
def _warped(reader: Any, bounds: tuple[float, float, float, float], crs: str, size: tuple[int, int]) -> Iterator[Any]:
    """Warp the scene to a grid, from the overview of matching resolution.

    The grid is given completely. To choose one, rio-tiler would ask GDAL for the scene's size in the CRS, through the
    VRT driver, which follows links and is therefore disabled here. Warping registers that driver again, which is
    harmless in a process that opens only the service's own COGs with the GTiff driver.
    """
    from rasterio.enums import Resampling
    from rasterio.transform import from_bounds
    from rasterio.vrt import WarpedVRT
    from rio_tiler.io import Reader

    grid = {"transform": from_bounds(*bounds, *size), "width": size[0], "height": size[1]}
    with (
        WarpedVRT(reader.dataset, crs=crs, resampling=Resampling.bilinear, add_alpha=True, **grid) as warped,
        Reader(None, dataset=warped) as warped_reader,
    ):
        yield warped_reader


def _open_geotiff(rasterio: Any, path: Path) -> Any:
    """Open a file with the GTiff driver only."""
    return rasterio.open(path, driver="GTiff", sharing=False)


@contextmanager
def _image_errors(scene: SceneRow) -> Iterator[None]:
    import rasterio

    try:
        yield
    except rasterio.errors.RasterioError as error:
        raise ImageError(
            f"The stored image of {scene.name} cannot be read: {str(error)[:200]}", "file.stored", name=scene.name
        ) from error
