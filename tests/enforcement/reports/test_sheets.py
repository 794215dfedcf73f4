"""Sheets of reports: rows, totals, corrections, zero reports, checks; and their files."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import pytest
from openpyxl import load_workbook

from enforcement.reports.build import Issue, build_bulletin
from enforcement.reports.checks import check_farmland, check_lower, check_stock
from enforcement.reports.content import Content, ContentRow, figures, parse_correction, sha256_of
from enforcement.reports.expression import compute, names_of, to_spreadsheet
from enforcement.reports.layout import layout_names, read_layout
from enforcement.reports.quarter import _total_mu
from enforcement.reports.sheet import Column, Row, Sheet, Total, shown, summed
from enforcement.reports.write_docx import write_docx
from enforcement.reports.write_xlsx import write_xlsx
from errors import SettingsError
from tests.enforcement.reports.sheets import content, village_sheet


def test_a_corrected_cell_shows_its_original_and_enters_the_total() -> None:
    corrected = content().corrected({("alerts/A1", "area_mu"): 3.0})
    sheet = village_sheet(corrected)
    assert sheet.value(sheet.rows[0], "area_mu") == 3.0
    assert sheet.rows[0].originals == {"area_mu": 2.5}
    assert sheet.totals[0].values["area_mu"] == 5.5
    assert content().corrected({("alerts/A1", "area_mu"): None}) == content()
    assert sha256_of(corrected) != sha256_of(content())


def test_a_zero_report_is_one_row_with_its_patrols() -> None:
    sheet = village_sheet(content(0))
    (row,) = sheet.rows
    assert "本周未发现" in row.cells
    assert sheet.value(row, "patrols") == 3
    assert figures(content(0))["zero"] == 1


def test_the_content_survives_the_database() -> None:
    assert Content.from_json(content().to_json()) == content()


@pytest.mark.parametrize(("closing", "passed"), [(0, True), (1, False)])
def test_previous_stock_and_new_alerts_equal_those_signed_off_and_left(closing: int, passed: bool) -> None:
    found = Content(content().tables, content().values, previous_closing=closing)
    result = check_stock(found)
    assert result.passed is passed
    assert result.numbers == {"opening": closing, "added": 2, "removed": 0, "closing": 2}


def test_basic_farmland_is_not_more_than_farmland() -> None:
    result = check_farmland(content().corrected({("alerts/A2", "basic_mu"): 2.0}))
    assert not result.passed
    assert "330106U2026110002 (2.00 > 1.25 > 2.50)" in result.words("en").words
    assert "不符" in result.words("zh").words
    assert check_farmland(content()).passed


def test_the_sum_of_the_villages_is_compared_with_the_alerts_of_the_township() -> None:
    rows = [ContentRow("1", {"added": 2, "removed": 1, "closing": 3, "area_mu": 1.5})]
    own = {"added": 2, "removed": 1, "closing": 3, "area_mu": 1.5}
    assert check_lower(Content({"lower_reports": rows}, own=own)).passed
    assert not check_lower(Content({"lower_reports": rows}, own=own | {"closing": 4})).passed


@pytest.mark.parametrize("kind", layout_names())
def test_every_layout_of_ours_is_valid(kind: str) -> None:
    layout = read_layout(kind)
    assert layout.tables()
    if layout.sections:
        bulletin = build_bulletin(layout, content(), Issue("x", "en"))
        assert [section.heading for section in bulletin.sections][:2] == ["1. Overview", "2. By kind"]


def test_an_unknown_field_is_named_with_its_file_and_the_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reports").mkdir()
    own = "title: {zh: 周报, en: Sheet}\ntable: {rows: alerts, columns: [{field: area_mu}, {field: owner}]}\n"
    (tmp_path / "reports" / "own.yaml").write_text(own, "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"own\.yaml: the column 'owner'.*known fields: serial, number"):
        read_layout("own")
    (tmp_path / "reports" / "own.yaml").write_text(own.replace("owner", "party"), "utf-8")
    assert [column.name for column in read_layout("own").tables()[0].columns] == ["area_mu", "party"]
    named = own.replace("周报", '"{county}"').replace("owner", "party")
    (tmp_path / "reports" / "named.yaml").write_text(named, "utf-8")
    with pytest.raises(SettingsError, match="title contains the unknown name 'county'"):
        read_layout("named")


@pytest.mark.parametrize(
    ("field", "words", "value"),
    [("area_mu", "2.5", 2.5), ("found_on", "2026-11-24", "2026-11-24"), ("party", " 张三 ", "张三"), ("plan", "", "")],
)
def test_a_correction_has_the_kind_of_its_field(field: str, words: str, value: object) -> None:
    assert parse_correction("alerts", field, words) == value


@pytest.mark.parametrize(
    ("field", "words"), [("area_mu", "-1"), ("area_mu", "nan"), ("found_on", "soon"), ("serial", "2")]
)
def test_a_correction_that_is_no_value_is_refused(field: str, words: str) -> None:
    with pytest.raises(SettingsError):
        parse_correction("alerts", field, words)


def test_formulas_of_columns() -> None:
    assert compute("opening + added - removed", {"opening": 2, "added": 3, "removed": None}) == 5
    assert compute("a / b", {"a": 1, "b": 0}) is None
    assert names_of("(a + b) * 2") == ["a", "b"]
    assert to_spreadsheet("a / b", {"a": "A1", "b": "B1"}.__getitem__) == '=IFERROR((A1/B1),"")'
    for wrong in ("a.b", "f(a)", "a ** 2", "[a]", "'x'", "a if b else c"):
        with pytest.raises(SettingsError):
            names_of(wrong)


def test_xlsx_read_back_equals_the_sheet(tmp_path: Path) -> None:
    columns = (
        Column("name", "名称"),
        Column("a", "甲", "组", kind="whole"),
        Column("b", "乙", "组", "亩", "number"),
        Column("share", "比", kind="percent", formula="a / b"),
        Column("day", "日期", kind="date"),
    )
    rows = (Row(("=cmd", 2, 4.5, 2 / 4.5, dt.date(2026, 3, 6))), Row(("@x", 1, 0.5, 2.0, None)))
    total = Total("合计", {**summed(rows, columns, ("a", "b")), "share": 3 / 5.0}, {"share": "formula"})
    sheet = Sheet("表", columns, rows, totals=(total,), heading=(("单位", "县"),), notes=("注",))
    path = tmp_path / "x.xlsx"
    write_xlsx([sheet, sheet], path)
    values, formulas = load_workbook(path, data_only=True).worksheets[0], load_workbook(path).worksheets[0]
    read = [[cell.value for cell in line] for line in values.iter_rows(5, 7)]
    assert read[0] == ["=cmd", 2, 4.5, pytest.approx(2 / 4.5), dt.datetime.combine(dt.date(2026, 3, 6), dt.time())]
    assert read[2] == ["合计", 3, 5.0, pytest.approx(0.6), None]
    assert formulas["A5"].data_type == "s"
    assert formulas["A5"].quotePrefix
    assert formulas["B7"].value == "=SUM(B5:B6)"
    assert formulas["D7"].value == '=IFERROR((B7/C7),"")'
    assert values.freeze_panes == "A5"
    assert values.print_area == "'表'!$A$1:$E$8"
    assert (values.page_setup.paperSize, values.page_setup.orientation) == (9, "landscape")
    assert {str(span) for span in values.merged_cells.ranges} >= {"B3:C3", "A3:A4"}


def test_docx_is_a4_with_repeated_headings_page_numbers_and_named_fonts(tmp_path: Path) -> None:
    path = tmp_path / "x.docx"
    write_docx(village_sheet(content()), path)
    with zipfile.ZipFile(path) as archive:
        body = archive.read("word/document.xml").decode()
        foot = b"".join(archive.read(name) for name in archive.namelist() if "footer" in name).decode()
    assert "w:tblHeader" in body
    assert 'w:eastAsia="宋体"' in body
    assert 'w:orient="landscape"' in body
    assert "NUMPAGES" in foot


def test_values_are_printed_with_their_decimals() -> None:
    assert shown(0.8512, Column("x", "x", kind="percent")) == "85.1%"
    assert shown(1.5, Column("x", "x", kind="number")) == "1.50"
    assert shown(None, Column("x", "x", kind="number")) == ""


def test_totals_of_the_bulletin_are_those_of_the_rounded_rows() -> None:
    assert _total_mu([3.4, 3.4, 3.4]) == 0.03, "0.0153 mu, but each row shows 0.01"
