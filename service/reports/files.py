"""Files of reports: kept with their checksums once a report is submitted, made on demand before."""

from __future__ import annotations

import tempfile
from pathlib import Path

from service.context import Context
from service.reports.rendering import report_name, shown_report, store_files, write_report
from store.areas.areas import area_names
from store.objects.object_store import ObjectNotFound
from store.reports.filling import SUBMITTED
from store.reports.report_rows import report_by_id
from store.reports.report_steps import set_files
from store.schema.chain.report_tables import ReportRow
from store.schema.database import Session

KEPT_LANGUAGE = "zh"
"""Language of the files that are kept."""


def report_file(
    context: Context, session: Session, row: ReportRow, file_format: str, language: str
) -> tuple[str, bytes]:
    """Return name and content of a report's file: the kept one in Chinese, else a new one."""
    area = area_names(session, [row.area_code]).get(row.area_code, row.area_code)
    name = f"{report_name(row.kind, area, row.last_day, language)}.{file_format}"
    kept = row.files.get(file_format)
    if kept and language == KEPT_LANGUAGE:
        try:
            return name, context.objects.read(str(kept["key"]))
        except ObjectNotFound:
            pass  # the nightly check reports it
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"report.{file_format}"
        write_report(shown_report(session, row, language, context.settings.zone), file_format, path)
        return name, path.read_bytes()


def store_missing_files(context: Context, report_id: int) -> bool:
    """Keep the files of a submitted report that has none; return whether they were kept now.

    They are written outside of a transaction: setting a page takes longer than others should wait.
    """
    with context.database.read() as session:
        row = report_by_id(session, report_id)
        if row is None or row.state not in SUBMITTED or row.files:
            return False
        sha256 = row.content_sha256
        report = shown_report(session, row, KEPT_LANGUAGE, context.settings.zone)
    files = store_files(context.objects, report_id, report)
    with context.database.write() as session:
        row = report_by_id(session, report_id, lock=True)
        if row is None or row.content_sha256 != sha256:
            return False
        set_files(session, row, files, context.clock())
    return True
