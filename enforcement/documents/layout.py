"""Write the shipped Word templates from ``configs/documents/shipped.yaml``, in the layout of official documents.

    python -m enforcement.documents.layout [FOLDER]

A4 with margins 37, 35, 28 and 26 mm (top, bottom, left, right), title bold in 22 pt, text 16 pt with 28.8 pt between
lines, the first line of a paragraph indented by two characters, page numbers on the outer side. By GB/T 9704-2012.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import docx
import yaml
from docx.enum.table import WD_ROW_HEIGHT_RULE, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from enforcement.documents.kinds import shipped_file

TEXT, HEAD, TITLE = "仿宋", "黑体", "宋体"
"""Fonts: text, headings, title; a machine without them takes one of :data:`SUBSTITUTES`."""

SUBSTITUTES = {
    TEXT: "FangSong;仿宋_GB2312;FangSong_GB2312;STFangsong;华文仿宋;Noto Serif CJK SC",
    HEAD: "SimHei;Noto Sans CJK SC",
    TITLE: "SimSun;方正小标宋简体;Noto Serif CJK SC",
}
WIDTH = 156  # mm between the margins
_LINE = Pt(28.8)
_TALL = Mm(16)
_SEAL = "（印章）"
_TAIL = ("联系", "附件", "{%p", "{{ loop.index }}")


def write_templates(folder: Path) -> list[Path]:
    """Write one template for each entry of the contents, and return the files."""
    contents = yaml.safe_load(shipped_file("shipped.yaml").read_text("utf-8"))
    return [write_template(folder / f"{name}.docx", each) for name, each in contents.items()]


def write_template(path: Path, content: dict[str, Any]) -> Path:
    """Write one template; ``content``: its ``title`` and ``blocks``."""
    document = _empty_document(str(content["title"]))
    _title(document, str(content["title"]))
    _number(document)
    for block in content["blocks"]:
        _block(document, block)
    _keep_signatures(document)
    document.save(str(path))
    return path


def _keep_signatures(document: Any) -> None:
    """Keep contact, enclosures and the last paragraph of text with a signature block, so that it never stands alone."""
    paragraphs = document.paragraphs
    for index, paragraph in enumerate(paragraphs):
        if paragraph.text == _SEAL:
            for before in reversed(paragraphs[:index]):
                if not before.text:  # the gap after a table
                    break
                before.paragraph_format.keep_with_next = True
                if not before.text.startswith(_TAIL):
                    break


def _empty_document(title: str) -> Any:
    document = docx.Document()
    for paragraph in list(document.paragraphs):
        paragraph._element.getparent().remove(paragraph._element)
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    section.footer_distance = Mm(25)
    style = document.styles["Normal"]
    style.font.name, style.font.size = TEXT, Pt(16)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), TEXT)
    style.element.rPr.rFonts.set(qn("w:cs"), TEXT)
    language = OxmlElement("w:lang")
    language.set(qn("w:val"), "en-US")
    language.set(qn("w:eastAsia"), "zh-CN")
    style.element.rPr.append(language)
    spacing = style.paragraph_format
    spacing.space_before = spacing.space_after = Pt(0)
    spacing.line_spacing_rule, spacing.line_spacing = WD_LINE_SPACING.EXACTLY, _LINE
    spacing.widow_control = True
    document.settings.odd_and_even_pages_header_footer = True
    _page_number(section.footer, "right")
    _page_number(section.even_page_footer, "left")
    _declare_fonts(document)
    properties = document.core_properties
    properties.title, properties.author, properties.language = title, "", "zh-CN"
    properties.created = properties.modified = dt.datetime(2026, 1, 1)  # noqa: DTZ001  (the same bytes each time)
    return document


def _declare_fonts(document: Any) -> None:
    """Name substitutes in the font table, as Word, WPS and LibreOffice read them."""
    part = next(p for p in document.part.package.iter_parts() if str(p.partname).endswith("fontTable.xml"))
    fonts = "".join(
        f'<w:font w:name="{name}"><w:altName w:val="{others}"/><w:charset w:val="86"/></w:font>'
        for name, others in SUBSTITUTES.items()
    )
    part._blob = part.blob.decode("utf-8").replace("</w:fonts>", f"{fonts}</w:fonts>").encode("utf-8")


def _page_number(footer: Any, side: Literal["left", "right"]) -> None:
    footer.is_linked_to_previous = False
    paragraph = footer.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT if side == "right" else WD_ALIGN_PARAGRAPH.LEFT
    indent = paragraph._p.get_or_add_pPr().get_or_add_ind()
    indent.set(qn(f"w:{side}Chars"), "100")
    indent.set(qn(f"w:{side}"), "280")
    for words in ("— ", None, " —"):
        run = paragraph.add_run(words or "")
        _font(run, TITLE, 14)
        if words is None:
            field = OxmlElement("w:fldSimple")
            field.set(qn("w:instr"), "PAGE")
            shown = OxmlElement("w:r")
            shown.append(run._r.get_or_add_rPr())
            text = OxmlElement("w:t")
            text.text = "1"
            shown.append(text)
            field.append(shown)
            run._r.addprevious(field)
            run._r.getparent().remove(run._r)


def _font(run: Any, name: str, size: float, *, bold: bool = False) -> None:
    run.font.name, run.font.size, run.bold = name, Pt(size), bold or None
    fonts = run._r.get_or_add_rPr().get_or_add_rFonts()
    for script in ("ascii", "hAnsi", "eastAsia", "cs"):
        fonts.set(qn(f"w:{script}"), name)
    fonts.set(qn("w:hint"), "eastAsia")


def _paragraph(
    document: Any, words: str, *, font: str = TEXT, size: float = 16, bold: bool = False, indent: bool = False
) -> Any:
    paragraph = document.add_paragraph()
    if indent:
        values = paragraph._p.get_or_add_pPr().get_or_add_ind()
        values.set(qn("w:firstLineChars"), "200")
        values.set(qn("w:firstLine"), str(int(2 * size * 20)))
    _font(paragraph.add_run(words), font, size, bold=bold)
    return paragraph


def _title(document: Any, words: str) -> None:
    paragraph = _paragraph(document, words, font=TITLE, size=22, bold=True)
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.paragraph_format.line_spacing = Pt(34)
    paragraph.paragraph_format.keep_with_next = True


def _number(document: Any) -> None:
    paragraph = _paragraph(document, "{{ number }}")
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.paragraph_format.space_after = Pt(14)


def _block(document: Any, block: Any) -> None:
    if isinstance(block, str):
        _paragraph(document, block, indent=True)
        return
    [(what, value)] = block.items()
    if what in ("to", "line"):
        _paragraph(document, value, indent=what == "line").paragraph_format.keep_with_next = value.endswith("：")
    elif what == "small":
        _paragraph(document, value, size=12)
    elif what == "head":
        _paragraph(document, value, font=HEAD, indent=True).paragraph_format.keep_with_next = True
    elif what == "title":
        _title(document, value)
    elif what == "form":
        _form(document, value)
    elif what == "list":
        _list(document, value)
    elif what == "rows":
        _rows(document, value)
    elif what == "sign":
        _signature(document)
    elif what == "foot":
        _contact(document)
    elif what == "signs":
        for words in value:
            _paragraph(document, words).paragraph_format.space_before = Pt(10)
    elif what == "page":
        document.paragraphs[-1].add_run().add_break(docx.enum.text.WD_BREAK.PAGE)
    else:
        raise ValueError(f"unknown block {what}")


def _list(document: Any, name: str) -> None:
    entry = "{{ loop.index }}. {{ entry.name }}（{{ entry.copies }}份）" if name == "enclosures" else "{{ entry }}"
    for words in (f"{{%p for entry in {name} %}}", entry, "{%p endfor %}"):
        _paragraph(document, words, indent=True)


def _table(document: Any, rows: int, widths: Sequence[float]) -> Any:
    table = document.add_table(rows=rows, cols=len(widths), style="Table Grid")
    table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Mm(width)
        for cell in column.cells:
            cell.width = Mm(width)
    return table


def _cell(cell: Any, words: str, *, label: bool = False, center: bool = False) -> None:
    paragraph = cell.paragraphs[0]
    _font(paragraph.add_run(words), HEAD if label else TEXT, 10.5)
    paragraph.paragraph_format.line_spacing_rule = WD_LINE_SPACING.AT_LEAST
    paragraph.paragraph_format.line_spacing = Pt(18)
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER if label or center else WD_ALIGN_PARAGRAPH.LEFT
    cell.vertical_alignment = docx.enum.table.WD_CELL_VERTICAL_ALIGNMENT.CENTER


def _form(document: Any, rows: Sequence[Sequence[str]]) -> None:
    """Add a table of labels and values; a row of one value spans it, ``tall`` leaves room for handwriting."""
    _gap(document)
    widths = (27, 51, 27, 51)
    table = _table(document, len(rows), widths)
    for row, given in zip(table.rows, rows, strict=True):
        cells, tall = [word for word in given if word != "tall"], "tall" in given
        row.height, row.height_rule = _TALL if tall else Mm(8.5), WD_ROW_HEIGHT_RULE.AT_LEAST
        _keep_row(row)
        if len(cells) == 2:
            spanned = row.cells[1].merge(row.cells[3])
            _cell(row.cells[0], cells[0], label=True)
            _cell(spanned, cells[1])
        else:
            for index, words in enumerate(cells):
                _cell(row.cells[index], words, label=index % 2 == 0)
    _keep_together(table)
    _gap(document, keep=False)


def _keep_together(table: Any) -> None:
    for row in table.rows[:-1]:
        for cell in row.cells:
            for paragraph in cell.paragraphs:
                paragraph.paragraph_format.keep_with_next = True


def _keep_row(row: Any) -> None:
    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))


def _rows(document: Any, name: str) -> None:
    _gap(document)
    table = _table(document, 4, (18, 84, 18, 36))
    for cell, words in zip(table.rows[0].cells, ("序号", "名称", "份数", "备注"), strict=True):
        _cell(cell, words, label=True)
    _cell(table.rows[1].cells[0], f"{{%tr for entry in {name} %}}")
    for index, words in enumerate(("{{ loop.index }}", "{{ entry.name }}", "{{ entry.copies }}", "{{ entry.remark }}")):
        _cell(table.rows[2].cells[index], words, center=index in (0, 2))
    _cell(table.rows[3].cells[0], "{%tr endfor %}")
    for row in table.rows:
        _keep_row(row)
    _keep_together(table)
    _gap(document, keep=False)


def _gap(document: Any, *, keep: bool = True) -> None:
    paragraph = document.add_paragraph()
    paragraph.paragraph_format.line_spacing = Pt(8)
    paragraph.paragraph_format.keep_with_next = keep


def _contact(document: Any) -> None:
    _paragraph(document, "联系人：{{ contact }}　　联系电话：{{ phone }}", indent=True)
    _paragraph(document, "联系地址：{{ address }}", indent=True)


def _signature(document: Any) -> None:
    """Add the place of the seal, the bureau and the date, on the right."""
    for words, right, grey in ((_SEAL, 640, True), ("{{ bureau }}", 640, False), ("{{ issued_on }}", 960, False)):
        paragraph = _paragraph(document, words, size=12 if grey else 16)
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        paragraph._p.get_or_add_pPr().get_or_add_ind().set(qn("w:right"), str(right))
        paragraph.paragraph_format.keep_with_next = words != "{{ issued_on }}"
        paragraph.paragraph_format.keep_together = True
        if grey:
            paragraph.paragraph_format.space_before = Pt(24)
            paragraph.runs[0].font.color.rgb = RGBColor(0x99, 0x99, 0x99)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else shipped_file("")
    for written in write_templates(target):
        print(written)
