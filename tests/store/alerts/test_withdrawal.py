"""Withdrawn comparisons no longer count, whether they saw a change or showed that nothing is there."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sqlalchemy import select

from configs.service import ServiceSettings
from errors import Reason
from store.alerts.placed_changes import DetectedChange, place_changes
from store.alerts.recording import record_changes
from store.alerts.transitions import append_transition
from store.alerts.withdrawal import withdraw_alerts
from store.scans.withdrawn_scans import withdraw_scans
from store.schema.database import Session
from store.schema.tables import AlertRow, SceneRow
from tests.databases import embedded_database
from tests.store.sample_rows import NOW, VILLAGE, add_scan, add_scene, change

SETTINGS = ServiceSettings()
MONTHS = [dt.date(2026, month, 1) for month in (3, 4, 5, 6)]


def record(session: Session, before: SceneRow, after: SceneRow, *changes: DetectedChange) -> None:
    scan = add_scan(session, before, after, state="done", result={})
    placed = place_changes(session, list(changes), area_code=VILLAGE, on=after.date, settings=SETTINGS.alerts)
    record_changes(session, scan, placed, SETTINGS, NOW)


def test_works_that_only_withdrawn_comparisons_missed_stand_again(tmp_path: Path) -> None:
    database = embedded_database(tmp_path / "tuban.db")
    with database.write() as session:
        first, second, third, fourth = (add_scene(session, day) for day in MONTHS)
        record(session, first, second, change(1, 100, 100, 40))
        alert = session.scalars(select(AlertRow)).one()
        append_transition(session, alert, "triaged", who="li", role="county", why="", at=NOW)
        record(session, first, third)
        record(session, first, fourth)
        session.flush()
        assert alert.gone_on == MONTHS[2]  # two images in a row do not show it
        confidence = alert.confidence
        why = Reason("blurred", "image.withdrawn_why")
        scans = withdraw_scans(session, [fourth.id], why, NOW)
        assert withdraw_alerts(session, scans, why, who="li", settings=SETTINGS, now=NOW) == []
        assert alert.gone_on is None
        assert alert.confidence != confidence
    database.close()
