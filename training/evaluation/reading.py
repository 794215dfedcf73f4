"""A folder ``A/ B/ label/`` as strangers make it: which files belong together, and their pixels.

A pair that cannot be used does not stop the others: it is handed on with its name and the reason.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from errors import ImageError, SettingsError
from imagery import Patch, open_scene  # before rasterio: it sets the environment that rasterio wakes up in

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
FOLDERS = ("A", "B", "label")

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG, _PNG_DEPTH_AT = b"\x89PNG", 24
_HALF = 127  # of a mask of 0 and 255 with the noise of a JPEG


@dataclass(frozen=True)
class PairFiles:
    """The three files of one stem."""

    name: str
    before: Path
    after: Path
    label: Path


@dataclass(frozen=True)
class FailedPair:
    """A pair that could not be evaluated, and why."""

    pair: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        pairs: stems with all three files, sorted.
        failed: stems that lack one or have one twice.
        ignored: files that are no images by their suffix, as ``A/name``.
    """

    pairs: tuple[PairFiles, ...]
    failed: tuple[FailedPair, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class LabelledPair:
    """One pair in memory.

    Attributes:
        name: stem of its files.
        before: the earlier date.
        after: the later date, same size.
        changed: H×W, what the label says.
        known: H×W, where somebody said whether it changed; None: everywhere.
        label_in_doubt: the label holds values above 1 and none above 127: perhaps classes and not a mask.
    """

    name: str
    before: Patch
    after: Patch
    changed: NDArray[np.bool_]
    known: NDArray[np.bool_] | None = None
    label_in_doubt: bool = False


@dataclass(frozen=True)
class Label:
    """What a label says; see :class:`LabelledPair`."""

    changed: NDArray[np.bool_]
    known: NDArray[np.bool_] | None
    in_doubt: bool


def list_pairs(folder: Path) -> Listing:
    """List the pairs of a folder; nothing is opened.

    Raises:
        SettingsError: the folder is none, or lacks one of A, B and label, or no stem is in any of them.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder; expected one that holds A, B and label.")
    missing = [name for name in FOLDERS if not (folder / name).is_dir()]
    if missing:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        found = ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "nothing"
        raise SettingsError(
            f"{folder} holds {found}; expected the folders A (earlier), B (later) and label (mask), "
            f"with the same stems. Missing: {', '.join(missing)}."
        )
    stems: dict[str, dict[str, list[Path]]] = {name: {} for name in FOLDERS}
    ignored = []
    for name in FOLDERS:
        for path in sorted((folder / name).iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            if path.suffix.lower() in SUFFIXES:
                stems[name].setdefault(path.stem, []).append(path)
            else:
                ignored.append(f"{name}/{path.name}")
    pairs, failed = [], []
    for stem in sorted(set().union(*stems.values())):
        files = [stems[name].get(stem, []) for name in FOLDERS]
        reason = _incomplete(stem, files)
        if reason is None:
            pairs.append(PairFiles(stem, *(found[0] for found in files)))
        else:
            failed.append(FailedPair(stem, reason))
    if not pairs and not failed:
        raise SettingsError(
            f"{folder} holds no image in A, B or label; expected files that end in {', '.join(SUFFIXES)}"
            + (f", found {', '.join(ignored[:5])}." if ignored else ".")
        )
    return Listing(tuple(pairs), tuple(failed), tuple(ignored))


def _incomplete(stem: str, files: list[list[Path]]) -> str | None:
    for name, found in zip(FOLDERS, files, strict=True):
        if not found:
            having = [f"{n}/{f[0].name}" for n, f in zip(FOLDERS, files, strict=True) if f]
            return f"found {' and '.join(having)}, expected {name}/{stem} with any of {', '.join(SUFFIXES)} too"
        if len(found) > 1:
            return f"found {' and '.join(path.name for path in found)} in {name}, expected one file of this stem"
    return None


def size_of(path: Path) -> tuple[int, int]:
    """Width and height as the header says, without decoding; (0, 0) where that is not easily known."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return picture.size
    except Exception:  # only the order of work hangs on it; reading will say what is wrong
        return 0, 0


def read_pair(files: PairFiles, unknown: int | None = None) -> LabelledPair:
    """Read the three files of a pair.

    Args:
        files: of one stem.
        unknown: value of the label where nobody said whether it changed.

    Raises:
        ImageError: a file cannot be read, or the sizes differ; found and expected are in the message.
    """
    before, after = read_image(files.before), read_image(files.after)
    label = read_label(files.label, unknown)
    sizes = [shape[1::-1] for shape in (before.rgb.shape, after.rgb.shape, label.changed.shape)]
    if len(set(sizes)) > 1:
        told = ", ".join(f"{name} {w} × {h}" for name, (w, h) in zip(FOLDERS, sizes, strict=True))
        raise ImageError(f"found sizes {told} px, expected the same for all three")
    return LabelledPair(files.name, before, after, label.changed, label.known, label.in_doubt)


def read_image(path: Path) -> Patch:
    """Read an image on its own pixels: H×W×3 uint8 RGB, and where it shows ground.

    TIFF and 16 bit go through :func:`imagery.open_scene`, which stretches raw values; where such a file has a place,
    that is not looked at.

    Raises:
        ImageError: it is none, is broken, or is of a kind that is not read.
    """
    head = _head(path)
    if not head.startswith(_TIFF) and not _is_deep_png(head):
        try:
            return _patch(_open_picture(path))
        except Image.DecompressionBombError:
            pass  # too large for this reader
    with open_scene(path, gsd=1.0) as scene:  # 1 m: some number must be given, none is used
        return scene.read(scene.geobox)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_PNG_DEPTH_AT + 1)
    except OSError as error:
        raise ImageError(f"{path.parent.name}/{path.name} cannot be read: {error.strerror}") from None


def _is_deep_png(head: bytes) -> bool:
    return head.startswith(_PNG) and head[_PNG_DEPTH_AT:] == b"\x10"


def _open_picture(path: Path) -> Image.Image:
    """Decode all of a file; one that is cut off is refused and not filled up with grey."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
            picture.load()
    except Image.DecompressionBombError:
        raise
    except Exception as error:  # what a damaged file makes a decoder raise has no one name
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(
            f"{path.parent.name}/{path.name} cannot be decoded ({line.replace(str(path), path.name)}); expected a "
            "PNG, WebP, JPEG, BMP or TIFF image"
        ) from None
    return picture


def _patch(picture: Image.Image) -> Patch:
    if picture.has_transparency_data:
        values = np.asarray(picture.convert("RGBA"))
        return Patch(np.ascontiguousarray(values[..., :3]), values[..., 3] > 0)
    rgb = np.array(picture.convert("RGB"), dtype=np.uint8)
    return Patch(rgb, np.ones(rgb.shape[:2], np.bool_))


def read_label(path: Path, unknown: int | None = None) -> Label:
    """Read a mask: changed is what is above 127, or above 0 where the largest value is 1.

    Of colours the brightest band counts, so that red on black is a mask too; a palette is looked up.

    Args:
        path: the mask.
        unknown: value where nobody said whether it changed; neither changed nor unchanged.

    Raises:
        ImageError: it is no image or is broken.
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
    if picture.mode in ("L", "I", "F") or picture.mode.startswith("I;"):
        return np.asarray(picture)
    return np.asarray(picture.convert("L" if picture.mode in ("1", "LA") else "RGB"))


def _tiff_values(path: Path) -> NDArray[Any]:
    """H×W or H×W×bands, in the file's own numbers: masks come in every type, and none is stretched."""
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
