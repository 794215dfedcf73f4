"""What a raster holds: a picture of the ground, or heights, a mask, an index and others that must not be compared.

Deliveries contain several rasters of the same ground. The kind follows from the name, the bands with their types and
descriptions, and from the values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from errors import Reason
from imagery.metadata import ImageMetadata

RasterKind = Literal["picture", "panchromatic", "infrared", "height", "mask", "thermal", "index"]
COMPARED_KINDS: tuple[RasterKind, ...] = ("picture", "panchromatic", "infrared")
"""Kinds that are pictures of the ground. Only images of the same kind are compared with each other."""

KIND_TAG = "RASTER_KIND"
"""Tag of a COG that holds the kind of the image it was made of."""

Windows = Callable[[], list[NDArray[Any]]]
"""Returns windows of native pixels H×W×3 of the bands in use, spread over the image."""

_TOKENS: dict[RasterKind, str] = {
    "height": "dsm dtm dem dhm chm ndsm hillshade slope aspect relief height heights elevation elev depth copdem srtm",
    "mask": "udm udm2 scl mask masks msk cloudmask cldprb snwprb fmask qa qa60 quality landcover lulc classification "
    "class labels label gt fmask4 dlm cloudprob aot wvp",
    "index": "ndvi ndwi ndbi ndre gndvi evi evi2 savi osavi msavi mndwi nbr ndmi vari lai fvc ndsi ndbai ibi vci",
    "thermal": "thermal tir tirs lwir lst temperature temp bt",
    "infrared": "nir cir swir rededge redge nirrg fcc falsecolor falsecolour ir",
    "panchromatic": "pan panchromatic",
}
_PICTURE_TOKENS = {
    "dom", "tdom", "ortho", "orthophoto", "orthomosaic", "mosaic", "rgb", "tci", "visual", "truecolor", "truecolour",
    "rgbn", "pms",
}  # fmt: skip
_CHINESE: dict[RasterKind, str] = {
    "height": "高程|数字表面模型|数字地形模型|坡度|山体阴影",
    "mask": "掩膜|掩模|云检测|云掩|分类图|分类结果|土地覆盖",
    "index": "植被指数|水体指数|指数图",
    "thermal": "热红外|温度",
    "infrared": "近红外|假彩色|彩红外",
    "panchromatic": "全色",
}
_SENTINEL_2 = re.compile(r"^(T\d\d[A-Z]{3}_|S2[ABC]_).*?_?B(0[5-8]|8A|09|1[0-2])(_|\.)", re.IGNORECASE)
_LANDSAT = re.compile(r"^L[COTEM]0?\d_?.*_(B(\d{1,2})|QA\w*|ST_\w+)\.", re.IGNORECASE)
_HEIGHT_NODATA = (-9999.0, -32768.0, -32767.0, -3.4028234663852886e38)
_SMOOTH = 0.01  # median difference of neighbours, of the range of values, below which they are heights
_SMOOTH_WITH_NODATA = 0.05  # the same where nodata is a value that heights usually have
_MOST_CLASSES = 16  # different values of a map of classes
_MIN_SAMPLES = 2000  # pixels, below which values say nothing

_WORDS: dict[RasterKind, str] = {
    "panchromatic": "grey (one band)",
    "infrared": "infrared",
    "height": "heights",
    "mask": "a mask or a map of classes",
    "thermal": "temperatures",
    "index": "an index or another derived quantity",
}


def classify_raster(name: str, metadata: ImageMetadata, bands: tuple[int, int, int], windows: Windows) -> RasterKind:
    """Determine what a raster holds.

    Args:
        name: file name.
        metadata: of the file.
        bands: numbers of the bands in use, from 1.
        windows: called only if name and bands do not decide.
    """
    tagged = metadata.tags.get(KIND_TAG, "")
    if tagged in COMPARED_KINDS:
        return next(kind for kind in get_args(RasterKind) if kind == tagged)
    named = _kind_by_name(name)
    if named in ("height", "mask", "thermal", "index"):
        return named
    described = _kind_by_descriptions(metadata.descriptions, bands)
    if described is not None:
        return described
    if metadata.palette:
        return "mask" if _is_map_of_classes(windows()) else "picture"
    if len(set(bands)) == 1:
        return _kind_of_one_band(metadata, named, windows)
    if named == "infrared":
        return named
    if metadata.dtype == "uint8" and metadata.count > 4 and _is_map_of_classes(windows()):
        return "mask"
    return "picture"


def kind_remark(kind: RasterKind) -> Reason | None:
    """Return the remark on a picture that is compared only with its like; None for an ordinary one."""
    if kind not in COMPARED_KINDS or kind == "picture":
        return None
    return Reason(f"{_WORDS[kind]} image: only compared with images of this kind", f"kind_remark.{kind}")


def not_a_picture(name: str, kind: RasterKind) -> Reason:
    """Return why a raster of another kind than :data:`COMPARED_KINDS` is not used."""
    return Reason(f"{name} holds {_WORDS[kind]}, not a picture of the ground: not used", f"kind.{kind}", name=name)


def _kind_by_name(name: str) -> RasterKind | None:
    file_name = PurePosixPath(name).name
    stem = PurePosixPath(file_name).stem
    landsat = _LANDSAT.match(file_name)
    if landsat:
        if landsat[1].upper().startswith("ST"):
            return "thermal"
        number = int(landsat[2] or 0)
        by_number: dict[int, RasterKind] = {5: "infrared", 6: "infrared", 7: "infrared", 8: "panchromatic"}
        return "mask" if not number else "thermal" if number >= 10 else by_number.get(number)
    if _SENTINEL_2.match(file_name):
        return "infrared"
    tokens = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", stem).lower())) | set(
        re.split(r"[^a-z0-9]+", stem.lower())
    )
    if tokens & _PICTURE_TOKENS or "正射" in stem:
        return None
    for kind, words in _TOKENS.items():
        if tokens & set(words.split()) or re.search(_CHINESE[kind], stem):
            return kind
    return None


def _kind_by_descriptions(descriptions: tuple[str | None, ...], bands: tuple[int, int, int]) -> RasterKind | None:
    """Return the kind by the names of the bands in use, where these are no colours."""
    texts = {(descriptions[band - 1] or "").lower() for band in bands}
    tokens = {token for text in texts for token in re.split(r"[^a-z0-9]+", text)}
    for kind in ("height", "mask", "index", "thermal"):
        if tokens & set(_TOKENS[kind].split()):
            return kind
    return "infrared" if tokens & {"nir", "nir1", "nir2", "swir", "rededge", "b8", "b08", "near"} else None


def _kind_of_one_band(metadata: ImageMetadata, named: RasterKind | None, windows: Windows) -> RasterKind:
    sampled = windows()
    if metadata.dtype in ("float32", "int16"):
        if metadata.dtype == "float32" and _is_index(sampled):
            return "index"
        if _is_height(sampled, metadata):
            return "height"
    elif _is_map_of_classes(sampled):
        return "mask"
    return "infrared" if named == "infrared" else "panchromatic"


def _is_map_of_classes(windows: list[NDArray[Any]]) -> bool:
    """Return whether there are few different values, and more than one."""
    if sum(window.shape[0] * window.shape[1] for window in windows) < _MIN_SAMPLES:
        return False
    pixels = np.concatenate([window.reshape(-1, window.shape[2]) for window in windows])
    return 1 < len(np.unique(pixels, axis=0)) <= _MOST_CLASSES


def _is_index(windows: list[NDArray[Any]]) -> bool:
    """Return whether values lie between −1 and 1, on both sides of zero."""
    values = np.concatenate([window[..., 0].ravel() for window in windows]) if windows else np.zeros(0)
    return bool(len(values) and values.min() < -0.02 and values.min() >= -1.05 and values.max() <= 1.05)


def _is_height(windows: list[NDArray[Any]], metadata: ImageMetadata) -> bool:
    """Return whether neighbours differ as little as those of a terrain, in relation to the range of all values."""
    planes = [window[..., 0].astype(np.float64) for window in windows if min(window.shape[:2]) > 1]
    if sum(plane.size for plane in planes) < _MIN_SAMPLES:
        return False
    values = np.concatenate([plane.ravel() for plane in planes])
    spread = float(np.subtract(*np.percentile(values, [98, 2])))
    if spread <= 0 or (metadata.dtype == "float32" and values.min() >= 0 and values.max() <= 1.6):
        return False  # reflectances
    steps = np.concatenate([np.abs(np.diff(plane, axis=1)).ravel() for plane in planes])
    nodata = metadata.validity.nodata
    usual = nodata is not None and bool(np.isclose(nodata, _HEIGHT_NODATA, rtol=1e-6).any())
    return float(np.median(steps)) < (_SMOOTH_WITH_NODATA if usual else _SMOOTH) * spread
