"""The hourly job of reports: planned once per hour by the schedule, it plans, fills, and keeps missing files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sqlalchemy import select, update

from configs.service import ServiceSettings
from service.context import Context, JobRun
from service.home import prepare_home
from service.job_registry import find_job_kind
from service.reports.schedule import HOURLY
from store.access.users import add_user, user_by_login, viewer_of
from store.reports.report_steps import approve, prepare
from store.schema.chain.report_tables import ReportRow
from store.schema.tables import Area, Job
from tests.databases import embedded_database
from tests.store.sample_alerts import add_village
from workers.runtime.schedule import PeriodicTasks

FRIDAY = dt.datetime(2026, 12, 4, 2, 0, tzinfo=dt.UTC)


def test_reports_are_planned_filled_and_kept_by_the_job_of_the_hour(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path)
    prepare_home(settings)
    context = Context(settings, embedded_database(tmp_path / "tuban.db"), clock=lambda: FRIDAY)
    tasks = PeriodicTasks(context, "test", seconds=lambda: 0.0)
    tasks._plan_reports(FRIDAY)
    with context.database.write() as session:
        assert session.scalars(select(Job.kind)).all() == []  # there is nobody yet
        add_village(session)
        session.execute(update(Area).values(loaded_at=FRIDAY - dt.timedelta(days=60)))
        for login in ("grid", "head"):
            add_user(
                session, login=login, name="", role="village", code="330106005201", administrator=False, now=FRIDAY
            )
    PeriodicTasks(context, "test", seconds=lambda: 0.0)._plan_reports(FRIDAY)
    PeriodicTasks(context, "other", seconds=lambda: 0.0)._plan_reports(FRIDAY)
    run = JobRun(1, {}, 1, lambda _: None, lambda: False)
    handler = find_job_kind(HOURLY).handler
    with context.database.write() as session:
        assert session.scalars(select(Job.kind)).all() == [HOURLY]
        commit = handler(context, run)
        assert commit is not None
        commit(session)
        row = session.scalars(select(ReportRow).where(ReportRow.kind == "village_week")).one()
        people = {login: user_by_login(session, login) for login in ("grid", "head")}
        viewers = {login: viewer_of(user) for login, user in people.items() if user is not None}
        prepare(session, row, viewers["grid"], {}, FRIDAY)
        approve(session, row, viewers["head"], FRIDAY)
    handler(context, run)
    with context.database.read() as session:
        files = session.scalars(select(ReportRow.files).where(ReportRow.kind == "village_week")).one()
    assert {name: context.objects.exists(file["key"]) for name, file in files.items()} == {
        "xlsx": True,
        "docx": True,
        "pdf": True,
    }
    context.database.close()
