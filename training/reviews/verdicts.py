"""Verdicts on numbered alerts, read from a spreadsheet with the columns ``number,verdict``."""

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

    Rows without a verdict are unreviewed and skipped; other columns, for example remarks, are ignored. Separators are
    comma, semicolon or tab; encodings UTF-8, UTF-16 or GBK, as spreadsheets write them.

    Returns:
        verdict by alert number.

    Raises:
        SettingsError: the file or a column is missing, or a row is not valid; the message names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The verdicts {path} cannot be read ({error.strerror}).") from error
    text = _decode(data, path)
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
        raise SettingsError(f"Line {rows.line_num} of {path} is not a valid CSV row ({error}).") from error
    if not verdicts:
        raise SettingsError(f"{path} holds no verdict; expected rows like '3,true' under the heading 'number,verdict'.")
    return verdicts


def _decode(data: bytes, path: Path) -> str:
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # Chinese spreadsheets save as GBK (a subset of GB 18030) by default
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SettingsError(f"The verdicts {path} are not text; save the spreadsheet as CSV (UTF-8).")


def _columns(cells: list[str], path: Path) -> list[int]:
    names = [cell.lower() for cell in cells]
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise SettingsError(
            f"{path} has no column {' and no column '.join(map(repr, missing))}. Expected the columns number and "
            f"verdict; the first line is {', '.join(map(repr, cells[:8]))}."
        )
    return [names.index(name) for name in _COLUMNS]


def _add(verdicts: dict[int, bool], number: str, verdict: str, location: str) -> None:
    """Add a row; ``location`` names its line in messages."""
    value = verdict.lower()
    if value not in CONFIRMS + REJECTS:
        raise SettingsError(
            f"{location} has the verdict {verdict!r}; expected one of {', '.join(CONFIRMS)} or {', '.join(REJECTS)}, "
            "or an empty cell if the alert was not reviewed."
        )
    if not (number.isascii() and number.isdigit()):
        raise SettingsError(f"{location} has the number {number!r}; expected an alert number of the report, like 3.")
    confirmed = value in CONFIRMS
    if verdicts.setdefault(int(number), confirmed) != confirmed:
        raise SettingsError(f"{location} contradicts an earlier line about number {number}.")
