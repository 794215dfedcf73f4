"""Tags of photos are read and validated; photos that cannot be oriented are rejected with a reason."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from pyproj import Transformer

from errors import ImageError
from imagery import Limits
from imagery.drone.flights import flight_date, group_flights
from imagery.drone.photo import Photo
from imagery.drone.photo_check import check_photo
from imagery.drone.settings import drone_settings
from training.synthetic.drone_flight import Camera, PhotoMetadata, Station, write_photo

TODAY = dt.date(2026, 11, 20)
TAKEN = dt.datetime(2026, 11, 18, 10, 0)  # noqa: DTZ001  (by the camera's clock)
DEGREES = Transformer.from_crs("EPSG:4547", 4490, always_xy=True)
AT = Station(489_700.0, 3_424_100.0, 60.0, 30.0)


def photo(
    folder: Path,
    metadata: PhotoMetadata | None = None,
    name: str = "DJI_0001.JPG",
    taken: dt.datetime = TAKEN,
    **given: Any,
) -> Photo:
    """Write a small photo and read it."""
    size: tuple[int, int] = given.pop("size", (64, 48))
    path = folder / name.replace("/", "_")
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)
    write_photo(path, pixels, given.pop("at", AT), Camera(size[0], size[1], 60.0), DEGREES, taken, metadata)
    return check_photo(path, name, drone_settings(), limits=Limits(), today=TODAY, **given)


def test_position_height_attitude_lens_and_date_are_read(tmp_path: Path) -> None:
    read = photo(tmp_path)
    assert DEGREES.transform(AT.x, AT.y) == pytest.approx((read.longitude, read.latitude), abs=1e-8)
    assert (read.height_m, read.off_nadir_deg, read.date) == (60.0, 0.0, TAKEN.date())
    assert read.yaw_deg == pytest.approx(30.0, abs=0.3)  # grid north differs slightly from true north
    assert read.lens.focal_px == pytest.approx(60.0, rel=1e-3)
    assert read.lens.source == "camera table"
    assert Photo.from_json(read.to_json()) == read


def test_calibration_in_tags_is_used_unless_the_photo_is_undistorted(tmp_path: Path) -> None:
    data = ' drone-dji:DewarpData="2018-09-04;61.0,61.2,0.5,-0.4,-0.26,0.10,0.0001,-0.0003,-0.03"'
    raw = photo(tmp_path, PhotoMetadata(extra=data)).lens
    assert raw.focal_px == pytest.approx(61.1, abs=0.01)
    assert (raw.centre_x, raw.distortion[0]) == (0.5, -0.26)
    corner = np.array([[2.0, 3.0]])
    assert np.allclose(raw.pixels(raw.directions(corner)), corner, atol=1e-3)
    assert photo(tmp_path, PhotoMetadata(extra=data + ' drone-dji:DewarpFlag="1"')).lens.distortion == (0, 0, 0, 0, 0)


def test_photo_without_attitude_is_assumed_to_look_down_with_larger_noise(tmp_path: Path) -> None:
    plain = photo(tmp_path, PhotoMetadata(attitude=False, relative_height=False, model="FC9999"))
    assert (plain.pitch_deg, plain.yaw_deg, plain.height_m) == (-90.0, None, None)
    assert plain.noise == drone_settings().sensors.exif
    assert plain.lens.source == "35 mm equivalent"
    assert "assumed to look straight down" in plain.remarks[0]


@pytest.mark.parametrize(
    ("metadata", "given", "reason"),
    [
        (PhotoMetadata(position=False), {}, "it holds no position"),
        (PhotoMetadata(latitude=(IFDRational(30), IFDRational(0, 0), IFDRational(1))), {}, "zero denominator"),
        (
            PhotoMetadata(latitude=(IFDRational(95), IFDRational(0), IFDRational(0))),
            {},
            "is not a latitude and longitude",
        ),
        (None, {"size": (48, 160)}, "a vertical panorama"),
        (None, {"size": (200, 40)}, "a panorama"),
        (None, {"at": Station(AT.x, AT.y, 60.0, 0.0, tilt_ahead=55.0)}, "looked 55° away .* up to 30°"),
    ],
)
def test_photos_that_cannot_be_oriented_are_rejected_with_the_reason(
    tmp_path: Path, metadata: PhotoMetadata | None, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ImageError, match=reason):
        photo(tmp_path, metadata, **given)


@pytest.mark.parametrize("height", [0.0, 0.4, -20.0])
def test_a_height_that_cannot_be_above_the_ground_counts_as_unknown(tmp_path: Path, height: float) -> None:
    read = photo(tmp_path, at=Station(AT.x, AT.y, height, 0.0))
    assert read.height_m is None
    assert "estimated from its neighbours" in read.remarks[0]


def test_the_calibration_of_a_photo_that_was_made_smaller_is_scaled(tmp_path: Path) -> None:
    data = ' drone-dji:DewarpData="2018-09-04;120.0,120.0,2.0,-1.0,-0.26,0.10,0.0001,-0.0003,-0.03"'
    photo(tmp_path, PhotoMetadata(extra=data))
    path = tmp_path / "DJI_0001.JPG"
    with Image.open(path) as image:
        exif, xmp = image.getexif(), image.info["xmp"]
        inner = exif.get_ifd(0x8769)
        inner[40962], inner[40963] = 2 * image.width, 2 * image.height
        image.save(path, quality=92, exif=exif.tobytes(), xmp=xmp)
    read = check_photo(path, path.name, drone_settings(), limits=Limits(), today=TODAY)
    assert (read.lens.focal_px, read.lens.centre_x, read.lens.source) == (pytest.approx(60.0), 1.0, "DewarpData")
    assert "its focal length was scaled" in read.remarks[0]


@pytest.mark.parametrize("tag", ["DewarpData", "CalibratedFocalLength"])
def test_a_calibration_that_contradicts_the_lens_is_not_used(tmp_path: Path, tag: str) -> None:
    value = {"DewarpData": "2018-09-04;120.0,120.0,0,0,0,0,0,0,0", "CalibratedFocalLength": "120.0"}[tag]
    read = photo(tmp_path, PhotoMetadata(extra=f' drone-dji:{tag}="{value}"'))
    assert (read.lens.focal_px, read.lens.source) == (pytest.approx(60.0, rel=1e-3), "camera table")
    assert read.lens.focal_noise == drone_settings().sensors.focal.contradictory
    assert "was the photo resized?" in read.remarks[0]


@pytest.mark.parametrize("source", ["InfraredCamera", "ThermalCamera", "infrared"])
def test_a_thermal_photo_is_rejected(tmp_path: Path, source: str) -> None:
    with pytest.raises(ImageError, match="thermal photo"):
        photo(tmp_path, PhotoMetadata(extra=f' drone-dji:ImageSource="{source}"'))


def test_malicious_and_damaged_photos_are_rejected(tmp_path: Path) -> None:
    photo(tmp_path)
    complete = (tmp_path / "DJI_0001.JPG").read_bytes()
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(complete[:-200])
    with pytest.raises(ImageError, match="truncated or damaged"):
        check_photo(damaged, "damaged.jpg", drone_settings(), limits=Limits(), today=TODAY)
    plain = tmp_path / "plain.jpg"
    Image.new("RGB", (64, 48)).save(plain)
    with pytest.raises(ImageError, match="without the tags of a camera"):
        check_photo(plain, "plain.jpg", drone_settings(), limits=Limits(), today=TODAY)
    bomb = complete.replace(b'<x:xmpmeta xmlns:x="adobe:ns:meta/">', b'<x:xmpmeta xmlns:x="adobe:ns:meta/"<')
    damaged.write_bytes(bomb)  # invalid XMP: the photo counts as one without attitude
    read = check_photo(damaged, "damaged.jpg", drone_settings(), limits=Limits(), today=TODAY)
    assert read.noise == drone_settings().sensors.exif


@pytest.mark.parametrize(
    ("taken", "metadata", "name", "given", "expected"),
    [
        (
            TAKEN.replace(year=2015),
            PhotoMetadata(gps_date="2026:11:18"),
            "a.jpg",
            None,
            (dt.date(2026, 11, 18), "satellites"),
        ),
        (TAKEN.replace(year=1980), None, "a.jpg", dt.date(2026, 11, 1), (dt.date(2026, 11, 1), "given")),
        (TAKEN.replace(year=2031), None, "flight_20261117/a.jpg", None, (dt.date(2026, 11, 17), "file or folder name")),
        (TAKEN.replace(year=2019), None, "a.jpg", dt.date(2026, 11, 1), (dt.date(2026, 11, 1), "given")),
        (TAKEN.replace(year=1980), None, "a.jpg", None, (None, "unknown")),
    ],
)
def test_clock_that_is_off_by_years_is_rejected(
    tmp_path: Path, taken: dt.datetime, metadata: PhotoMetadata | None, name: str, given: dt.date | None, expected: Any
) -> None:
    read = photo(tmp_path, metadata, name, taken, default_date=given)
    assert (read.date, read.date_source) == expected
    assert f"the camera's clock says {taken.date()}" in read.remarks[-1]


def test_photos_are_grouped_into_flights_by_camera_pause_and_place(tmp_path: Path) -> None:
    minutes = [0, 1, 2, 90, 91]
    one = [photo(tmp_path, name=f"{n}.jpg", taken=TAKEN + dt.timedelta(minutes=n)) for n in minutes]
    other = photo(tmp_path, PhotoMetadata(model="FC330"), "other.jpg", TAKEN + dt.timedelta(minutes=1))
    far = photo(tmp_path, None, "far.jpg", TAKEN + dt.timedelta(minutes=92), at=Station(AT.x + 9000, AT.y, 60, 0))
    flights = group_flights([far, other, *reversed(one)], drone_settings())
    names = [[photo.name for photo in flight] for flight in flights]
    assert names == [["0.jpg", "1.jpg", "2.jpg"], ["90.jpg", "91.jpg"], ["far.jpg"], ["other.jpg"]]
    assert flight_date(flights[0]) == (TAKEN.date(), "camera's clock")
