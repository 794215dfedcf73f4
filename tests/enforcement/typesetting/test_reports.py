"""Sheets and bulletins as PDF: pages, headings, totals, charts and maps."""

from __future__ import annotations

import dataclasses
import io

import pytest
from pypdf import PdfReader

from configs.texts import translate
from enforcement.reports.bulletin import AreaMap, Bulletin, Chart, MapArea, Section, Series
from enforcement.reports.content import Content, ContentRow
from enforcement.reports.sheet import Column, Row
from enforcement.typesetting.bulletin_pdf import bulletin_pdf
from enforcement.typesetting.charts import round_up
from enforcement.typesetting.errors import MissingGlyphError
from enforcement.typesetting.printable import verify_printable
from enforcement.typesetting.report_data import column_widths
from enforcement.typesetting.sheet_pdf import sheet_pdf
from tests.enforcement.typesetting.documents import sheet, text_of

SQUARE = ((120.0, 30.0), (120.1, 30.0), (120.1, 30.1), (120.0, 30.1), (120.0, 30.0))


def sides_mm(pdf: bytes) -> tuple[int, int]:
    box = PdfReader(io.BytesIO(pdf)).pages[0].mediabox
    return round(float(box.width) / 72 * 25.4), round(float(box.height) / 72 * 25.4)


def test_headings_are_repeated_and_totals_and_signatures_stand_once() -> None:
    pdf = sheet_pdf(sheet(90))
    pages, text = len(PdfReader(io.BytesIO(pdf)).pages), text_of(pdf)
    assert pages >= 3
    assert text.count("其中耕地") == pages
    assert all(f"第{page}页共{pages}页" in text for page in range(1, pages + 1))
    assert text.count("合计225.0090.00") == 1
    assert "填报单位：留下街道" in text
    assert "填报人：王工" in text
    assert text.count("【草稿】") == pages


def test_pages_have_the_requested_format() -> None:
    assert sides_mm(sheet_pdf(sheet())) == (297, 210)
    assert sides_mm(sheet_pdf(sheet(landscape=False))) == (210, 297)
    assert sides_mm(sheet_pdf(sheet(), paper="a3")) == (420, 297)


def test_a_sheet_in_english_has_english_page_numbers() -> None:
    assert "Page1of1" in text_of(sheet_pdf(sheet(language="en")))


def test_a_row_longer_than_a_page_is_printed_completely() -> None:
    long = Row((1, "说明" * 3000 + "到此为止", 1.0, 1.0, None))
    assert "到此为止" in text_of(sheet_pdf(dataclasses.replace(sheet(), rows=(long,))))


def test_a_missing_glyph_is_named_with_row_and_column() -> None:
    row = Row((1, "𪛖村", 1.0, 1.0, None))
    with pytest.raises(MissingGlyphError, match="row 1, column 村") as caught:
        sheet_pdf(dataclasses.replace(sheet(), rows=(row,)))
    assert "第 1 行“村”列" in translate(caught.value.reason, "zh")


def test_a_bulletin_has_its_text_vector_charts_map_and_table() -> None:
    chart = Chart("各月新增", ("1月", "2月"), (Series("新增", (3.0, None)), Series("销号", (1.0, 2.0))), "宗")
    area_map = AreaMap("分布", (MapArea("留下街道", 7.0, (SQUARE,)), MapArea("无界线镇", 1.0, ())), "宗")
    sections = (Section("一、总体情况", ("全县新增图斑4宗。",), chart, area_map, sheet()),)
    pdf = bulletin_pdf(Bulletin("季度通报", sections, issuer="联席会议办公室", number="2026年第3期"))
    text = text_of(pdf)
    expected = "季度通报 联席会议办公室 2026年第3期 一、总体情况 全县新增图斑4宗。 各月新增 销号 2月 "
    expected += "分布 留下街道 合计 第1页共"
    assert [words for words in expected.split() if words not in text] == []
    assert not [image for page in PdfReader(io.BytesIO(pdf)).pages for image in page.images]
    assert sides_mm(pdf) == (210, 297)


def test_a_chart_of_many_values_is_drawn_as_lines() -> None:
    weeks = tuple(f"第{week}周" for week in range(1, 54))
    chart = Chart("每周", weeks, (Series("", tuple(float(week % 7) if week % 9 else None for week in range(53))),))
    assert "第1周" in text_of(bulletin_pdf(Bulletin("通报", (Section("一", chart=chart),))))


@pytest.mark.parametrize(("value", "end"), [(0, 4), (3.2, 4), (5, 8), (9, 12), (13, 16), (41, 60), (999, 1200)])
def test_axes_end_at_numbers_with_four_whole_steps(value: float, end: float) -> None:
    assert round_up(value) == end


def test_a_table_of_many_columns_is_set_on_a3_and_its_dates_and_words_fit() -> None:
    columns = [Column(f"c{number}", "Farmland", unit="mu", width=4) for number in range(30)]
    rows = (Row(("2026-11-20",) * 30),)
    wide = dataclasses.replace(sheet(rows=0), columns=tuple(columns), rows=rows, totals=(), language="en")
    assert sides_mm(sheet_pdf(wide)) == (420, 297)
    assert all(width >= 6.0 for width in column_widths(wide))
    assert column_widths(sheet())[1] == pytest.approx(6.0, abs=0.2)  # as its layout says


def test_a_report_that_no_font_can_print_is_told_before_it_is_signed() -> None:
    good = ContentRow("7", {"village": "东穆坞村", "party": "𫖯某", "use": {"zh": "棚", "en": "shed"}, "area_mu": 2.5})
    verify_printable(Content({"alerts": [good]}))
    bad = ContentRow("8", {"party": "𪛖某"})
    with pytest.raises(MissingGlyphError, match=r"U\+2A6D6 in “𪛖某” \(row 2, column Party\)") as caught:
        verify_printable(Content({"alerts": [good, bad]}))
    assert "第 2 行" in translate(caught.value.reason, "zh")
