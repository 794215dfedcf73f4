"""Templates: the shipped ones, a bureau's own one, what is refused and where, and that no value cuts a text."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Callable
from typing import Any

import docx
import pytest
from PIL import Image

from enforcement.documents.errors import TemplateRefusedError
from enforcement.documents.kinds import read_documents, shipped_file
from enforcement.documents.package import W, read_package
from enforcement.documents.render import fill_template
from enforcement.documents.sample import ALERT, BUREAU, sample_values
from enforcement.documents.template_check import check_template, fonts_used
from enforcement.documents.values import BLANK, Issue, alert_values, proposed_data, template_values

SETTINGS = read_documents()
KIND = SETTINGS.kinds["stop_notice"]
FIRM = "张三<李四>建材有限公司 & Co"


def words_of(content: bytes) -> str:
    package = read_package(content)
    return "\n".join("".join(t.text or "" for t in p.iter(f"{W}t")) for p in package.body.iter(f"{W}p"))


def template(*paragraphs: str, build: Callable[[Any], None] = lambda document: None) -> bytes:
    document = docx.Document()
    for words in paragraphs:
        document.add_paragraph(words)
    build(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def used(content: bytes) -> bytes:
    """Check a template and fill it, as at its upload."""
    check_template(content, SETTINGS)
    return fill_template(content, SETTINGS, sample_values(SETTINGS, KIND))


def changed(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return a Word file with one part changed or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        parts = {entry: source.read(entry) for entry in source.namelist()}
        parts[name] = change(parts.get(name, b""))
        for entry, part in parts.items():
            target.writestr(entry, part)
    return out.getvalue()


@pytest.mark.parametrize("name", SETTINGS.kinds)
def test_a_shipped_template_has_number_page_numbers_and_known_fields(name: str) -> None:
    kind = SETTINGS.kinds[name]
    content = shipped_file(kind.template).read_bytes()
    assert check_template(content, SETTINGS) == []
    values = sample_values(SETTINGS, kind)
    words = words_of(fill_template(content, SETTINGS, values))
    assert values["number"] in words
    assert "{" not in words
    required = {field for field in kind.required if isinstance(values[field], str)}
    assert {field for field in required if values[field].split("\a")[0] not in words} == set()
    assert all(entry["name"] in words for entry in values["enclosures"])


def test_documents_say_suspected_until_a_person_determined() -> None:
    content = shipped_file("copy_township.docx").read_bytes()
    kind = SETTINGS.kinds["copy_township"]
    for determined, expected in ((False, "疑似违法用地"), (True, "经认定违法用地")):
        alert = dataclasses.replace(ALERT, determined=determined)
        values = alert_values(SETTINGS, alert, BUREAU)
        data = proposed_data(SETTINGS, kind, alert, BUREAU)
        words = words_of(fill_template(content, SETTINGS, template_values(SETTINGS, kind, values, data, Issue("1"))))
        assert expected in words
    stop = proposed_data(SETTINGS, KIND, dataclasses.replace(ALERT, determined=False), BUREAU)
    assert "疑似未取得用地批准手续" in stop["act"]


def test_no_character_of_a_value_cuts_the_text() -> None:
    values = sample_values(SETTINGS, KIND) | {"party": FIRM, "act": "第一段 {{ 7*7 }} <w:t>\a第二段"}
    words = words_of(fill_template(template("当事人{{ 当事人 }}，行为：{{ act }}。完"), SETTINGS, values))
    assert f"当事人{FIRM}，行为：第一段 {{{{ 7*7 }}}} <w:t>" in words
    assert "第二段。完" in words


def test_a_bureaus_own_template_with_chinese_names_and_a_stamp_is_used() -> None:
    stamp = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(stamp, "PNG")

    def build(document: Any) -> None:
        table = document.add_table(rows=3, cols=2)
        table.cell(0, 0).text = "{%tr for 件 in 附件清单 %}"
        table.cell(1, 0).text, table.cell(1, 1).text = "{{ 件.名称 }}", "{{ 件.份数 }}"
        table.cell(2, 0).text = "{%tr endfor %}"
        document.add_picture(io.BytesIO(stamp.getvalue()))
        paragraph = document.add_paragraph("{{ 发")
        paragraph.add_run("文单位 }}").bold = True  # an editor splits a tag into runs

    kind = SETTINGS.kinds["copy_township"]
    content = template("{{ 文号 }}", "{% if 备注 %}备注：{{ 备注 }}{% endif %}", build=build)
    assert [finding.code for finding in check_template(content, SETTINGS)] == ["no_page_number"]
    filled = fill_template(content, SETTINGS, sample_values(SETTINGS, kind))
    words = words_of(filled)
    assert "样自然资抄〔2026〕12号" in words
    assert "图斑前后期影像图" in words
    assert "样例县自然资源局" in words
    with zipfile.ZipFile(io.BytesIO(filled)) as archive:
        assert any(archive.read(name) == stamp.getvalue() for name in archive.namelist() if "media/" in name)


def test_unknown_fields_are_named_with_their_places() -> None:
    def build(document: Any) -> None:
        document.add_table(rows=2, cols=3).cell(1, 2).text = "地址 {{ 住趾 }}"
        document.sections[0].header.paragraphs[0].text = "{{ bureu }}"

    content = template("{{ number }}", "当事人：{{ 当事人名 }}", build=build)
    with pytest.raises(TemplateRefusedError) as error:
        check_template(content, SETTINGS)
    assert "body, paragraph 2, “当事人：{{ 当事人名 }}”: there is no field “当事人名”" in str(error.value)
    chinese = error.value.reason.values["findings"]
    assert "正文第1个表格第2行第3格“地址 {{ 住趾 }}”：没有“住趾”这个字段" in chinese
    assert "页眉第1段“{{ bureu }}”" in chinese


@pytest.mark.parametrize(
    "tag",
    [
        "{{ party.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ party|safe }}",
        "{{ party * 1000000000 }}",
        "{{ range(9) }}",
        "{{ enclosures[0] }}",
        "{{ party",
        "{{ party + }}",
        "｛｛当事人｝｝",
        "{% set x = party %}",
        "{% for a in party %}{{ a }}{% endfor %}",
        "{% for a in range(999999999) %}{% endfor %}",
        "{% include 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% for a in enclosures %}{{ a.path }}{% endfor %}",
        "{% if party %}",
        "{% for a in enclosures %}{% for b in enclosures %}{% endfor %}{% endfor %}",
    ],
)
def test_whatever_is_no_field_condition_or_loop_is_refused(tag: str) -> None:
    content = template("{{ number }}", f"前 {tag} 后")
    with pytest.raises(TemplateRefusedError):
        used(content)


def _link(rels: bytes) -> bytes:
    entry = b'<Relationship Id="rx" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" Target="file:///etc/passwd" TargetMode="External"/>'  # noqa: E501
    return rels.replace(b"</Relationships>", entry + b"</Relationships>")


def _doctype(part: bytes) -> bytes:
    return part.replace(b"<w:document", b'<!DOCTYPE a [<!ENTITY b "c">]><w:document', 1)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("word/vbaProject.bin", lambda part: b"macros", "documents.template_active"),
        ("word/embeddings/oleObject1.bin", lambda part: b"x", "documents.template_active"),
        ("word/_rels/document.xml.rels", _link, "documents.template_link"),
        ("word/document.xml", _doctype, "documents.template_no_docx"),
        ("word/document.xml", lambda part: part[:-40], "documents.template_no_docx"),
        ("[Content_Types].xml", lambda part: part.replace(b".main+xml", b".x+xml"), "documents.template_no_docx"),
        ("word/big.xml", lambda part: b"<a>" + b" " * (5 * 2**20) + b"</a>", "documents.template_unpacks"),
    ],
)
def test_what_does_not_belong_into_a_template_is_refused(
    name: str, change: Callable[[bytes], bytes], code: str
) -> None:
    with pytest.raises(TemplateRefusedError) as error:
        check_template(changed(template("{{ number }}"), name, change), SETTINGS)
    assert error.value.reason.code == code


def test_a_field_that_reads_files_is_refused_and_a_text_is_no_document() -> None:
    def build(document: Any) -> None:
        field = document.paragraphs[0]._p.makeelement(f"{W}fldSimple", {f"{W}instr": 'INCLUDETEXT "/etc/passwd"'})
        document.paragraphs[0]._p.append(field)

    with pytest.raises(TemplateRefusedError, match="INCLUDETEXT"):
        check_template(template("{{ number }}", build=build), SETTINGS)
    with pytest.raises(TemplateRefusedError):
        check_template(b"plain text", SETTINGS)


def test_the_fonts_of_a_template_are_listed() -> None:
    fonts = fonts_used(read_package(shipped_file(KIND.template).read_bytes()))
    assert {"仿宋", "宋体", "黑体"} <= set(fonts)


def test_what_is_not_filled_in_is_a_line_to_write_on() -> None:
    values = template_values(SETTINGS, KIND, alert_values(SETTINGS, ALERT, BUREAU), {}, Issue("x"))
    assert words_of(fill_template(template("{{ 当事人 }}"), SETTINGS, values)) == BLANK
