"""Decoding of the images and labels of a pair, in the many formats and encodings of third-party data sets."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from errors import ImageError
from imagery import Patch, open_scene  # before rasterio: it configures GDAL's environment
from training.evaluation.pair_listing import FOLDERS, PairFiles

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG, _PNG_DEPTH_AT = b"\x89PNG", 24
_HALF = 127  # separates 0 and 255 in a mask with JPEG noise


@dataclass(frozen=True)
class LabelledPair:
    """One pair in memory.

    Attributes:
        name: stem of its files.
        before: the earlier date.
        after: the later date, same size.
        changed: H×W, from the label.
        known: H×W, where the label states whether it changed; None: everywhere.
        label_in_doubt: the label contains values above 1 but none above 127: perhaps classes instead of a mask.
    """

    name: str
    before: Patch
    after: Patch
    changed: NDArray[np.bool_]
    known: NDArray[np.bool_] | None = None
    label_in_doubt: bool = False


@dataclass(frozen=True)
class Label:
    """Decoded label; see :class:`LabelledPair`."""

    changed: NDArray[np.bool_]
    known: NDArray[np.bool_] | None
    in_doubt: bool


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height from the header, without decoding; (0, 0) if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return picture.size
    except Exception:  # only determines the order of work; decoding reports the error
        return 0, 0


def read_pair(files: PairFiles, unknown: int | None = None) -> LabelledPair:
    """Read the three files of a pair.

    Args:
        files: of the pair.
        unknown: value of unlabelled pixels.

    Raises:
        ImageError: a file cannot be read, or the sizes differ; found and expected are in the message.
    """
    before, after = read_image(files.before), read_image(files.after)
    label = read_label(files.label, unknown)
    sizes = [shape[1::-1] for shape in (before.rgb.shape, after.rgb.shape, label.changed.shape)]
    if len(set(sizes)) > 1:
        found = ", ".join(f"{name} {w} × {h}" for name, (w, h) in zip(FOLDERS, sizes, strict=True))
        raise ImageError(f"found sizes {found} px, expected the same for all three")
    return LabelledPair(files.name, before, after, label.changed, label.known, label.in_doubt)


def read_image(path: Path) -> Patch:
    """Read an image on its own pixels: H×W×3 uint8 RGB, and validity.

    TIFF and 16-bit images are read by :func:`imagery.open_scene`, which stretches raw values; their georeference is
    ignored.

    Raises:
        ImageError: the file is no image, is damaged, or has an unsupported format.
    """
    head = _head(path)
    if not head.startswith(_TIFF) and not _is_deep_png(head):
        try:
            return _patch(_open_picture(path))
        except Image.DecompressionBombError:
            pass  # too large for Pillow
    with open_scene(path, gsd=1.0) as scene:  # any value will do
        return scene.read(scene.geobox)


def _head(path: Path) -> bytes:
    """Read the first bytes of a file, enough to recognise TIFF and 16-bit PNG."""
    try:
        with path.open("rb") as file:
            return file.read(_PNG_DEPTH_AT + 1)
    except OSError as error:
        raise ImageError(f"{path.parent.name}/{path.name} cannot be read: {error.strerror}") from None


def _is_deep_png(head: bytes) -> bool:
    """Whether the first bytes are those of a PNG with 16 bits per channel."""
    return head.startswith(_PNG) and head[_PNG_DEPTH_AT:] == b"\x10"


def _open_picture(path: Path) -> Image.Image:
    """Decode a file completely; a truncated one is refused instead of padded with grey."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
            picture.load()
    except Image.DecompressionBombError:
        raise
    except Exception as error:  # decoders raise many types for damaged files
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(
            f"{path.parent.name}/{path.name} cannot be decoded ({line.replace(str(path), path.name)}); expected a "
            "PNG, WebP, JPEG, BMP or TIFF image"
        ) from None
    return picture


def _patch(picture: Image.Image) -> Patch:
    """Convert a picture to RGB and validity; transparent pixels are not valid."""
    if picture.has_transparency_data:
        values = np.asarray(picture.convert("RGBA"))
        return Patch(np.ascontiguousarray(values[..., :3]), values[..., 3] > 0)
    rgb = np.array(picture.convert("RGB"), dtype=np.uint8)
    return Patch(rgb, np.ones(rgb.shape[:2], np.bool_))


def read_label(path: Path, unknown: int | None = None) -> Label:
    """Read a mask: pixels above 127 are changed, or above 0 if the largest value is 1.

    The brightest band of colours counts, so red on black is a mask too; palettes are resolved.

    Args:
        path: the mask.
        unknown: value of unlabelled pixels, which are neither changed nor unchanged.

    Raises:
        ImageError: the file is no image or is damaged.
    """
    values = _tiff_values(path) if _head(path).startswith(_TIFF) else _picture_values(_open_picture(path))
    if values.ndim == 3:
        values = values.max(axis=2)
    known = None if unknown is None else np.asarray(values != unknown)
    if known is not None:
        values = np.where(known, values, 0)
    largest = float(values.max())
    changed = np.asarray(values > (0 if largest == 1 else _HALF))
    return Label(changed, known, 1 < largest <= _HALF)


def _picture_values(picture: Image.Image) -> NDArray[Any]:
    """Return H×W values, or H×W×3 for colours."""
    if picture.mode in ("L", "I", "F") or picture.mode.startswith("I;"):
        return np.asarray(picture)
    return np.asarray(picture.convert("L" if picture.mode in ("1", "LA") else "RGB"))


def _tiff_values(path: Path) -> NDArray[Any]:
    """Return H×W or H×W×bands in the values of the file, of any type and without stretching."""
    import rasterio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(path, driver="GTiff", sharing=False) as image:
                values = np.nan_to_num(np.moveaxis(image.read(), 0, 2))
                alpha = [colour.name == "alpha" for colour in image.colorinterp]
                table = image.colormap(1) if image.colorinterp[0].name == "palette" else None
    except rasterio.errors.RasterioError as error:
        raise ImageError(f"{path.parent.name}/{path.name} cannot be decoded ({error}); expected a mask") from None
    if table is not None:
        brightest = np.zeros(max(table) + 1, np.uint8)
        for value, colour in table.items():
            brightest[value] = max(colour[:3])
        return np.asarray(brightest[values[..., 0]])
    return np.asarray(values if all(alpha) else values[..., [not one for one in alpha]])
