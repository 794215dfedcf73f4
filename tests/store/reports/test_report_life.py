"""Life of reports: planned by the schedule, filled, signed by two people, submitted, summed up, returned, locked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from errors import SettingsError
from store.access.rights import Viewer
from store.access.users import add_user, user_by_login, viewer_of
from store.alerts.transitions import append_transition
from store.reports.decisions import add_decision, decision_rows, end_decision
from store.reports.planning import fill_ended, fill_report, plan_reports, report_of
from store.reports.report_messages import write_report_messages
from store.reports.report_rows import (
    broken_step,
    check_report_chains,
    corrected_content,
    list_reports,
    steps_of,
    visible_report,
)
from store.reports.report_steps import ReportError, approve, correct, lock, prepare, send_back
from store.schema.chain.message_tables import MessageRow
from store.schema.chain.report_tables import ReportRow, ReportStepRow
from store.schema.database import Database, Session
from store.schema.tables import Area
from store.schema.user_tables import Action
from tests.databases import embedded_database
from tests.store.sample_alerts import add_alert, add_village

ZONE = ZoneInfo("Asia/Shanghai")
VILLAGE, TOWN = "330106005201", "330106005"
WEDNESDAY = dt.datetime(2026, 12, 2, 8, 0, tzinfo=dt.UTC)
FRIDAY = dt.datetime(2026, 12, 4, 2, 0, tzinfo=dt.UTC)  # ten in the morning; counted up to nine
LATER = FRIDAY + dt.timedelta(hours=5)  # after the villages' time
PEOPLE = {
    "grid": ("village", VILLAGE),
    "head": ("village", VILLAGE),
    "clerk": ("township", TOWN),
    "leader": ("township", TOWN),
    "county": ("county", "330106"),
    "elsewhere": ("county", "330110"),
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = embedded_database(tmp_path / "tuban.db")
    with database.write() as session:
        add_village(session)
        session.execute(update(Area).values(loaded_at=WEDNESDAY - dt.timedelta(days=60)))
        for login, (role, code) in PEOPLE.items():
            add_user(session, login=login, name=login, role=role, code=code, administrator=False, now=WEDNESDAY)
        alert = add_alert(session)
        for state in ("new", "triaged", "published", "dispatched"):
            who = "system" if state == "new" else "county"
            append_transition(session, alert, state, who=who, role=who, why="", at=WEDNESDAY)
        plan_reports(session, WEDNESDAY, ZONE)
    yield database
    database.close()


def _viewer(session: Session, login: str) -> Viewer:
    user = user_by_login(session, login)
    assert user is not None
    return viewer_of(user)


def _report(session: Session, kind: str) -> ReportRow:
    return session.scalars(select(ReportRow).where(ReportRow.kind == kind)).one()


def _submit(session: Session, kind: str, first: str, second: str, now: dt.datetime, **reasons: str) -> ReportRow:
    row = _report(session, kind)
    prepare(session, row, _viewer(session, first), reasons, now)
    approve(session, row, _viewer(session, second), now)
    return row


def test_the_weekly_chain_ends_with_equal_sums_and_locked_sheets(database: Database) -> None:
    with database.write() as session:
        assert fill_ended(session, FRIDAY, ZONE) >= 3
        village = _submit(session, "village_week", "grid", "head", FRIDAY)
        assert (village.state, village.late, len(village.content_sha256)) == ("submitted", False, 64)
        town = _submit(session, "township_week", "clerk", "leader", LATER)
        assert (village.state, town.state) == ("locked", "submitted")
        (line,) = corrected_content(session, town).tables["lower_reports"]
        assert {name: line.values[name] for name in ("due", "submitted", "zero", "added", "closing")} == {
            "due": 1,
            "submitted": 1,
            "zero": 0,
            "added": 1,
            "closing": 1,
        }
        assert all(check["passed"] for check in town.checks)
        steps = steps_of(session, village.id)
        assert [step.what for step in steps] == ["planned", "filled", "prepared", "submitted", "locked"]
        assert broken_step(steps) is None
    assert check_report_chains(database) == []
    with database.read() as session:
        done = session.scalars(select(Action.what).where(Action.code == VILLAGE).order_by(Action.id)).all()
        assert done == ["report_prepared", "report_submitted"]
    with database.write() as session:
        session.execute(update(ReportStepRow).where(ReportStepRow.what == "submitted").values(who="other"))
    with database.read() as session:
        changed = _report(session, "village_week").id
        assert broken_step(steps_of(session, changed)) == 4
    assert f"The log of report {changed} is broken at step 4" in check_report_chains(database)


def test_planning_again_adds_nothing(database: Database) -> None:
    with database.write() as session:
        assert plan_reports(session, WEDNESDAY + dt.timedelta(hours=1), ZONE) == 0


def test_who_prepared_a_report_does_not_approve_it_and_nobody_signs_before_the_end(database: Database) -> None:
    with database.write() as session:
        row = _report(session, "village_week")
        grid, head = _viewer(session, "grid"), _viewer(session, "head")
        fill_report(session, row, WEDNESDAY, ZONE)
        with pytest.raises(ReportError, match="not ended"):
            prepare(session, row, grid, {}, WEDNESDAY)
        assert fill_ended(session, FRIDAY, ZONE) >= 1  # also those that were looked at before
        with pytest.raises(ReportError, match="role"):
            prepare(session, row, _viewer(session, "county"), {}, FRIDAY)
        prepare(session, row, grid, {}, FRIDAY)
        with pytest.raises(ReportError, match="another person"):
            approve(session, row, grid, FRIDAY)
        with pytest.raises(ReportError, match="prepared"):
            correct(session, row, head, address="alerts/x", field="party", words="x", reason="", now=FRIDAY)
        assert visible_report(session, _viewer(session, "elsewhere"), row.id) is None
        assert list_reports(session, _viewer(session, "elsewhere")) == []


def test_a_correction_keeps_the_original_and_a_failed_check_needs_a_reason(database: Database) -> None:
    with database.write() as session:
        fill_ended(session, FRIDAY, ZONE)
        row = _report(session, "village_week")
        grid = _viewer(session, "grid")
        (alert,) = corrected_content(session, row).tables["alerts"]
        at = {"address": f"alerts/{alert.key}", "field": "basic_mu", "now": FRIDAY}
        correct(session, row, grid, **at, words="9", reason="measured")  # type: ignore[arg-type]
        (corrected,) = corrected_content(session, row).tables["alerts"]
        assert (corrected.values["basic_mu"], corrected.originals) == (9.0, {"basic_mu": 0.0})
        with pytest.raises(ReportError, match=r"9\.00 > 1\.48"):
            prepare(session, row, grid, {}, FRIDAY)
        prepare(session, row, grid, {"farmland": "surveyed"}, FRIDAY)
        send_back(session, row, _viewer(session, "head"), "look again", FRIDAY)
        assert row.state == "returned"
        told = session.scalars(select(MessageRow.kind).where(MessageRow.kind != "dispatched")).all()
        assert told == ["report_returned"]
        correct(session, row, grid, **at, words=None, reason="")  # type: ignore[arg-type]
        assert corrected_content(session, row).tables["alerts"][0].originals == {}
        prepare(session, row, grid, {}, FRIDAY)
        approve(session, row, _viewer(session, "head"), LATER)
        assert row.late
        lock(session, row, _viewer(session, "clerk"), LATER)
        with pytest.raises(ReportError, match="locked"):
            send_back(session, row, _viewer(session, "clerk"), "too late", LATER)


def test_missing_villages_are_named_and_told_once(database: Database) -> None:
    with database.write() as session:
        fill_ended(session, FRIDAY, ZONE)
        town = _report(session, "township_week")
        with pytest.raises(ReportError, match=r"missing 1 \(东穆坞村\)"):
            prepare(session, town, _viewer(session, "clerk"), {"lower": "x"}, FRIDAY)
        assert write_report_messages(session, FRIDAY) == {"report_missing": 0, "report_missing_below": 0}
        assert write_report_messages(session, LATER) == {"report_missing": 2, "report_missing_below": 2}
        assert write_report_messages(session, LATER) == {"report_missing": 0, "report_missing_below": 0}


def test_the_bulletin_compares_quarters_and_follows_the_decisions(database: Database) -> None:
    with database.write() as session:
        county = _viewer(session, "county")
        day = dt.date(2026, 9, 28)
        words = {"meeting_on": day, "who": "留下街道", "what": "整改到位", "now": FRIDAY}
        with pytest.raises(SettingsError):
            add_decision(session, county, "330106", due_on=day - dt.timedelta(days=1), **words)  # type: ignore[arg-type]
        row = add_decision(session, county, "330106", due_on=dt.date(2026, 11, 30), **words)  # type: ignore[arg-type]
        end_decision(session, row, county, state="done", outcome="已拆除", today=FRIDAY.date(), now=FRIDAY)
        (decision,) = decision_rows(session, "330106", FRIDAY.date())
        assert decision.values["outcome"] == "已拆除"
        report, period = report_of(session, "quarter", "330106", FRIDAY.date(), FRIDAY, ZONE)
        fill_report(session, report, FRIDAY, ZONE)
        content = corrected_content(session, report)
        assert (period.first, period.last) == (dt.date(2026, 10, 1), dt.date(2026, 12, 31))
        assert (content.values["found"], content.values["found_last_quarter"]) == (1, 0)
        assert content.values["change_quarter"]["en"] == "from none"
        assert [line.values["area"] for line in content.tables["by_township"]] == ["留下街道"]
        assert sum(content.charts["months"]["series"][0]["values"]) == 1
        for kind in ("month", "ledger"):
            other, _ = report_of(session, kind, "330106", FRIDAY.date(), FRIDAY, ZONE)
            fill_report(session, other, FRIDAY, ZONE)
            assert other.state == "draft"
        ledger = corrected_content(session, other).tables["ledger"]
        assert ledger[0].values["determination"]["zh"] == "疑似（未认定）"
