"""Parcel TXT of several programs is read, and what is written is read back."""

from __future__ import annotations

import datetime as dt

import pytest
import shapely
from pyproj import Transformer
from shapely import MultiPolygon, Polygon, box

from enforcement.overlap_ratio import area_m2, overlap_ratios
from enforcement.parcels.coordinates import ParcelError
from enforcement.parcels.read import Parcel, read_parcels
from enforcement.parcels.write import ParcelOutline, write_parcels

PLACE = box(120.100, 30.200, 120.101, 30.201)  # zone 40, some 96 m by 111 m
WITH_HOLE = Polygon(PLACE.exterior, [box(120.1004, 30.2004, 120.1006, 30.2006).exterior])
TWO_PARTS = MultiPolygon([PLACE, box(120.102, 30.200, 120.103, 30.201)])


def corners(outline: Polygon, zone: int = 40, *, prefix: bool = True, code: int = 4528) -> list[tuple[float, float]]:
    """Northing and easting of the corners of a rectangle."""
    transformer = Transformer.from_crs(4490, code, always_xy=True)
    points = [transformer.transform(x, y) for x, y in outline.exterior.coords]
    return [(y, x % 1e6 + (zone * 1e6 if prefix else 0)) for x, y in points]


def text(header: dict[str, str], *lines: str) -> str:
    return "\r\n".join(["[属性描述]", *(f"{k}={v}" for k, v in header.items()), "[地块坐标]", *lines])


HEADER = {"坐标系": "2000国家大地坐标系", "几度分带": "3", "投影类型": "高斯克吕格", "计量单位": "米", "带号": "40"}


def parcel(content: str, encoding: str = "gb18030") -> Parcel:
    (found,) = read_parcels(content.encode(encoding))
    return found


def points(pairs: list[tuple[float, float]], ring: int = 1) -> list[str]:
    return [f"J{n},{ring},{a:.3f},{b:.3f}" for n, (a, b) in enumerate(pairs, 1)]


def same(outline: object, expected: object = PLACE) -> bool:
    return overlap_ratios(outline, expected).iou > 0.9999  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("area", "unit"), [("1.0666", "公顷"), ("10666", "m²"), ("16.0", "亩")])
def test_a_parcel_is_read_whatever_its_encoding_and_unit_of_area(encoding: str, area: str, unit: str) -> None:
    read = parcel(text(HEADER, f"5,{area},1,地块一,面,I50G,工业,0103,@", *points(corners(PLACE))), encoding)
    assert (read.number, read.name, read.sheet, read.use, read.land_class) == ("1", "地块一", "I50G", "工业", "0103")
    assert same(read.outline), unit
    assert read.stated_m2 == pytest.approx(area_m2(PLACE), rel=0.05)
    assert (read.fault, read.remarks) == ("", ())


def test_zone_in_the_header_swapped_axes_and_unclosed_rings_are_understood() -> None:
    without_zone = points(corners(PLACE, prefix=False))[:-1]
    assert same(parcel(text(HEADER, "4,,1,a,面,,,,@", *without_zone)).outline)
    swapped = points([(b, a) for a, b in corners(PLACE)])
    read = parcel(text(HEADER, "5,,1,a,面,,,,@", *swapped))
    assert same(read.outline)
    assert [remark.code for remark in read.remarks] == ["parcel.swapped"]  # type: ignore[attr-defined]
    degrees = points([(y, x) for x, y in PLACE.exterior.coords])
    exact = [f"J1，1，{y:.8f}，{x:.8f}" for x, y in PLACE.exterior.coords]  # full-width commas, of an input method
    assert len(degrees) == 5
    assert same(parcel(text({"坐标系": "CGCS2000", "计量单位": "度"}, "5,,1,a,面,,,,@", *exact)).outline)


def test_other_datums_and_zones_of_six_degrees_are_known() -> None:
    six = Transformer.from_crs(4490, 4498, always_xy=True)  # zone 20, central meridian 117°
    pairs = [(y, x % 1e6 + 20e6) for x, y in (six.transform(*p) for p in PLACE.exterior.coords)]
    assert same(parcel(text(HEADER | {"几度分带": "6", "带号": "20"}, "5,,1,a,面,,,,@", *points(pairs))).outline)
    old = Transformer.from_crs(4610, 2364, always_xy=True)  # Xi'an 80, zone 40
    pairs = [(y, x) for x, y in (old.transform(*p) for p in PLACE.exterior.coords)]
    read = parcel(text(HEADER | {"坐标系": "1980西安坐标系"}, "5,,1,a,面,,,,@", *points(pairs)))
    assert same(read.outline)  # no parameters are loaded: the numbers as they are, and a remark about it
    assert len(read.remarks) == 1


def test_a_ring_in_a_ring_is_a_hole_and_one_beside_it_a_part() -> None:
    hole = points(corners(Polygon(WITH_HOLE.interiors[0])), 2)
    read = parcel(text(HEADER, "10,,1,a,面,,,,@", *points(corners(PLACE)), *hole))
    assert same(read.outline, WITH_HOLE)
    part = points(corners(TWO_PARTS.geoms[1]), 2)
    assert same(parcel(text(HEADER, "10,,1,a,面,,,,@", *points(corners(PLACE)), *part)).outline, TWO_PARTS)


def test_bad_parcels_say_what_is_wrong_and_spoil_no_others() -> None:
    good = points(corners(PLACE))
    content = text(
        HEADER,
        "5,,1,a,面,,,,@", *good,
        "5,,2,b,线,,,,@", *good,
        "5,,3,c,面,,,,@", *good[:2], "J3,1,x,y", *good[2:],
        "5,,4,d,面,,,,@", *points([(1.0, 40e6 + 5e5)] * 4),
        "9,0.5,5,e,面,,,,@", *good,
        "0,,6,f,面,,,,@",
    )  # fmt: skip
    read = read_parcels(content.encode("gb18030"))
    codes = [getattr(p.fault, "code", "") for p in read]
    assert codes == ["", "parcel.figure", "parcel.point", "parcel.numbers", "", "parcel.empty"]
    assert "line 23" in read[2].fault
    assert [remark.code for remark in read[4].remarks] == ["parcel.points", "parcel.area"]  # type: ignore[attr-defined]
    assert read[4].stated_m2 is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "parcel.none"),
        (text(HEADER, *points(corners(PLACE))).encode(), "parcel.none"),
        (text(HEADER | {"坐标系": "独立坐标系"}, "1,,1,a,面,,,,@").encode(), "parcel.system"),
        (text(HEADER | {"计量单位": "英尺"}, "1,,1,a,面,,,,@").encode(), "parcel.unit"),
        (text(HEADER | {"几度分带": "1.5"}, "1,,1,a,面,,,,@").encode(), "parcel.degrees"),
        (b"\xff\x00\x81", "parcel.encoding"),
    ],
)
def test_a_file_that_is_none_says_why(content: bytes, code: str) -> None:
    with pytest.raises(ParcelError) as caught:
        read_parcels(content)
    assert caught.value.args[0].code == code


def test_a_parcel_without_zone_is_refused() -> None:
    header = {key: value for key, value in HEADER.items() if key != "带号"}
    read = parcel(text(header, "5,,1,a,面,,,,@", *points(corners(PLACE, prefix=False))))
    assert read.fault.code == "parcel.no_zone"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("unit", "encoding"), [("ha", "gb18030"), ("m2", "utf-8")])
def test_what_is_written_is_read_back_to_the_millimetre(unit: str, encoding: str) -> None:
    outlines = [WITH_HOLE, TWO_PARTS, PLACE]
    parcels = [ParcelOutline(f"330106U202611000{n}", "余杭，一@村", each, "推填土") for n, each in enumerate(outlines)]
    content, remarks = write_parcels(
        parcels, made_by="某局", made_on=dt.date(2026, 11, 29), area_unit=unit, encoding=encoding  # type: ignore[arg-type]
    )  # fmt: skip
    assert remarks == ()
    assert "带号=40\r\n" in content.decode(encoding)
    read = read_parcels(content)
    assert [p.number for p in read] == [p.number for p in parcels]
    for found, outline in zip(read, outlines, strict=True):
        assert found.remarks == ()
        assert found.outline is not None
        assert shapely.hausdorff_distance(found.outline, outline) < 2e-8  # some millimetres
        assert found.stated_m2 == pytest.approx(area_m2(outline), rel=1e-3)
