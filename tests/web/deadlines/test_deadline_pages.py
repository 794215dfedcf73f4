"""Calendar, deadline of an alert, and listed supervision, as their pages change and show them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from service.context import Context
from service.job_registry import find_job_kind
from store.alerts.transitions import append_transition, steps_of
from store.schema.chain.deadline_tables import DeadlineLogRow, SupervisionEntryRow, SupervisionRow
from store.schema.chain.message_tables import MessageRow
from store.schema.tables import AlertRow, Job
from store.schema.user_tables import Action, User
from tests.web.conftest import NOW, Browser, SignIn
from tests.web.two_villages import NUMBERS, Villages
from tests.workers.messages.running import run_jobs

HTMX = {"hx-request": "true"}


@pytest.fixture
def sign_in(sign_in: SignIn) -> SignIn:
    """Browsers of users who have chosen English."""

    def in_english(login: str) -> Browser:
        browser = sign_in(login)
        browser.cookies.set("tuban_language", "en")
        return browser

    return in_english


def dispatch(service: Context, at: dt.datetime = NOW) -> AlertRow:
    """Move the alert of village a to dispatched: one working day to accept it."""
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == NUMBERS["a"])).one()
        for state in ("triaged", "published", "dispatched"):
            append_transition(
                session, alert, state, who="county", role="county", why="", at=at, zone=service.settings.zone
            )
        return alert


def due(service: Context) -> dt.date | None:
    with service.database.read() as session:
        return session.scalars(select(AlertRow.due_on).where(AlertRow.number == NUMBERS["a"])).one()


def test_a_changed_holiday_moves_running_deadlines_and_the_log_says_so(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    dispatch(service)
    assert due(service) == dt.date(2026, 11, 25)
    page = sign_in("admin").post(
        "/calendar", data={"year": "2026", "holidays": "2026-11-25 2026-11-26 测试假", "working_days": "2026-11-28"}
    )
    assert page.status_code == 200
    assert "being computed again" in page.text
    assert due(service) == dt.date(2026, 11, 25)  # until the job runs
    run_jobs(service)
    assert due(service) == dt.date(2026, 11, 27)
    with service.database.read() as session:
        of_calendar = select(DeadlineLogRow).join(AlertRow).where(DeadlineLogRow.kind == "calendar")
        (row,) = session.scalars(of_calendar.where(AlertRow.number == NUMBERS["a"]))
        changed = session.scalars(select(Action).where(Action.what == "changed_calendar")).one()
    assert (row.from_day, row.to_day, row.who) == (dt.date(2026, 11, 25), dt.date(2026, 11, 27), "admin")
    assert changed.detail["to"]["holidays"] == ["2026-11-25 测试假", "2026-11-26 测试假"]
    shown = sign_in("village_a").get(f"/alerts/{NUMBERS['a']}/deadline").text
    assert "2026-11-27" in shown
    assert "测试假" in shown
    assert "calendar changed: 2026-11-25 → 2026-11-27" in shown


def test_a_changed_holiday_moves_the_reply_dates_of_open_tips(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    town = sign_in("town")
    numbers = []
    for summary in ("a new hall beside the road", "a pond in the field"):
        given = {"channel": "hotline", "summary": summary, "place": "beside the bridge", "received_on": "2026-11-24"}
        numbers.append(town.post("/api/tips", json=given).json()["id"])
    for step in ({"step": "decline", "reason": "elsewhere"}, {"step": "answer", "words": "handed over"}):
        assert town.post(f"/api/tips/{numbers[1]}/steps", json=step).status_code == 200

    def judge_by(tip: int) -> str:
        return str(town.get(f"/api/tips/{tip}").json()["judge_by"])

    before = judge_by(numbers[1])
    assert judge_by(numbers[0]) == "2026-12-01"
    sign_in("admin").post("/calendar", data={"year": "2026", "holidays": "2026-11-25 2026-11-26 测试假"})
    run_jobs(service)
    assert judge_by(numbers[0]) == "2026-12-03"
    assert judge_by(numbers[1]) == before  # answered
    shown = town.get(f"/tips/{numbers[0]}").text
    assert "2026-12-01 → 2026-12-03" in shown
    assert "测试假, not counted" in shown


@pytest.mark.parametrize(
    ("holidays", "working_days", "says"),
    [
        ("next week", "", "is not a holiday"),
        ("2026-10-07 2026-10-01 国庆节", "", "ends before it begins"),
        ("2027-10-01", "", "not a day of 2026"),
        ("2026-10-01 国庆节", "2026-10-01", "listed twice"),
        ("", "10月10日", "is not a day"),
    ],
)
def test_invalid_holidays_are_explained(
    service: Context, sign_in: SignIn, holidays: str, working_days: str, says: str
) -> None:
    form = {"year": "2026", "holidays": holidays, "working_days": working_days}
    answer = sign_in("admin").post("/calendar", data=form, headers=HTMX)
    assert answer.status_code == 422
    assert says in answer.text


def test_only_administrators_of_a_county_or_above_change_the_calendar(service: Context, sign_in: SignIn) -> None:
    assert sign_in("town").post("/calendar", data={"year": "2026"}).status_code == 403
    assert sign_in("county").post("/calendar", data={"year": "2026"}).status_code == 200


def test_the_shipped_year_is_shown_with_make_up_days_and_the_missing_next_year_is_told(
    service: Context, sign_in: SignIn
) -> None:
    page = sign_in("village_a").get("/calendar").text
    assert 'title="国庆节"' in page
    assert "public holidays of 2027 are not entered" in page
    assert "<textarea" not in page


def test_supervision_from_listing_to_result(service: Context, villages: Villages, sign_in: SignIn) -> None:
    dispatch(service)
    county, admin, town = sign_in("county"), sign_in("admin"), sign_in("town")
    form = {"alert": NUMBERS["a"], "duty_unit": "留下街道", "requirements": "拆除并复耕", "due_on": "2027-01-23"}
    assert county.post("/supervision", data=form | {"due_on": "2027-01-24"}, headers=HTMX).status_code == 422  # 61 days
    assert town.post("/supervision", data=form, headers=HTMX).status_code == 409
    listed = county.post("/supervision", data=form, headers=HTMX)
    address = listed.headers["hx-redirect"]
    assert county.post("/supervision", data=form, headers=HTMX).status_code == 409  # once
    assert "拆除并复耕" in town.get(address).text
    assert town.post(f"{address}/progress", data={"text": "已约谈当事人"}).status_code == 200
    extension = {"day": "2027-02-10", "text": "冬季施工困难"}
    assert town.post(f"{address}/extension", data=extension | {"text": " "}, headers=HTMX).status_code == 422
    assert town.post(f"{address}/extension", data=extension).status_code == 200
    assert town.post(f"{address}/decision", data={"granted": "true"}, headers=HTMX).status_code == 409
    assert admin.post(f"{address}/decision", data={"granted": "true", "text": "同意"}).status_code == 200
    ended = county.post(f"{address}/result", data={"text": "已拆除"})
    assert "已拆除" in ended.text
    assert town.post(f"{address}/progress", data={"text": "x"}, headers=HTMX).status_code == 409
    with service.database.read() as session:
        row = session.scalars(select(SupervisionRow)).one()
        kinds = list(session.scalars(select(SupervisionEntryRow.kind).order_by(SupervisionEntryRow.id)))
        told = session.execute(select(User.login, MessageRow.kind).join(User, User.id == MessageRow.person_id)).all()
    assert (row.state, row.due_on, row.progress_due) == ("ended", dt.date(2027, 2, 10), dt.date(2026, 12, 1))
    assert kinds == ["listed", "progress", "request", "granted", "result"]
    assert ("town", "supervision_listed") in told
    assert ("county", "supervision_answer") in told


def test_a_supervised_alert_says_so_in_the_list_and_on_its_page(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    dispatch(service)
    county, village, number = sign_in("county"), sign_in("village_a"), NUMBERS["a"]
    offered = county.get(f"/alerts/{number}/data").json()["supervision"]
    assert offered["address"] == f"/supervision?alert={number}#add"
    assert village.get(f"/alerts/{number}/data").json()["supervision"] is None
    form = {"alert": number, "duty_unit": "town", "requirements": "stop the works", "due_on": "2026-12-20"}
    assert county.post("/supervision", data=form).status_code == 204
    shown = village.get(f"/alerts/{number}/data").json()["supervision"]
    assert (shown["words"], shown["late"]) == ("progress due 2026-12-01, limit 2026-12-20", False)
    todo = village.get("/todo").text
    assert f'href="{shown["address"]}"' in todo
    assert "progress by" in todo
    with service.database.write() as session:
        session.scalars(select(SupervisionRow)).one().progress_due = NOW.date() - dt.timedelta(days=1)
    assert f'href="{shown["address"]}" class="late"' in village.get("/todo").text


def test_the_day_escalates_what_is_overdue_and_tells_both_levels_once(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    dispatch(service, NOW - dt.timedelta(days=4))  # due on Monday the 23rd
    for _ in range(2):
        run_day(service, dt.date(2026, 11, 24))
    with service.database.read() as session:
        told: list[Any] = session.execute(
            select(User.login, MessageRow.kind, MessageRow.content)
            .join(User, User.id == MessageRow.person_id)
            .where(MessageRow.kind.in_(("overdue", "overdue_below")))
        ).all()
        escalated = session.scalars(select(DeadlineLogRow).where(DeadlineLogRow.kind == "escalated")).all()
    assert sorted((login, kind) for login, kind, _ in told) == [("town", "overdue_below"), ("village_a", "overdue")]
    assert [row.detail["level"] for row in escalated] == ["township"]
    assert NUMBERS["a"] in sign_in("town").get("/inbox").text
    assert NUMBERS["a"] not in sign_in("village_b").get("/inbox").text


def run_day(service: Context, day: dt.date) -> None:
    """Run the job of a day once more."""
    from service.context import JobRun

    run = JobRun(1, {"day": day.isoformat()}, 1, lambda _: None, lambda: False)
    commit = find_job_kind("deadlines.day").handler(service, run)
    assert commit is not None
    with service.database.write() as session:
        commit(session)


def test_the_steps_of_an_undone_dispatch_are_withdrawn_from_the_message(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    from store.alerts.transitions import undo_transition

    dispatch(service)
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == NUMBERS["a"])).one()
        assert len(steps_of(session, alert)) == 4
        undo_transition(
            session, alert, who="county", role="county", at=NOW, within=dt.timedelta(minutes=10), zone=dt.UTC
        )
    run_jobs(service, later=dt.timedelta(minutes=2))
    assert "(withdrawn)" in sign_in("village_a").get("/inbox").text
    with service.database.read() as session:
        assert session.scalars(select(Job).where(Job.kind == "messages.send")).all() == []
