"""What is purged leaves no personal data behind; holds, open and listed alerts beat every limit; chains verify."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import read_service
from service.context import Context
from service.disk_stages import disk_stage, needed_mib
from service.retention.categories import list_expired, purge
from store.access.audit_log import record_action
from store.alerts.log_verification import verify_log
from store.alerts.transitions import append_transition, steps_of
from store.evidence.evidence_files import Owner, ReceivedFile, add_file, new_uid
from store.retention.holds import place_hold, release_hold
from store.schema.chain.deadline_tables import SupervisionRow
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.message_tables import MessageRow
from store.schema.chain.retention_tables import PurgeRow
from store.schema.chain.tip_tables import TipRow
from store.schema.tables import AlertRow, Base, Transition
from store.schema.user_tables import User
from store.tips.informant_key import Informant, informant_key
from tests.databases import embedded_database
from tests.store.sample_alerts import add_village_with_alert
from tests.store.sample_rows import NOW

PHONE, NAME, NUMBER = "13800138000", "王小明", "330106T20260001"
OLD = NOW - dt.timedelta(days=400)


def service(tmp_path: Path, **retention: Any) -> Context:
    log = {"file": str(tmp_path / "tuban.log")}
    settings = read_service(home=tmp_path, retention=retention, log=log)
    return Context(settings, embedded_database(tmp_path / "tuban.db"), clock=lambda: NOW)


def add_closed_alert(context: Context) -> int:
    """Add an alert that was rejected long ago, with a photo."""
    alert_id = add_village_with_alert(context.database)
    context.objects.put("files/a.jpg", b"photo")
    with context.database.write() as session:
        alert = session.get_one(AlertRow, alert_id)
        if alert.state != "false_change":
            append_transition(session, alert, "new", who="system", role="system", why="scan", at=OLD)
            append_transition(
                session, alert, "false_change", who="li", role="county", why="shadow", at=OLD,
                evidence={"reason": "shadow"},
            )  # fmt: skip
        received = ReceivedFile(new_uid(), "photo", "files/a.jpg", "a" * 64, 5, "image/jpeg", "a.jpg")
        file = add_file(session, received, Owner(alert_id=alert_id), who="li", now=OLD)
        file.transition_id = session.scalars(select(Transition.id).where(Transition.alert_id == alert_id)).first()
    return alert_id


def add_answered_tip(session: Session, context: Context) -> None:
    """Add a tip that was answered long ago, and rows and log lines that repeat its informant."""
    informant = Informant(NAME, PHONE, "文一西路 100 号 3 单元")
    session.add(
        TipRow(
            number=NUMBER, origin="desk", channel="hotline", state="answered", area_code="330106005201",
            summary=f"{NAME} reports", received_on=OLD.date(),
            informant=informant_key(context.settings).encrypt(informant), answered_at=OLD, created_at=OLD,
            changed_at=OLD, assignment={"unit": "镇政府", "phone": PHONE},
        )
    )  # fmt: skip
    person = User(login="zhang", name="", role="county", code="", created_at=OLD)
    session.add(person)
    session.flush()
    session.add(
        MessageRow(
            event_key="e", person_id=person.id, kind="tip", code="", created_at=NOW,
            content={"tip": NUMBER, "from": f"{NAME} {PHONE}"},
        )
    )  # fmt: skip
    record_action(session, who="zhang", what="called", now=OLD, about=NUMBER, detail={"to": [NAME, PHONE]})
    Path(context.settings.log.file).write_text(f"called {PHONE} ({NAME})\nkept\n", encoding="utf-8")


def everything_stored(context: Context) -> str:
    """Return all rows of all tables, as Python prints them, and the log file."""
    with context.database.read() as session:
        rows = [str(row) for table in Base.metadata.sorted_tables for row in session.execute(select(table)).all()]
    return "\n".join(rows) + Path(context.settings.log.file).read_text("utf-8")


def count_of(context: Context, category: str) -> int:
    return next(one.count for one in list_expired(context) if one.category == category)


def test_a_purged_informant_remains_nowhere(tmp_path: Path) -> None:
    context = service(tmp_path, informant_days=365)
    with context.database.write() as session:
        add_answered_tip(session, context)
    assert NAME in everything_stored(context)
    assert count_of(context, "informants") == 1
    purge(context, "admin")
    left = everything_stored(context)
    assert (PHONE in left, NAME in left, "镇政府" in left, "kept" in left) == (False, False, True, True)
    with context.database.read() as session:
        [row] = session.scalars(select(PurgeRow))
        assert (row.category, row.count, row.who, row.detail["in_chains"]) == ("informants", 1, "admin", 0)


def test_a_purged_photo_keeps_its_checksum_and_the_chain_verifies(tmp_path: Path) -> None:
    context = service(tmp_path, photo_days=365)
    alert_id = add_closed_alert(context)
    [photos] = [one for one in list_expired(context) if one.count]
    assert (photos.category, photos.size, photos.oldest) == ("photos", 5, OLD)
    purge(context, "system")
    assert not context.objects.exists("files/a.jpg")
    with context.database.read() as session:
        file = session.scalars(select(EvidenceFile)).one()
        assert (file.state, file.sha256, file.name) == ("purged", "a" * 64, "")
        alert = session.get_one(AlertRow, alert_id)
        log = steps_of(session, alert)
        assert len(log) == 2
        assert verify_log(alert_id, alert.number, alert.state, log, "new") is None
    assert count_of(context, "photos") == 0


@pytest.mark.parametrize("kept_by", ["open", "listed", "alert", "area"])
def test_open_listed_and_held_alerts_are_never_listed(tmp_path: Path, kept_by: str) -> None:
    context = service(tmp_path, photo_days=365)
    alert_id = add_closed_alert(context)
    assert count_of(context, "photos") == 1
    hold = None
    with context.database.write() as session:
        alert = session.get_one(AlertRow, alert_id)
        if kept_by == "open":
            alert.state = "dispatched"
        elif kept_by == "listed":
            values: dict[str, Any] = {"listed_on": NOW.date(), "due_on": NOW.date(), "progress_due": NOW.date()}
            session.add(
                SupervisionRow(
                    alert_id=alert_id, listed_by="li", level="county", listed_at=NOW, duty_unit="x", requirements="x",
                    state="open", **values,
                )
            )  # fmt: skip
        else:
            code = {"alert": "", "area": "330106"}[kept_by]
            held = alert if kept_by == "alert" else None
            hold = place_hold(session, kind=kept_by, code=code, alert=held, reason="appeal", who="li", now=NOW)
            hold_id = hold.id
    assert count_of(context, "photos") == 0
    if hold is not None:
        with context.database.write() as session:
            release_hold(session, session.get_one(type(hold), hold_id), who="li", why="over", now=NOW)
        assert count_of(context, "photos") == 1


def test_without_limits_nothing_but_old_captures_is_listed(tmp_path: Path) -> None:
    context = service(tmp_path)
    add_closed_alert(context)
    assert [one.category for one in list_expired(context) if one.count] == []


def test_intake_stops_before_scans_and_deliveries_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_service(home=tmp_path, limits={"free_disk_mib": 100, "intake_disk_mib": 300})
    usage = dataclasses.make_dataclass("Usage", ["free"])
    stages = []
    for free in (400, 200, 50):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: usage(free * 2**20))
        stages.append(disk_stage(settings).name)
    assert stages == ["normal", "intake", "scans"]
    kinds = (("ingest", "ingest.file"), ("capture", "camera.capture"), ("scan", "scan.blocks"),
             ("deliver", "deliver"), ("ingest", "images.retention"))  # fmt: skip
    assert [needed_mib(settings, *kind)[0] for kind in kinds] == [300, 300, 100, 0, 0]
