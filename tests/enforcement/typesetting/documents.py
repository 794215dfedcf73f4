"""Small documents for the tests of typesetting, and what poppler reads in their PDF."""

from __future__ import annotations

import datetime as dt
import html
import re
import subprocess
from typing import Any

from enforcement.reports.sheet import Column, Row, Sheet, Signature, Total

MOMENT = dt.datetime(2026, 11, 24, 9, tzinfo=dt.timezone(dt.timedelta(hours=8)))
COLUMNS = (
    Column("no", "序号", kind="whole", width=5),
    Column("village", "村", width=12),
    Column("area", "占地面积", group="面积", unit="亩", kind="number", width=10),
    Column("farm", "其中耕地", group="面积", unit="亩", kind="number", width=10),
    Column("found", "发现时间", kind="date", width=12),
)


def sheet(rows: int = 2, **other: Any) -> Sheet:
    default: dict[str, Any] = {
        "title": "动态巡查周报表",
        "columns": COLUMNS,
        "rows": tuple(Row((number, "东穆坞村", 2.5, 1.0, dt.date(2026, 11, 20))) for number in range(1, rows + 1)),
        "heading": (("填报单位", "留下街道"), ("应报村数", "12")),
        "totals": (Total("合计", {"area": 2.5 * rows, "farm": 1.0 * rows}),),
        "notes": ("面积为椭球面积。",),
        "signatures": (Signature("填报人", "王工"), Signature("审核人")),
        "status": "草稿",
    }
    return Sheet(**{**default, **other})


def lines_of(pdf: bytes) -> list[str]:
    """Return the lines of all pages by the position of their words: poppler's own lines break at narrow punctuation."""
    read = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=pdf, capture_output=True, check=True)
    lines: list[str] = []
    last = (0, -1)
    for page, words in enumerate(read.stdout.decode().split("<page ")[1:]):
        found = re.findall(r'xMin="([\d.-]+)" yMin="([\d.-]+)".*?>(.*?)</word>', words)
        placed = [(float(y), float(x), html.unescape(word)) for x, y, word in found]
        for y, _, word in sorted(placed, key=lambda each: (round(each[0] / 3), each[1])):
            if (page, round(y / 3)) == last:
                lines[-1] += word
            else:
                lines.append(word)
            last = (page, round(y / 3))
    return lines


def text_of(pdf: bytes) -> str:
    """Return the text of all pages without white space."""
    return re.sub(r"\s", "", "".join(lines_of(pdf)))
