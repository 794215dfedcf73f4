"""The .aux.xml of an image gives its georeference, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import CRS
from rasterio import Affine

from errors import ImageError
from imagery import open_scene
from tests.imagery.conftest import Save

TRANSFORM = Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)
WKT = CRS.from_epsg(4547).to_wkt()
ESRI = CRS.from_epsg(4547).to_wkt("WKT1_ESRI")
CORNER = "<GeoTransform>  5.0e+05,  5.0e-01, 0.0,  3.4e+06, 0.0, -5.0e-01</GeoTransform>"


def gdal(wkt: str) -> str:
    return f'<PAMDataset><SRS dataAxisToSRSAxisMapping="2,1">{escape(wkt)}</SRS></PAMDataset>'


def arcgis(wkt: str) -> str:
    return (
        '<PAMDataset>\n<Metadata domain="xml:ESRI" format="xml"><GeodataXform xmlns:xsi="http://www.w3.org/2001/'
        f'XMLSchema-instance" xsi:type="typens:IdentityXform"><SpatialReference><WKT>{escape(wkt)}</WKT><XOrigin>-1'
        "</XOrigin></SpatialReference></GeodataXform></Metadata></PAMDataset>"
    )


@pytest.mark.parametrize("name", ["village.tif.aux.xml", "village.aux.xml"])
@pytest.mark.parametrize("text", [gdal(WKT), gdal(ESRI), arcgis(ESRI), arcgis(WKT)])
def test_the_coordinate_system_is_read(
    save: Save, noise: NDArray[np.uint8], tmp_path: Path, name: str, text: str
) -> None:
    path = save("village.tif", noise, transform=TRANSFORM)
    (tmp_path / name).write_text(text)
    with open_scene(path) as scene:
        assert CRS.from_wkt(scene.geobox.crs.to_wkt()).to_epsg(min_confidence=70) == 4547
        assert scene.geobox.affine == TRANSFORM


def test_the_geotransform_is_read(save: Save, noise: NDArray[np.uint8], tmp_path: Path) -> None:
    path = save("village.png", noise, driver="PNG")
    (tmp_path / "village.png.aux.xml").write_text(gdal(WKT).replace("</PAM", f"{CORNER}</PAM"))
    with open_scene(path) as scene:
        assert scene.geobox.affine == TRANSFORM


def test_the_image_itself_its_world_file_and_prj_come_first(
    save: Save, noise: NDArray[np.uint8], tmp_path: Path, utm50: dict[str, Any]
) -> None:
    own = save("own.tif", noise, **utm50)
    (tmp_path / "own.tif.aux.xml").write_text(gdal(WKT))
    beside = save("beside.tif", noise)
    (tmp_path / "beside.tif.aux.xml").write_text(gdal(WKT).replace("</PAM", f"{CORNER}</PAM"))
    (tmp_path / "beside.tfw").write_text("1\n0\n0\n-1\n600000.5\n3399999.5\n")
    (tmp_path / "beside.prj").write_text(CRS.from_epsg(32650).to_wkt())
    with open_scene(own) as first, open_scene(beside) as second:
        assert first.geobox.crs.to_epsg() == second.geobox.crs.to_epsg() == 32650
        assert second.geobox.affine == Affine(1, 0, 600_000, 0, -1, 3_400_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        gdal("nonsense"),
        "<PAMDataset><SRS>",
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><PAMDataset><SRS>&b;</SRS></PAMDataset>',
        '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;">]><PAMDataset><SRS>&c;</SRS></PAMDataset>',
        "<PAMDataset><SRS>/vsicurl/http://127.0.0.1/a.prj</SRS></PAMDataset>",
        "<PAMDataset><SRS>+init=/etc/passwd:a</SRS></PAMDataset>",
        gdal(WKT) + " " * 5_000_000,
    ],
    ids=["empty", "no system", "truncated", "external entity", "entities", "address", "file", "too long"],
)
def test_an_unusable_or_hostile_file_counts_as_missing(
    save: Save, noise: NDArray[np.uint8], tmp_path: Path, text: str
) -> None:
    path = save("a.tif", noise, transform=TRANSFORM)
    (tmp_path / "a.tif.aux.xml").write_text(text)
    with pytest.raises(ImageError, match="no coordinate system"):
        open_scene(path)
