"""Heights, masks, indices and temperatures are no pictures, by name, bands, types and values."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from configs.texts import translate
from errors import ImageError
from imagery import open_scene
from imagery.raster_kind import COMPARED_KINDS, kind_remark, not_a_picture
from tests.imagery.conftest import Save
from tests.imagery.test_ingest import Ingest, ingest

__all__ = ["ingest"]
SIDE = 400
RNG = np.random.default_rng(6)
ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE]
PICTURE = RNG.integers(20, 230, (3, SIDE, SIDE), np.uint8)
TERRAIN = (400 + 60 * np.sin(COLUMNS / 90) * np.cos(ROWS / 70) + RNG.normal(0, 0.02, (SIDE, SIDE))).astype(np.float32)
CLASSES = cv2.resize(RNG.integers(0, 11, (40, 40), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
INDEX = np.clip(RNG.normal(0.3, 0.3, (SIDE, SIDE)), -1, 1).astype(np.float32)

RASTERS: dict[str, tuple[str, NDArray[Any], dict[str, Any], str]] = {
    "DSM of DJI Terra": ("dsm.tif", TERRAIN, {"nodata": -9999}, "height"),
    "DTM of Pix4D": ("village_dtm.tif", TERRAIN, {}, "height"),
    "Chinese DEM": ("东湖镇_数字高程模型.tif", TERRAIN, {}, "height"),
    "heights without a name": ("village_20240503.tif", TERRAIN, {"nodata": -3.4028234663852886e38}, "height"),
    "heights in whole metres": ("n30e120.tif", np.rint(TERRAIN * 3).astype(np.int16), {"nodata": -32768}, "height"),
    "coloured relief": ("village_dsm_colour.tif", PICTURE, {}, "height"),
    "UDM2 of Planet": ("20231105_3B_udm2.tif", np.repeat(CLASSES[None] > 5, 8, 0).astype(np.uint8), {}, "mask"),
    "SCL of Sentinel-2": ("T50RKU_20240503T025601_SCL_20m.tif", CLASSES, {}, "mask"),
    "QA of Landsat": ("LC08_L2SP_119039_20240503_QA_PIXEL.TIF", PICTURE[0].astype(np.uint16), {}, "mask"),
    "cloud mask": ("GF2_20240503_云掩膜.tif", CLASSES, {}, "mask"),
    "classes without a name": ("result.tif", CLASSES, {}, "mask"),
    "map of classes with a palette": (
        "map.tif", CLASSES, {"colormap": {k: (k * 20, 9, 9, 255) for k in range(256)}}, "mask",
    ),
    "NDVI": ("S2_NDVI_20240503.tif", INDEX, {}, "index"),
    "index without a name": ("result_20240503.tif", INDEX, {}, "index"),
    "index by its band name": ("a.tif", INDEX, {"descriptions": ["ndwi"]}, "index"),
    "thermal orthophoto": ("flight_thermal.tif", TERRAIN / 20, {}, "thermal"),
    "thermal band of Landsat": ("LC08_L1TP_119039_20240503_B10.TIF", PICTURE[0].astype(np.uint16), {}, "thermal"),
    "near infrared of Sentinel-2": ("T50RKU_20240503T025601_B08_10m.tif", PICTURE[0].astype(np.uint16), {}, "infrared"),
    "colour infrared": ("village_CIR_20240503.tif", PICTURE, {}, "infrared"),
    "colour infrared by band names": ("a.tif", PICTURE, {"descriptions": ["NIR", "Red", "Green"]}, "infrared"),
    "panchromatic": ("GF2_PAN1_20240503.tif", PICTURE[0].astype(np.uint16) * 4, {}, "panchromatic"),
    "grey aerial image": ("1998_aerial.tif", PICTURE[0], {}, "panchromatic"),
    "orthophoto": ("donghu_dom_20240503.tif", PICTURE, {}, "picture"),
    "orthophoto in a DEM project": ("dem_project_ortho.tif", PICTURE, {}, "picture"),
    "orthophoto of OpenDroneMap": (
        "odm_orthophoto.tif", np.concatenate([PICTURE, np.full((1, SIDE, SIDE), 255, np.uint8)]),
        {"colours": [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]}, "picture",
    ),
    "four bands of Gaofen": ("GF2_20240503-MSS1.tif", np.repeat(PICTURE[:1], 4, 0).astype(np.uint16), {}, "picture"),
    "true colour of Sentinel-2": ("T50RKU_20240503T025601_TCI_10m.tif", PICTURE, {}, "picture"),
    "a place called Demu": ("demu_20240503.tif", PICTURE, {}, "picture"),
    "reflectances": ("a.tif", PICTURE.astype(np.float32) / 255, {}, "picture"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "options", "kind"), RASTERS.values(), ids=RASTERS)
def test_the_kind_of_a_raster_is_told(
    save: Save, utm50: dict[str, Any], name: str, data: NDArray[Any], options: dict[str, Any], kind: str
) -> None:
    with open_scene(save(name, data, **options, **utm50)) as scene:
        assert scene.kind == kind


@pytest.mark.parametrize("raster", ["DSM of DJI Terra", "UDM2 of Planet", "NDVI", "thermal orthophoto"])
def test_what_is_no_picture_is_not_ingested(save: Save, ingest: Ingest, utm50: dict[str, Any], raster: str) -> None:
    name, data, options, kind = RASTERS[raster]
    with pytest.raises(ImageError, match="not a picture of the ground") as caught:
        ingest(save(name, data, **options, **utm50))
    assert caught.value.reason.code == f"kind.{kind}"


@pytest.mark.parametrize("raster", ["near infrared of Sentinel-2", "colour infrared by band names", "panchromatic"])
def test_the_kind_of_a_picture_is_kept_with_its_copy(
    save: Save, ingest: Ingest, utm50: dict[str, Any], raster: str
) -> None:
    name, data, options, kind = RASTERS[raster]
    image, cog = ingest(save(name, data, **options, **utm50))
    assert image.kind == kind
    assert f"kind_remark.{kind}" in [remark.code for remark in image.remarks]
    with open_scene(cog, name="stored.tif") as copy:
        assert copy.kind == kind


def test_every_remark_has_a_chinese_text() -> None:
    for kind in COMPARED_KINDS:
        remark = kind_remark(kind)
        assert remark is None or translate(remark, "zh") != remark
    for _, _, _, kind in RASTERS.values():
        if kind not in COMPARED_KINDS:
            reason = not_a_picture("a.tif", kind)  # type: ignore[arg-type]
            assert translate(reason, "zh") != reason
