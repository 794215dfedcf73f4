"""Evidence sheets: content, scale, page breaks and fonts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import re
import subprocess
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pypdf import PdfReader
from shapely.geometry import MultiPolygon, Point, Polygon, box

from enforcement.alert import Alert, AlertArea, AlertImage, Sighting
from enforcement.areas import NamedArea
from enforcement.evidence.sheet import EvidenceSheet, render_evidence_sheet
from enforcement.evidence.sheet_drawing import PicturePair, SheetPicture
from enforcement.hash_chain import GENESIS_HASH, Row, row_hash
from enforcement.units import round_length
from errors import TubanError
from imagery.error_ellipse import ErrorEllipse

EARLIER = AlertImage(dt.date(2026, 5, 1), "satellite", 0.5, "a1" * 32)
LATER = AlertImage(dt.date(2026, 11, 20), "drone", 0.05, "b2" * 32)
OUTLINE = box(120.07, 30.21, 120.0703, 30.2102)
AREAS = (
    NamedArea("330106", "西湖区", "county", box(120.0, 30.1, 120.2, 30.3)),
    NamedArea("330106005", "留下街道", "township", box(120.0, 30.15, 120.1, 30.25)),
    NamedArea("330106006", "转塘街道", "township", box(120.1, 30.15, 120.2, 30.25)),
    NamedArea("330106005201", "东穆坞村", "village", box(120.05, 30.2, 120.09, 30.24)),
)
ALERT = Alert(
    number="330106W2026110001",
    source="drone",
    kind="construction",
    kind_names=("新增建筑/建设", "New construction"),
    change_type="",
    change_type_names=None,
    state="submitted",
    state_reason="",
    works="partly built",
    outline=OUTLINE,
    detected={},
    area_m2=2000.0,
    score=0.876,
    earlier=EARLIER,
    later=LATER,
    village=AlertArea("330106005201", "东穆坞村"),
    township=AlertArea("330106005", "留下街道"),
    county=AlertArea("330106", "西湖区"),
    also_in=(),
    overlaps=(
        {"layer": "耕地2025", "kind": "cultivated", "dated": "2025-12-31", "number": "", "valid": True, "share": 0.8,
         "area_m2": 1600.0},
        {"layer": "批文库", "kind": "approval", "dated": "2026-10-01", "number": "", "valid": True, "share": 0.0,
         "area_m2": 0.0},
    ),
    sightings=(
        Sighting(dt.date(2026, 10, 1), "satellite", 1500.0, 0.7),
        Sighting(dt.date(2026, 11, 20), "drone", 2000.0, 0.9),
    ),
    week="2026-W47",
    rank=1,
    over_cap=False,
    legal_weight=40,
    weights_sha256="c3" * 32,
    settings_sha256="d4" * 32,
    residual_px=0.61,
    residual_m=0.31,
    evidence=(),
    page="https://tuban.example/alerts/330106W2026110001",
)  # fmt: skip


def picture(side: int, metre_px: float, image: AlertImage | None = EARLIER) -> SheetPicture:
    ring = np.array([(0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6), (0.4, 0.4)]) * side
    return SheetPicture(np.full((side, side, 3), 128, np.uint8), metre_px, [ring], image)


def log(steps: int, why: str = "派发核查") -> list[Row]:
    rows: list[Row] = []
    for sequence in range(1, steps + 1):
        at = dt.datetime(2026, 11, 21, 18, 30, tzinfo=dt.UTC)
        fields = {"at": at, "who": "李工", "role": "county", "from_state": "new", "to_state": "triaged", "why": why}
        previous = rows[-1].hash if rows else GENESIS_HASH
        rows.append(Row(sequence, fields, previous, row_hash(previous, fields)))
    return rows


def sheet(**other: Any) -> EvidenceSheet:
    generated_at = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)
    default = EvidenceSheet(
        ALERT, picture(64, 1.0), picture(128, 0.5, LATER), log(3), AREAS, ZoneInfo("Asia/Shanghai"), generated_at
    )
    return dataclasses.replace(default, **other)


def text_of(pdf: bytes) -> str:
    """Extract the text of all pages in drawing order, without white space."""
    read = subprocess.run(["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True)
    assert read.stderr == b""
    return re.sub(r"\s", "", read.stdout.decode())


def pages_of(pdf: bytes) -> int:
    return len(PdfReader(io.BytesIO(pdf)).pages)


def sheet_text(language: Any = "en", **other: Any) -> str:
    return text_of(render_evidence_sheet(sheet(**other), language))


def alert_text(alert: dict[str, Any], language: Any = "en") -> str:
    return sheet_text(language, alert=dataclasses.replace(ALERT, **alert))


@pytest.mark.parametrize(
    ("language", "statement"), [("zh", "疑似变化线索，须经实地核查"), ("en", "Suspectedchange,tobecheckedontheground")]
)
def test_every_page_contains_the_statement(language: Any, statement: str) -> None:
    pdf = render_evidence_sheet(sheet(log=log(80)), language)
    assert text_of(pdf).count(statement) == pages_of(pdf) + 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_sheet_never_calls_an_alert_illegal(language: Any) -> None:
    text = sheet_text(language).lower()
    assert not [word for word in ("illegal", "unlawful", "violation", "违法", "违建", "违规") if word in text]


def test_sheet_contains_area_place_dates_and_overlaps() -> None:
    text = sheet_text("zh")
    expected = (
        "330106W2026110001 3.00亩(2,000.0m²) 西湖区·留下街道·东穆坞村 耕地2025 2025-12-31 80.0% 批文库 无重叠 +500.0m² "
    )
    expected += "2026-05-01卫星 2026-11-20无人机 分辨率0.05m 0.61px=0.31m 部分建成"
    assert [word for word in expected.split() if word not in text] == []


def test_sheet_contains_all_checksums_in_full() -> None:
    text = sheet_text()
    assert [pair for pair in ("a1", "b2", "c3", "d4") if pair * 32 not in text] == []


def test_sheet_contains_the_last_hash_of_the_log_in_full() -> None:
    rows = log(5)
    assert rows[-1].hash in sheet_text(log=rows)


def test_log_shows_local_times_people_and_states() -> None:
    text = sheet_text("zh", log=log(1))
    assert "2026-11-2202:30李工(县局经办)新图斑→已研判派发核查" in text


def test_corners_are_in_degrees_and_in_the_local_zone() -> None:
    text = sheet_text()
    assert "EPSG:4528" in text
    assert "120.0700000030.21020000" in text
    assert "40506" in text  # the easting with its zone


def test_an_oblique_position_has_its_error_and_no_millimetres() -> None:
    oblique = dataclasses.replace(ALERT, error=ErrorEllipse(9.0, 3.0, 40.0), area_error_m2=310.0)
    ellipse = np.array([(20.0, 20.0), (50.0, 32.0), (44.0, 44.0)])
    drawn = dataclasses.replace(picture(64, 1.0), ellipse=ellipse)
    text = sheet_text(alert=oblique, before=drawn)
    assert "±310m²(estimatedfromanobliqueview;±isthepositionerroronly" in text
    assert "bound" not in text
    assert "ellipseof±9mby±3m,majoraxisat40°" in text
    assert "120.0700030.21020" in text
    assert not re.search(r"\d{6,7}\.\d{3}\D", text)  # coordinates in whole metres
    assert render_evidence_sheet(sheet(before=drawn), "en") != render_evidence_sheet(sheet(), "en")


def test_outline_with_many_corners_is_marked_as_simplified() -> None:
    ring = Point(120.07, 30.21).buffer(0.001, quad_segs=50)
    text = alert_text({"outline": ring})
    assert re.search(r"Simplifiedto(1\d|20)of200corners", text)


def test_holes_and_parts_are_distinguished() -> None:
    holed = Polygon(OUTLINE.exterior.coords, [box(120.0701, 30.2101, 120.0702, 30.21015).exterior.coords])
    text = alert_text({"outline": MultiPolygon([holed, box(120.08, 30.21, 120.081, 30.211)])})
    assert "Holesstartat:J5." in text
    assert "J123" in text  # the twelfth corner belongs to the third ring


def test_corners_outside_all_zones_are_in_degrees_only() -> None:
    text = alert_text({"outline": box(10.0, 50.0, 10.001, 50.001)})
    assert "noplanecoordinates" in text


def test_long_log_continues_on_further_pages() -> None:
    pdf = render_evidence_sheet(sheet(log=log(200)), "en")
    pages = pages_of(pdf)
    assert pages > 5
    assert f"Page{pages}of{pages}" in text_of(pdf)


def test_reason_longer_than_a_page_is_printed_completely() -> None:
    assert "到此为止" in sheet_text("zh", log=log(1, why="说明" * 6000 + "到此为止"))


def test_markup_in_untrusted_text_is_escaped() -> None:
    text = sheet_text(log=log(1, why="<b>&amp;</no bold>\u202e\U0001f600 #panic() *x*"))
    assert "<b>&amp;</nobold>〓〓#panic()*x*" in text
    assert "〓standsforcharactersthatnofontcanprint:U+202E,U+1F600." in text


def test_missing_data_is_shown_as_such() -> None:
    bare = dataclasses.replace(
        ALERT, earlier=None, later=None, village=None, township=None, county=None, overlaps=(), sightings=(), page="",
        works=None, residual_px=None, residual_m=None, weights_sha256="", settings_sha256="",
    )  # fmt: skip
    text = sheet_text(alert=bare, before=None, after=None, log=(), areas=())
    assert text.count("Noimage") == 2
    assert "Noadministrativeboundariesareloaded." in text
    assert "Nostepsyet." in text


@pytest.mark.parametrize(
    ("language", "accuracy_m", "expected"),
    [
        ("en", 3.0, "comparedasgeoreferenced,positionnotconfirmedbytheimages,±3.0m"),
        ("en", None, "comparedasgeoreferenced,positionnotconfirmedbytheimages"),
        ("zh", 3.0, "按坐标直接比对，位置未经影像印证，精度±3.0米"),
    ],
)
def test_a_comparison_by_coordinates_alone_is_told(language: str, accuracy_m: float | None, expected: str) -> None:
    by_coordinates = dataclasses.replace(
        ALERT, residual_px=None, registration_method="georeferencing", registration_accuracy_m=accuracy_m
    )
    assert expected in sheet_text(language, alert=by_coordinates)


def test_equal_input_gives_equal_bytes() -> None:
    assert render_evidence_sheet(sheet(), "zh") == render_evidence_sheet(sheet(), "zh")


def test_map_names_neighbouring_areas() -> None:
    text = sheet_text("zh")
    assert "转塘街道" in text


def test_sheet_has_signature_boxes() -> None:
    text = sheet_text()
    assert text.endswith(("Page1of1", "Page2of2", "Page3of3"))
    assert "Checkedby" in text
    assert "Reviewedby" in text


def test_pictures_have_a_common_scale_set_by_the_larger_extent() -> None:
    small, large = picture(100, 0.1), picture(50, 1.0)  # 10 m and 50 m of ground
    pair = PicturePair((small, large), 250.0, 10.0, "", "N")
    assert pair.scale == pytest.approx(50 / (250 * 0.0254 / 72))


@pytest.mark.parametrize(("limit", "length"), [(49.0, 20), (50.0, 50), (0.9, 0.5), (1999.0, 1000)])
def test_scale_bars_have_round_lengths(limit: float, length: float) -> None:
    assert round_length(limit) == length


def test_picture_without_a_scale_raises() -> None:
    with pytest.raises(TubanError, match="above 0"):
        picture(10, 0.0)


def test_time_without_time_zone_raises() -> None:
    with pytest.raises(TubanError, match="time zone"):
        render_evidence_sheet(sheet(generated_at=dt.datetime(2026, 11, 24)), "zh")  # noqa: DTZ001


def test_all_fonts_are_embedded(tmp_path: Path) -> None:
    """A machine without Chinese fonts shows the same sheet."""
    for language in ("zh", "en"):
        (tmp_path / "sheet.pdf").write_bytes(render_evidence_sheet(sheet(log=log(40)), language))
        listed = subprocess.run(["pdffonts", tmp_path / "sheet.pdf"], capture_output=True, text=True, check=True)
        # name, type (two words), encoding, embedded, subset, Unicode map, object
        fonts = [line.split()[-5:-2] for line in listed.stdout.splitlines()[2:]]
        assert fonts
        assert set(map(tuple, fonts)) == {("yes", "yes", "yes")}


def test_rare_characters_of_names_are_printed() -> None:
    text = sheet_text("zh", log=log(1, why="李㛃王䶮赵𬭎"))
    assert "李㛃王䶮赵" in text
    assert "〓" not in text
