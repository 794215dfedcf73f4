"""Typesetting: untrusted text, fonts, missing glyphs, line breaks, equal bytes."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from configs.texts import translate
from enforcement.typesetting import fonts
from enforcement.typesetting.engine import TEMPLATES, typeset
from enforcement.typesetting.errors import MissingGlyphError, TypesettingError
from enforcement.typesetting.fonts import missing_characters
from enforcement.typesetting.untrusted import replace_missing
from tests.enforcement.typesetting.documents import MOMENT, lines_of, text_of

RARE = "李㛃王䶮赵𬭎𫖯𬱖"
NOT_FIRST, NOT_LAST = "，。、；：？！）》」』】”’", "（《「『【“‘"


def sample(*paragraphs: str, **other: Any) -> bytes:
    default = {"language": "zh", "created_at": MOMENT, "title": "样张", "paragraphs": list(paragraphs)}
    return typeset("sample", {**default, **other})


@pytest.mark.parametrize(
    "text", ['#read("/etc/passwd")', "*粗*_斜_`码`", "$x^2$", "= 标题", "<b>&amp;</b>", r"\u{4e00}\ //"]
)
def test_text_never_becomes_markup(text: str) -> None:
    assert text.replace(" ", "") in text_of(sample(text))


def test_templates_evaluate_no_text() -> None:
    assert [path.name for path in TEMPLATES.glob("*.typ") if "eval(" in path.read_text("utf-8")] == []


def test_a_path_outside_the_documents_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    for path in (str(tmp_path / "secret.png"), "../../../etc/passwd", "/etc/passwd"):
        with pytest.raises(TypesettingError, match="does not fit"):
            sample("", pictures=[path])


def test_equal_data_give_equal_bytes_and_the_date_of_the_data() -> None:
    assert sample("甲") == sample("甲")
    assert b"D:20261124" in sample("甲")
    assert sample("甲") != sample("甲", created_at=MOMENT.replace(year=2027))


@pytest.mark.parametrize("style", ["sans", "serif"])
def test_all_fonts_are_embedded_and_rare_characters_are_printed(tmp_path: Path, style: str) -> None:
    pdf = sample(RARE, "普通文字 Latin 123", font=style)
    (tmp_path / "sample.pdf").write_bytes(pdf)
    listed = subprocess.run(["pdffonts", tmp_path / "sample.pdf"], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()[2:]]
    assert {tuple(row[-5:-2]) for row in rows} == {("yes", "yes", "yes")}  # embedded, subset, with a Unicode map
    assert all("Noto" in row[0] for row in rows)
    assert RARE in text_of(pdf)


def test_a_character_without_a_glyph_is_named_with_its_place() -> None:
    with pytest.raises(MissingGlyphError, match=r"U\+1F600 in “见😀处” \(paragraphs\.1\)") as caught:
        sample("甲", "见😀处")
    assert "“见😀处”中的字符 U+1F600 没有字体可以显示" in translate(caught.value.reason, "zh")


def test_fonts_of_a_bureau_add_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_characters("ԱԲ") == ["Ա", "Բ"]
    shutil.copy(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", tmp_path)
    monkeypatch.setattr(fonts, "OWN_FOLDER", tmp_path)
    caches = (fonts._read_fonts, fonts.own_families, fonts.characters)
    for cached in caches:
        cached.cache_clear()
    try:
        assert "ԱԲ" in text_of(sample("甲ԱԲ"))
    finally:
        for cached in caches:
            cached.cache_clear()


def test_controls_and_directions_are_no_characters_but_variation_selectors_are() -> None:
    assert missing_characters("a\u202e\x00\ue000\U0002a6d6") == ["\u202e", "\x00", "\ue000", "\U0002a6d6"]
    assert missing_characters("葛\U000e0100 a\u200db\n") == []


def test_untrusted_text_gets_replacements_that_are_listed() -> None:
    replaced: dict[str, None] = {}
    data = replace_missing({"a": ["x\ny😀", 1, b"\xf0"], "b": "𪛖"}, replaced)
    assert data == {"a": ["x y〓", 1, b"\xf0"], "b": "〓"}
    assert list(replaced) == ["😀", "𪛖"]


def test_no_line_begins_or_ends_with_punctuation_that_must_not_stand_there() -> None:
    rng = random.Random(7)
    words = ["占用耕地", "村", "2026年", "“未经批准”", "（约3.5亩）", "《土地管理法》", "A4", "他说：“停工。”"]
    marks = ["，", "", "。", "、", "；", "！"]
    paragraphs = ["".join(rng.choice(words) + rng.choice(marks) for _ in range(300)) for _ in range(4)]
    lines = lines_of(sample(*paragraphs))
    assert len(lines) > 100
    assert [line for line in lines if line[0] in NOT_FIRST or line[-1] in NOT_LAST] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"created_at": None}, "created_at"),
        ({"created_at": MOMENT.replace(tzinfo=None)}, "created_at"),
        ({"paragraphs": 3}, "does not fit"),
        ({"paragraphs": [object()]}, "object in paragraphs.0"),
    ],
)
def test_data_that_do_not_fit_are_told(change: dict[str, Any], words: str) -> None:
    with pytest.raises(TypesettingError, match=words):
        sample("甲", **change)


@pytest.mark.parametrize("name", ["unknown", "../base", "base.typ"])
def test_an_unknown_template_is_told(name: str) -> None:
    with pytest.raises(TypesettingError, match="no template"):
        typeset(name, {"created_at": MOMENT})
