"""Typeset plain data with a template by typst, in this process.

Data reach the template as JSON, so text can neither become markup nor name a file. The compiler sees one temporary
folder with the templates, the data and their pictures. Equal data give equal bytes.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typst

from enforcement.typesetting.errors import MissingGlyphError, TypesettingError
from enforcement.typesetting.fonts import missing_characters, own_families, read_fonts

TEMPLATES = Path(__file__).parent / "templates"


def typeset(template_name: str, data: Mapping[str, Any]) -> bytes:
    """Return data as PDF.

    Args:
        template_name: of ``templates/NAME.typ``.
        data: text, numbers, dates, lists and mappings of them, as the template reads them. ``bytes`` are pictures (PNG,
            JPEG, SVG); the template gets their path. ``created_at``, a timezone-aware time, becomes the date of the
            file; ``language`` is ``zh`` or ``en``.

    Raises:
        MissingGlyphError: no font has a character of the data.
        TypesettingError: there is no such template, or it does not fit the data.
    """
    source = TEMPLATES / f"{template_name}.typ"
    if not template_name.isidentifier() or not source.is_file():
        raise TypesettingError(f"There is no template {template_name!r} for typesetting.")
    created_at = data.get("created_at")
    if not isinstance(created_at, dt.datetime) or created_at.tzinfo is None:
        raise TypesettingError("The data of a document have no created_at with a time zone: pass one.")
    pictures: list[bytes] = []
    content = json.dumps(_plain(data, "", pictures), ensure_ascii=False, allow_nan=False)
    with tempfile.TemporaryDirectory(prefix="tuban-typesetting-") as name:
        root = Path(name)
        for template in TEMPLATES.glob("*.typ"):
            shutil.copyfile(template, root / template.name)
        (root / "data.json").write_text(content, encoding="utf-8")
        for number, picture in enumerate(pictures):
            (root / f"picture_{number}").write_bytes(picture)
        return _compile(root, source.name, _fixed_offset(created_at))


def _compile(root: Path, name: str, created_at: dt.datetime) -> bytes:
    compiler = typst.Compiler(
        str(root / name),
        root=str(root),
        font_paths=read_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"own_fonts": json.dumps(own_families())},
        package_path=str(root / "packages"),
        package_cache_path=str(root / "packages"),
    )
    try:
        made = compiler.compile(format="pdf", timestamp=created_at)
    except typst.TypstError as error:
        words = error.diagnostic or error.message
        raise TypesettingError(f"The template {name} does not fit the data: {words}") from error
    if not isinstance(made, bytes):
        raise TypesettingError(f"The template {name} gave no file.")
    return made


def _fixed_offset(time: dt.datetime) -> dt.datetime:
    """Return the same moment with a fixed offset, which the compiler wants, without fractions of a second."""
    offset = time.utcoffset() or dt.timedelta()
    return time.replace(microsecond=0).astimezone(dt.timezone(offset))


def _plain(value: Any, where: str, pictures: list[bytes]) -> Any:
    """Return a value as JSON; pictures are collected and replaced by their paths."""
    if isinstance(value, str):
        for character in missing_characters(value):
            raise MissingGlyphError(character, where, value)
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        pictures.append(value)
        return f"/picture_{len(pictures) - 1}"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item, _below(where, key), pictures) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item, _below(where, index), pictures) for index, item in enumerate(value)]
    raise TypesettingError(f"The data of a document have {type(value).__name__} in {where}; expected text or numbers.")


def _below(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
