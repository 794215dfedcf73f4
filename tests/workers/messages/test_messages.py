"""Messages to people: who is told, by which channel, when, and what is known of it afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from configs.service import ServiceSettings
from service.context import Context
from service.messages.schedule import add_daily_job
from store.access.users import add_user, user_by_login, viewer_of
from store.alerts.transitions import append_transition
from store.messages.inbox import inbox_messages, messages_about, sent_messages, unread_count
from store.messages.preferences import Preferences, save_preferences
from store.messages.writing import write_message
from store.schema.chain.message_tables import MessageRow, SendingRow
from store.schema.tables import AlertRow, Job
from store.schema.user_tables import User
from store.tips.informant_key import Informant, informant_key
from store.tips.tip_steps import NewTip, add_tip
from tests.databases import embedded_database
from tests.store.alerts.test_transitions import add_alert
from tests.workers.messages.running import run_jobs
from tests.workers.messages.servers import LOOPBACK, MailServer, RobotServer, mail_server, robot_server
from workers.messages.robots import sign_dingtalk

NOW = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)  # nine in the morning in Shanghai
MINUTE = dt.timedelta(minutes=1)
VILLAGE, TOWNSHIP, COUNTY = "330106005201", "330106005", "330106"
PEOPLE = {
    "cun": ("village", VILLAGE),
    "cun_b": ("village", "330106005202"),
    "zhen": ("township", TOWNSHIP),
    "xian": ("county", COUNTY),
}
SECRET = "SEC0123456789abcdef"


class Clock:
    """The time of the test."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def robots() -> Iterator[RobotServer]:
    with robot_server() as server:
        yield server


@pytest.fixture
def context(tmp_path: Path, mail: MailServer, robots: RobotServer) -> Iterator[Context]:
    notices: dict[str, Any] = {
        "mail": {
            "host": "127.0.0.1",
            "port": mail.port,
            "security": "none",
            "sender": "tuban@bureau.example",
            "recipients": ["duty@bureau.example"],
        },
        "robots": [
            {"kind": "dingtalk", "name": "镇群", "code": TOWNSHIP, "token": "a token of it", "secret": SECRET},
            {"kind": "wecom", "name": "县群", "code": COUNTY, "token": "key of the county"},
        ],
        "robot_servers": {
            "dingtalk": robots.url("/robot/send"),
            "wecom": robots.url("/cgi-bin/webhook/send"),
            "per_minute": 4,
            "wecom_bytes": 300,
        },
        "people_hooks": [{"url": robots.url("/hook"), "secret": "a secret of some length", "code": COUNTY}],
        "backoff_seconds": [30],
        "attempts": 3,
    }
    settings = ServiceSettings.model_validate(
        {"home": tmp_path / "home", "notices": notices, "delivery": {"allowed_hosts": LOOPBACK}}
    )
    (tmp_path / "home").mkdir()
    context = Context(settings, embedded_database(tmp_path / "home" / "tuban.db"), clock=Clock())
    with context.database.write() as session:
        for login, (role, code) in PEOPLE.items():
            add_user(session, login=login, name=login, role=role, code=code, now=NOW)
    yield context
    context.database.close()


def prefer(context: Context, login: str, **given: Any) -> None:
    with context.database.write() as session:
        user = user_by_login(session, login)
        assert user is not None
        save_preferences(session, user.id, Preferences(**given), NOW)


def new_alert(context: Context, *states: str, number: str = "330106U2026110001", who: str = "xian") -> str:
    """An alert of the village that went through states; the last step is made by ``who``."""
    with context.database.write() as session:
        alert = add_alert(session, number)
        alert.county_code, alert.township_code, alert.grid_code = COUNTY, TOWNSHIP, VILLAGE
        move(context, alert, session, "new", "system", "system")
        for state in states:
            move(context, alert, session, state, who, "county")
    return number


def move(context: Context, alert: AlertRow, session: Any, state: str, who: str, role: str) -> None:
    append_transition(
        session,
        alert,
        state,
        who=who,
        role=role,
        why="边界不清" if state == "returned" else "",
        at=context.clock(),
        evidence={"reason": "边界不清"},
        zone=context.settings.zone,
    )


DISPATCHED = ("triaged", "published", "dispatched")


def dispatch_many(context: Context, count: int) -> None:
    """Tell the village of many dispatched alerts in one transaction."""
    with context.database.write() as session:
        cun = session.scalars(select(User).where(User.login == "cun")).one()
        for index in range(count):
            content = {"alert": f"330106U20261100{index:02d}", "due": "2026-11-25"}
            write_message(session, [cun], "dispatched", event=f"e{index}", now=NOW, content=content)


def messages(context: Context) -> list[tuple[str, str]]:
    with context.database.read() as session:
        query = select(User.login, MessageRow.kind).join(User, User.id == MessageRow.person_id)
        return sorted((login, kind) for login, kind in session.execute(query))


def sendings(context: Context) -> list[SendingRow]:
    with context.database.read() as session:
        return list(session.scalars(select(SendingRow).order_by(SendingRow.id)))


def test_a_dispatched_alert_is_told_to_its_village_by_all_chosen_channels(
    context: Context, mail: MailServer, robots: RobotServer
) -> None:
    prefer(context, "cun", email="cun@bureau.example", mobile="13800000000")
    number = new_alert(context, *DISPATCHED)
    assert messages(context) == [("cun", "dispatched")]
    assert run_jobs(context) == []  # within the same minute, others may follow
    run_jobs(context, MINUTE)
    ((recipient, message_id, subject, text),) = mail.received
    assert (recipient, subject) == ("cun@bureau.example", "【图斑】1 条通知：下发 1")
    assert f"图斑 {number} 已下发，请于 2026-11-25 前签收办理。" in text
    by_path = {path: (query, body) for path, query, body in robots.requests}
    query, body = by_path["/robot/send"]
    timestamp = int(query["timestamp"][0])
    assert query["sign"] == [sign_dingtalk(SECRET, timestamp)]
    assert query["access_token"] == ["a token of it"]
    assert body["at"] == {"atMobiles": ["13800000000"], "isAtAll": False}
    assert body["text"]["content"].startswith("@13800000000 ")
    assert by_path["/cgi-bin/webhook/send"][1]["text"]["mentioned_mobile_list"] == ["13800000000"]
    assert by_path["/hook"][1]["data"]["subject"] == subject
    rows = sendings(context)
    assert {(row.channel, row.state) for row in rows} == {
        (channel, "accepted") for channel in ("mail", "dingtalk", "wecom", "hook")
    }
    assert message_id == f"<{next(row.sending_key for row in rows if row.channel == 'mail')}@tuban.invalid>"
    with context.database.read() as session:  # accepted by servers, read by nobody
        cun = viewer_of(session.scalars(select(User).where(User.login == "cun")).one())
        assert unread_count(session, cun) == 1


def test_many_dispatched_at_once_are_one_text_split_by_bytes(
    context: Context, mail: MailServer, robots: RobotServer
) -> None:
    prefer(context, "cun", email="cun@bureau.example", channels=("mail", "wecom"))
    dispatch_many(context, 42)
    for passed in range(1, 12):
        run_jobs(context, passed * MINUTE)
    ((_, _, subject, text),) = mail.received
    assert subject == "【图斑】42 条通知：下发 42"
    assert "另有 2 条" in text
    parts = [body["text"]["content"] for _, _, body in robots.requests]
    assert len(parts) > 5
    assert all(len(part.encode()) <= 300 for part in parts)
    assert [part.split("\n")[0] for part in parts] == [f"({n}/{len(parts)})" for n in range(1, len(parts) + 1)]
    assert all(row.state == "accepted" for row in sendings(context))


def test_a_robot_gets_no_more_requests_a_minute_than_allowed(context: Context, robots: RobotServer) -> None:
    prefer(context, "cun", channels=("wecom",))
    dispatch_many(context, 20)
    counts = []
    for passed in range(1, 12):
        run_jobs(context, passed * MINUTE + dt.timedelta(seconds=passed))
        counts.append(len(robots.requests))
    steps = [later - earlier for earlier, later in zip([0, *counts], counts, strict=False)]
    assert max(steps) == 4
    assert all(row.state == "accepted" for row in sendings(context))


@pytest.mark.parametrize(("errcode", "attempts"), [(310000, 3), (130101, 3)])
def test_an_errcode_is_a_refusal_although_the_status_is_200(
    context: Context, robots: RobotServer, errcode: int, attempts: int
) -> None:
    robots.errcode = errcode
    prefer(context, "cun", channels=("dingtalk",))
    new_alert(context, *DISPATCHED)
    for passed in range(1, 40):
        run_jobs(context, passed * MINUTE)
    (row,) = sendings(context)
    assert (row.state, row.attempts, row.accepted_at) == ("dead", attempts, None)
    assert f"errcode {errcode}" in row.answer
    assert "token" not in row.answer


def test_mail_that_the_server_refuses_is_tried_again(context: Context, mail: MailServer) -> None:
    mail.refuse = "451 try later"
    prefer(context, "cun", email="cun@bureau.example", channels=("mail",))
    new_alert(context, *DISPATCHED)
    run_jobs(context, MINUTE)
    (row,) = sendings(context)
    assert (row.state, row.attempts) == ("waiting", 1)
    assert "451" in row.answer
    mail.refuse = ""
    run_jobs(context, 2 * MINUTE)
    assert [row.state for row in sendings(context)] == ["accepted"]
    assert len(mail.received) == 1


def test_returned_cannot_be_muted_and_takes_all_channels_that_reach_the_person(
    context: Context, mail: MailServer, robots: RobotServer
) -> None:
    prefer(context, "cun", email="cun@bureau.example", channels=(), muted=("dispatched", "returned"), once_a_day=True)
    new_alert(context, *DISPATCHED)
    run_jobs(context, MINUTE)
    assert sendings(context) == []
    new_alert(context, "bad_imagery", "returned", number="330106U2026110002")
    run_jobs(context, 2 * MINUTE)
    assert {row.channel for row in sendings(context)} == {"mail", "dingtalk", "wecom", "hook"}
    assert "退回" in mail.received[0][2]
    assert "下发" not in mail.received[0][2]
    with context.database.read() as session:
        cun = viewer_of(session.scalars(select(User).where(User.login == "cun")).one())
        assert {each.message.kind for each in inbox_messages(session, cun)} == {"dispatched", "returned"}


def test_a_message_that_commits_after_the_texts_of_its_minute_is_not_lost(context: Context, mail: MailServer) -> None:
    prefer(context, "cun", email="cun@bureau.example", channels=("mail",))
    for number, minutes in (("330106U2026110001", 2), ("330106U2026110002", 4)):  # both at nine
        new_alert(context, *DISPATCHED, number=number)
        run_jobs(context, minutes * MINUTE)
    assert [subject for _, _, subject, _ in mail.received] == ["【图斑】1 条通知：下发 1"] * 2


def test_nothing_is_sent_in_quiet_hours_but_after_them(context: Context, mail: MailServer) -> None:
    prefer(
        context, "cun", email="cun@bureau.example", channels=("mail",), quiet_from="08:30", quiet_to="09:30"
    )  # now it is nine
    new_alert(context, *DISPATCHED)
    run_jobs(context, 2 * MINUTE)
    assert mail.received == []
    run_jobs(context, 29 * MINUTE)
    assert mail.received == []
    run_jobs(context, 31 * MINUTE)
    assert len(mail.received) == 1


def test_steps_of_the_night_wait_for_the_digest(context: Context, mail: MailServer) -> None:
    prefer(context, "cun", email="cun@bureau.example", channels=("mail",))
    with context.database.write() as session:
        alert = add_alert(session, "330106U2026110003")
        alert.county_code, alert.township_code, alert.grid_code = COUNTY, TOWNSHIP, VILLAGE
        move(context, alert, session, "new", "system", "system")
        move(context, alert, session, "false_change", "xian", "county")
        move(context, alert, session, "returned", "system", "system")
    run_jobs(context, 10 * MINUTE)
    assert messages(context) == [("cun", "returned")]
    assert mail.received == []
    with context.database.write() as session:
        add_daily_job(session, dt.date(2026, 11, 24), context.clock())
    run_jobs(context, 11 * MINUTE)
    assert [subject for _, _, subject, _ in mail.received] == ["【图斑】1 条通知：退回 1"]


def test_an_overdue_tip_is_sent_with_the_digest_though_the_person_mutes_what_can_be_muted(
    context: Context, mail: MailServer
) -> None:
    prefer(context, "zhen", email="zhen@bureau.example", channels=("mail",), muted=("tip_overdue", "new_alerts"))
    tip = NewTip("hotline", "works beside the road", VILLAGE, place="the road", received_on=dt.date(2026, 11, 2))
    key = informant_key(context.settings)
    with context.database.write() as session:
        add_tip(
            session, tip, Informant(), key, origin="desk", who="zhen", now=context.clock(), settings=context.settings
        )
        add_daily_job(session, dt.date(2026, 11, 24), context.clock())
    run_jobs(context, 11 * MINUTE)
    assert messages(context) == [("xian", "tip_overdue_below"), ("zhen", "tip_overdue")]
    assert [subject for _, _, subject, _ in mail.received] == ["【图斑】1 条通知：线索逾期 1"]


def test_nobody_at_a_level_means_the_level_above_is_told(context: Context) -> None:
    with context.database.write() as session:
        user = user_by_login(session, "cun")
        assert user is not None
        user.active = False
    new_alert(context, *DISPATCHED)
    assert messages(context) == [("zhen", "dispatched")]


def test_the_assignee_alone_is_told(context: Context) -> None:
    with context.database.write() as session:
        add_user(session, login="cun_2", name="", role="village", code=VILLAGE, now=NOW)
        alert = add_alert(session, "330106U2026110004")
        alert.county_code, alert.township_code, alert.grid_code = COUNTY, TOWNSHIP, VILLAGE
        alert.assignee = "cun_2"
        move(context, alert, session, "new", "system", "system")
        for state in DISPATCHED:
            move(context, alert, session, state, "xian", "county")
    assert messages(context) == [("cun_2", "dispatched")]


def test_who_may_no_longer_see_the_area_neither_gets_nor_sees_the_message(context: Context, mail: MailServer) -> None:
    prefer(context, "cun", email="cun@bureau.example", channels=("mail",))
    number = new_alert(context, *DISPATCHED)
    with context.database.write() as session:
        cun = user_by_login(session, "cun")
        assert cun is not None
        cun.code = "330106005202"
    run_jobs(context, MINUTE)
    assert mail.received == []
    with context.database.read() as session:
        alert_id = session.scalars(select(AlertRow.id).where(AlertRow.number == number)).one()
        cun, cun_b, zhen = (
            viewer_of(session.scalars(select(User).where(User.login == login)).one())
            for login in ("cun", "cun_b", "zhen")
        )
        assert inbox_messages(session, cun) == []
        assert unread_count(session, cun) == 0
        assert sent_messages(session, cun_b) == []
        assert messages_about(session, zhen, alert_id) != []


def test_an_event_is_told_once(context: Context) -> None:
    with context.database.write() as session:
        cun = session.scalars(select(User).where(User.login == "cun")).one()
        counts = [
            write_message(session, [cun, cun], "disputed", event="e", now=NOW, content={"alert": "1"}) for _ in "ab"
        ]
    assert counts == [1, 0]


def test_the_digest_of_a_day_is_planned_once_at_the_time_of_the_settings(context: Context) -> None:
    from store.chain_settings import change_chain_setting
    from workers.runtime.schedule import PeriodicTasks

    with context.database.write() as session:
        change_chain_setting(session, "messages.digest_at", "09:10", who="admin", now=NOW)
    seconds = [0.0]
    schedulers = [PeriodicTasks(context, f"host:{number}:schedule", lambda: seconds[0]) for number in (1, 2)]
    planned = []
    for minutes in (9, 10, 11):
        clock = context.clock
        assert isinstance(clock, Clock)
        clock.now = NOW + minutes * MINUTE
        seconds[0] += 60
        for scheduler in schedulers:
            scheduler._plan_messages(clock.now)
        with context.database.read() as session:
            days = session.scalars(select(Job.payload).where(Job.kind == "deadlines.day")).all()
        planned.append([payload["day"] for payload in days])
    # before it, the digest of the day before is still to be caught up
    assert planned[-1] == ["2026-11-24"]
    assert planned[0] in ([], ["2026-11-23"])
