"""Verdicts on numbered alerts from a spreadsheet: ``number,verdict``."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

from errors import SettingsError

CONFIRMS = ("true", "confirmed", "1", "yes", "是")
REJECTS = ("false", "rejected", "0", "no", "否")

_COLUMNS = ("number", "verdict")


def read_verdicts(path: Path) -> dict[int, bool]:
    """Read which alerts were confirmed (True) and which rejected (False).

    A row without a verdict was not reviewed and is left out; further columns, like remarks, are not looked at. Comma,
    semicolon and tab separate; UTF-8, UTF-16 and GBK are read, as spreadsheets write them.

    Raises:
        SettingsError: the file or a column is missing, or a row says something else; the message names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The verdicts {path} cannot be read ({error.strerror}).") from error
    text = _decoded(data, path)
    heading = text.lstrip("\r\n").partition("\n")[0]
    separator = max(",;\t", key=heading.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns: list[int] = []
    verdicts: dict[int, bool] = {}
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not columns:
                columns = _columns(cells, path)
                continue
            number, verdict = (cells[column] if column < len(cells) else "" for column in columns)
            if verdict:
                _add(verdicts, number, verdict, f"Line {rows.line_num} of {path}")
    except csv.Error as error:
        raise SettingsError(f"Line {rows.line_num} of {path} is no row of a CSV file ({error}).") from error
    if not verdicts:
        raise SettingsError(f"{path} holds no verdict; expected rows like '3,true' under the heading 'number,verdict'.")
    return verdicts


def _decoded(data: bytes, path: Path) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # the last is what spreadsheets in Chinese save when not asked for UTF-8
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SettingsError(f"The verdicts {path} are no text; save the spreadsheet as CSV (UTF-8).")


def _columns(cells: list[str], path: Path) -> list[int]:
    names = [cell.lower() for cell in cells]
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise SettingsError(
            f"{path} has no column {' and no column '.join(map(repr, missing))}; its first line is "
            f"{', '.join(map(repr, cells[:8]))}. Expected the columns number and verdict."
        )
    return [names.index(name) for name in _COLUMNS]


def _add(verdicts: dict[int, bool], number: str, verdict: str, where: str) -> None:
    said = verdict.lower()
    if said not in CONFIRMS + REJECTS:
        raise SettingsError(
            f"{where} has the verdict {verdict!r}; expected one of {', '.join(CONFIRMS)} or {', '.join(REJECTS)}, or "
            "nothing where the alert was not reviewed."
        )
    if not (number.isascii() and number.isdigit()):
        raise SettingsError(f"{where} has the number {number!r}; expected that of an alert in the report, like 3.")
    confirmed = said in CONFIRMS
    if verdicts.setdefault(int(number), confirmed) != confirmed:
        raise SettingsError(f"{where} says the opposite of an earlier line about number {number}.")
