"""Every text that a page or a script uses exists in both languages."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from pathlib import Path

import pytest

import web
from configs.texts import LANGUAGES, catalogue, text

ROOM = Path(web.__file__).parent
USED = re.compile(r"""(?<![\w.])t\(\s*['"]([a-z_0-9.]+)['"]\s*[,)]""")
SCRIPTED = re.compile(r"""script_texts\(\s*['"]([a-z_0-9.]+)['"]\s*\)""")


def _templates() -> list[Path]:
    return sorted((ROOM / "templates").rglob("*.html"))


@pytest.mark.parametrize("template", _templates(), ids=lambda path: path.name)
def test_a_template_uses_only_existing_texts(template: Path) -> None:
    content = template.read_text("utf-8")
    missing = [key for key in USED.findall(content) if key not in catalogue()]
    missing += [p for p in SCRIPTED.findall(content) if not any(key.startswith(f"{p}.") for key in catalogue())]
    assert missing == []


@pytest.mark.parametrize("template", _templates(), ids=lambda path: path.name)
def test_a_template_has_no_inline_script_or_style(template: Path) -> None:
    """The content security policy would block them."""
    content = template.read_text("utf-8")
    scripts = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", content)
    assert scripts + re.findall(r"<[^>]*\s(?:on[a-z]+|style)=", content) == []


def test_both_languages_of_a_text_have_the_same_placeholders() -> None:
    def names(words: str) -> set[str | None]:
        return {name.split("|")[0] for _, name, _, _ in string.Formatter().parse(words) if name is not None}

    different = [key for key, words in catalogue().items() if len({frozenset(names(w)) for w in words.values()}) > 1]
    assert different == []


def test_texts_never_call_anything_illegal() -> None:
    texts = [(key, words) for key in catalogue() for words in (text(key, language) for language in LANGUAGES)]
    assert [key for key, words in texts if re.search(r"违法|违规|非法|illegal|unlawful|violation", words, re.I)] == []


def test_the_pages_import_neither_torch_nor_the_network() -> None:
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, web.app; print([m for m in ('torch', 'openvino', 'model') if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("scripts", "prefix", "name"),
    [("alert*.js", "alert", "t"), ("map*.js", "map", "texts"), ("upload.js", "upload", "texts")],
)
def test_a_script_uses_only_existing_texts(scripts: str, prefix: str, name: str) -> None:
    used = {
        key
        for path in (ROOM / "static").glob(scripts)
        if path.name != "alerts.js"
        for key in re.findall(rf"(?<![\w.]){name}\.([a-z_]+)\b", path.read_text("utf-8"))
    }
    assert used
    assert {key for key in used if f"{prefix}.{key}" not in catalogue()} == set()


def test_the_page_of_field_checks_uses_only_existing_texts() -> None:
    scripts = "\n".join(path.read_text("utf-8") for path in (ROOM / "static" / "field").glob("*.js"))
    used = set(re.findall(r"""(?<![\w.])t\("([a-z_]+)\"""", scripts))
    prefixes = set(re.findall(r"(?<![\w.])t\(`([a-z_]+)\$", scripts))
    assert len(used) > 50
    assert {key for key in used if f"field.{key}" not in catalogue()} == set()
    assert all(any(key.startswith(f"field.{prefix}") for key in catalogue()) for prefix in prefixes)
