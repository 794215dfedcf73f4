"""Datums other than CGCS2000 are shifted by known parameters, and otherwise remarked on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from rasterio import Affine

from errors import SettingsError
from imagery import open_scene
from imagery.datum import DatumShifts, datum_remark, datum_shifts, lonlat_transformation
from tests.imagery.conftest import Save

XIAN, BEIJING = "EPSG:2383", "EPSG:2435"  # 3-degree zones around 114° east
SHIFTS = {
    "xian_80": {
        "x_m": 110.0, "y_m": -40.0, "z_m": 60.0, "x_arcsec": 1.0, "y_arcsec": -2.0, "z_arcsec": 3.0, "scale_ppm": 4,
    },
    "beijing_54": {"x_m": -20.0, "y_m": -150.0, "z_m": -80.0},
}  # fmt: skip


@pytest.fixture
def known_shifts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both datums have known shifts."""
    monkeypatch.setattr("imagery.datum.datum_shifts", lambda: DatumShifts.model_validate(SHIFTS))


def helmert(lon: float, lat: float, datum: str, code: int) -> tuple[float, float]:
    """Shift a position by the position-vector formula written out, independently of PROJ's."""
    a, rf = CRS.from_epsg(code).ellipsoid.semi_major_metre, CRS.from_epsg(code).ellipsoid.inverse_flattening
    e2 = (2 - 1 / rf) / rf
    phi, lam = np.radians(lat), np.radians(lon)
    n = a / np.sqrt(1 - e2 * np.sin(phi) ** 2)
    point = np.array([n * np.cos(phi) * np.cos(lam), n * np.cos(phi) * np.sin(lam), n * (1 - e2) * np.sin(phi)])
    p = SHIFTS[datum]
    rx, ry, rz = (np.radians(p.get(f"{axis}_arcsec", 0.0) / 3600) for axis in "xyz")
    rotation = np.array([[1, -rz, ry], [rz, 1, -rx], [-ry, rx, 1]])
    x, y, z = np.array([p["x_m"], p["y_m"], p["z_m"]]) + (1 + p.get("scale_ppm", 0) * 1e-6) * rotation @ point
    lon, lat, _ = Transformer.from_crs("EPSG:4479", "EPSG:4490", always_xy=True).transform(x, y, z)
    return lon, lat


@pytest.mark.usefixtures("known_shifts")
@pytest.mark.parametrize(
    ("system", "datum"),
    [
        (XIAN, "xian_80"), (BEIJING, "beijing_54"), ("EPSG:4610", "xian_80"), ("EPSG:4214", "beijing_54"),
        (CRS.from_epsg(2383).to_wkt("WKT1_ESRI"), "xian_80"),
    ],
)  # fmt: skip
def test_an_image_is_placed_by_the_known_shift(save: Save, noise: NDArray[np.uint8], system: str, datum: str) -> None:
    degrees = CRS.from_user_input(system).is_geographic
    transform = Affine(5e-6, 0, 114.2, 0, -5e-6, 30.5) if degrees else Affine(0.5, 0, 520_000, 0, -0.5, 3_375_000)
    with open_scene(save("a.tif", noise, crs=system, transform=transform)) as scene:
        assert [remark.code for remark in scene.remarks] == ["place.shifted"]
        own = Transformer.from_crs(system, CRS.from_user_input(system).geodetic_crs, always_xy=True)
        shown = Transformer.from_crs(scene.geobox.crs.to_wkt(), "EPSG:4490", always_xy=True)
        for pixel in ((0, 0), (128, 0), (0, 96), (64, 48)):
            expected = helmert(*own.transform(*(transform @ pixel)), datum, 4610 if datum == "xian_80" else 4214)
            found = shown.transform(*(scene.geobox.affine @ pixel))
            assert Geod(ellps="GRS80").inv(*expected, *found)[2] < 0.01
        assert CRS.from_wkt(scene.geobox.crs.to_wkt()).ellipsoid.semi_major_metre == 6_378_137


@pytest.mark.parametrize("system", [XIAN, BEIJING, "EPSG:4610", "EPSG:4214", "EPSG:2327", "EPSG:21413"])
def test_without_parameters_a_remark_tells_the_error(save: Save, noise: NDArray[np.uint8], system: str) -> None:
    transform = Affine(5e-6, 0, 75.2, 0, -5e-6, 30.5) if system in ("EPSG:4610", "EPSG:4214") else None
    path = save("a.tif", noise, crs=system, transform=transform or Affine(0.5, 0, 520_000, 0, -0.5, 3_375_000))
    with open_scene(path) as scene:
        [remark] = scene.remarks
    assert remark.code == "place.unshifted"
    assert "up to 200 m" in remark


@pytest.mark.parametrize("system", ["EPSG:4490", "EPSG:4547", "EPSG:32650", "EPSG:4326", "EPSG:3857"])
def test_systems_of_cgcs2000_and_wgs84_get_no_remark(system: str) -> None:
    assert datum_remark(CRS.from_user_input(system)) is None


@pytest.mark.usefixtures("known_shifts")
def test_polygons_are_shifted_like_images() -> None:
    lonlat = lonlat_transformation(CRS.from_user_input(XIAN))(520_000.0, 3_375_000.0)
    own = Transformer.from_crs(XIAN, "EPSG:4610", always_xy=True).transform(520_000.0, 3_375_000.0)
    assert Geod(ellps="GRS80").inv(*lonlat, *helmert(*own, "xian_80", 4610))[2] < 0.01
    assert Geod(ellps="GRS80").inv(*lonlat, *own)[2] > 50


def test_the_shipped_file_has_no_parameters_and_its_names_are_checked(tmp_path: Path) -> None:
    assert datum_shifts() == DatumShifts()
    path = tmp_path / "datum_shifts.yaml"
    path.write_text(yaml.safe_dump(SHIFTS))
    assert datum_shifts(path).beijing_54 is not None
    misspelled = tmp_path / "misspelled.yaml"
    misspelled.write_text(yaml.safe_dump({"xian80": {"x_m": 1}}))
    with pytest.raises(SettingsError, match="xian80"):
        datum_shifts(misspelled)


@pytest.mark.usefixtures("known_shifts")
def test_the_shift_of_one_datum_is_not_used_for_another_on_the_same_ellipsoid() -> None:
    remark = datum_remark(CRS.from_epsg(4555))  # New Beijing, on the ellipsoid of Beijing 1954
    assert remark is not None
    assert remark.code == "place.unshifted"
