"""A report as sheet or bulletin, with names of areas and people, and as files."""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.texts import text
from enforcement.reports.build import Issue, build_bulletin, build_sheet
from enforcement.reports.bulletin import Bulletin
from enforcement.reports.checks import CheckResult
from enforcement.reports.content import Content, in_language
from enforcement.reports.layout import read_layout
from enforcement.reports.schedule import read_schedule
from enforcement.reports.sheet import Check, Sheet
from service.reports.pdf import report_pdf
from store.objects.object_store import ObjectStore
from store.reports.report_rows import corrected_content
from store.schema.chain.report_tables import ReportRow
from store.schema.database import Session
from store.views.alert_view import user_names

FORMATS = ("xlsx", "docx", "pdf")

MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}

_FINAL = ("submitted", "locked")


def report_name(kind: str, area: str, last: dt.date, language: str) -> str:
    """Return the name of a report's files, without an ending."""
    rule = read_schedule().reports.get(kind)
    name = kind if rule is None else getattr(rule, language)
    words = f"{area} {name} {last.isoformat()}"
    return "".join("_" if c in '\\/:*?"<>|' or not c.isprintable() else c for c in words)[:120]


def checks_of(row: ReportRow, language: str) -> list[Check]:
    """Return the checks of a report in words, with the reasons of people."""
    return [
        CheckResult(one["key"], bool(one["passed"]), one["numbers"]).words(
            language, str(row.check_reasons.get(one["key"], ""))
        )
        for one in row.checks
    ]


def shown_report(session: Session, row: ReportRow, language: str, zone: dt.tzinfo) -> Sheet | Bulletin:
    """Return a filled report as it is shown, with its corrections, checks and signatures."""
    content = corrected_content(session, row)
    names = user_names(session, {row.prepared_by, row.approved_by} - {""})
    day = row.submitted_at.astimezone(zone).date().isoformat() if row.submitted_at else ""
    values = {
        "prepared_by": names.get(row.prepared_by, row.prepared_by),
        "approved_by": names.get(row.approved_by, row.approved_by),
        "submitted_on": day,
        "day": day,
    }
    status = "" if row.state in _FINAL else text(f"reports.state_{row.state}", language)
    return build_report(row.kind, content, row.last_day, language, values, status, checks_of(row, language))


def build_report(
    kind: str,
    content: Content,
    last: dt.date,
    language: str,
    values: Mapping[str, Any] | None = None,
    status: str = "",
    checks: list[Check] | None = None,
) -> Sheet | Bulletin:
    """Return a content in the layout of its kind."""
    layout = read_layout(kind)
    area = str(in_language(content.values.get("area", ""), language))
    issue = Issue(report_name(kind, area, last, language), language, values or {}, status, checks or [])
    return build_sheet(layout, content, issue) if layout.table else build_bulletin(layout, content, issue)


def write_report(report: Sheet | Bulletin, file_format: str, path: Path) -> None:
    """Write a report as one file, whose path is overwritten.

    Raises:
        ValueError: the format is unknown.
    """
    if file_format == "pdf":
        path.write_bytes(report_pdf(report))
    elif file_format == "docx":
        from enforcement.reports.write_docx import write_docx

        write_docx(report, path)
    elif file_format == "xlsx":
        from enforcement.reports.write_xlsx import write_xlsx

        sheets = [report] if isinstance(report, Sheet) else sheets_of(report)
        write_xlsx(sheets, path)
    else:
        raise ValueError(file_format)


def sheets_of(bulletin: Bulletin) -> list[Sheet]:
    """Return the tables of a bulletin, each as a worksheet; its texts are the first one."""
    from enforcement.reports.bulletin_text import text_sheet

    tables = [section.sheet for section in bulletin.sections if section.sheet is not None]
    return [text_sheet(bulletin), *tables]


def store_files(objects: ObjectStore, report_id: int, report: Sheet | Bulletin) -> dict[str, dict[str, Any]]:
    """Write all files of a report into the object store; return key, checksum and size by format."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for file_format in FORMATS:
            path = Path(folder) / f"report.{file_format}"
            write_report(report, file_format, path)
            content = path.read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            key = f"reports/{report_id}/{sha256}.{file_format}"
            objects.put(key, content)
            found[file_format] = {"key": key, "sha256": sha256, "size": len(content)}
    return found
