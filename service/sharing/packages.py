"""Write the nightly GeoPackage of each receiving body, and the CSV of each supplier, to ``shares/KEY`` in home."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog

from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.exports.vector_files import atomic_write
from enforcement.sharing.blacklist_files import csv_text
from enforcement.sharing.fields import shown_columns, shown_outline, shown_values
from enforcement.sharing.package import write_package
from service.context import Context
from store.alerts.outbox import announce_shares
from store.schema.chain.sharing_tables import BodyRow
from store.schema.database import Session
from store.sharing.access_log import record_read
from store.sharing.bodies import SUPPLIER, active_bodies
from store.sharing.service_stops import SUPPLIER_FIELDS, stops_for, supplier_values
from store.sharing.shares import apply_rules_to_all
from store.views.shared_alerts import all_shared_alerts

logger = structlog.get_logger("tuban.sharing")


def shares_folder(context: Context) -> Path:
    """Return the folder that holds a folder for each body."""
    return context.settings.home.resolve() / "shares"


def package_columns(body: BodyRow) -> list[str]:
    """Return the fields of a body's file, in order."""
    names = [column.name for column in shown_columns(body.fields) if column.name != "statement"]
    return [*names, *(["determination"] if "determination" in body.fields else []), "statement"]


def write_body_package(session: Session, body: BodyRow, path: Path) -> int:
    """Write what a body sees now as a GeoPackage and return the number of alerts; its folder exists."""
    texts = SheetTexts("zh")
    rows = (
        (
            shown_values(one.alert, one.determination, body.fields, texts),
            shown_outline(one.alert, body.fields),
        )
        for one in all_shared_alerts(session, body)
    )
    return write_package(rows, path, package_columns(body))


def stops_csv(session: Session, body: BodyRow, context: Context, language: str) -> tuple[str, int]:
    """Return the list of a supplier as CSV, and its number of places."""
    rows = [supplier_values(row).values() for row in stops_for(session, body, context.today)]
    headings = [names[0 if language == "zh" else 1] for names in SUPPLIER_FIELDS.values()]
    return csv_text(headings, rows), len(rows)


def write_all(context: Context) -> int:
    """Apply the rules of all bodies, write their files, and delete those of bodies that are no longer active.

    Returns:
        the number of files.
    """
    now, written = context.clock(), 0
    with context.database.write() as session:
        announce_shares(session, apply_rules_to_all(session, now), context.settings, now)
    with context.database.read() as session:
        bodies = [*active_bodies(session), *active_bodies(session, suppliers=True)]
        session.expunge_all()
    root = shares_folder(context)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in root.iterdir():
        if left.is_dir() and left.name not in {body.key for body in bodies}:
            shutil.rmtree(left, ignore_errors=True)
    for body in bodies:
        folder = root / body.key
        folder.mkdir(mode=0o750, exist_ok=True)
        with context.database.read() as session:
            if body.kind == SUPPLIER:
                text, rows = stops_csv(session, body, context, "zh")
                name = f"{body.key}.csv"
                with atomic_write(folder / name) as temporary:
                    temporary.write_text(text, encoding="utf-8", newline="")
            else:
                name = f"{body.key}.gpkg"
                rows = write_body_package(session, body, folder / name)
        (folder / name).chmod(0o640)
        with context.database.write() as session:
            record_read(session, body, who="system", channel="file", what=name, rows=rows, now=context.clock())
        logger.info("wrote the file of a receiving body", body=body.key, rows=rows)
        written += 1
    return written
