"""The outbox: events are stored with their cause and sent in order, for each alert and target."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from configs.service import ServiceSettings, read_service
from store.alerts.alert_data import read_alert
from store.alerts.outbox import (
    announce,
    drop,
    list_deliveries,
    mark_delivered,
    mark_failed,
    next_delivery,
    revive,
    targets,
)
from store.schema.database import Database
from store.schema.tables import AlertRow, Delivery, Job
from tests.store.sample_alerts import NOW, add_alert, add_observation, add_village, add_village_with_alert

HOOKS = [{"url": f"https://hook.example/{name}", "secret": "s" * 16} for name in ("a", "b")]
SETTINGS = read_service()  # embedded: the drop folder alone
MANY = read_service(broker="redis://127.0.0.1:6379/9", delivery={"drop_folder": "/drop", "hooks": HOOKS})
BACKOFF = (5.0, 30.0)


@pytest.fixture
def database(sqlite: Database) -> Database:
    """SQLite; tests of what may differ on PostgreSQL use :func:`tests.databases.each_database`."""
    return sqlite


def _announce(
    database: Database, kind: str = "tuban.alert.created", settings: ServiceSettings = SETTINGS, alert_id: int = 1
) -> None:
    with database.write() as session:
        alert = session.get(AlertRow, alert_id)
        assert alert is not None
        announce(session, alert, kind, settings, NOW)


def _jobs(database: Database) -> list[int]:
    """Return the delivery id of each job."""
    with database.read() as session:
        return [job.payload["delivery_id"] for job in session.scalars(select(Job).order_by(Job.id))]


def _states(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Delivery.state).order_by(Delivery.id)))


def _deliver(database: Database, delivery_id: int) -> None:
    with database.write() as session:
        mark_delivered(session, delivery_id, NOW)


def _fail(database: Database, delivery_id: int, attempts: int = 3, wait: float = 0) -> str:
    with database.write() as session:
        return mark_failed(
            session,
            delivery_id,
            "refused",
            NOW,
            attempts=attempts,
            backoff_seconds=BACKOFF,
            not_before_seconds=wait,
        )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("drop",)),
        ({"broker": "amqp://h//"}, ("queue",)),
        ({"broker": "amqp://h//", "delivery": {"queue": ""}}, ()),
        ({"broker": "redis://h/0", "delivery": {"drop_folder": "/d"}}, ("queue", "drop")),
        ({"delivery": {"hooks": HOOKS}}, ("drop", "hook:https://hook.example/a", "hook:https://hook.example/b")),
    ],
)
def test_targets_follow_the_settings(given: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert targets(read_service(**given)) == expected


def test_each_target_gets_the_same_event_and_its_own_job(each_database: Database) -> None:
    add_village_with_alert(each_database)
    _announce(each_database, settings=MANY)
    with each_database.read() as session:
        rows = [delivery for delivery, _ in list_deliveries(session)]
        assert [row.target for row in rows] == list(targets(MANY))
        assert {row.event_id for row in rows} == {row.event["id"] for row in rows}
        assert len({row.event_id for row in rows}) == 1
        jobs = list(session.scalars(select(Job)))
    assert sorted(_jobs(each_database)) == [row.id for row in rows]
    assert {(job.kind, job.queue) for job in jobs} == {("deliver", "deliver")}


def test_an_event_holds_the_alert_with_its_areas_images_and_sights(each_database: Database) -> None:
    add_village_with_alert(each_database)
    _announce(each_database)
    with each_database.read() as session:
        event = session.scalars(select(Delivery.event)).one()
    properties = event["data"]["properties"]
    assert event["subject"] == properties["number"] == "330106W2026110001"
    assert (event["source"], event["sequence"]) == ("/tuban/330106", "1")
    assert properties["village"] == {"code": "330106005201", "name": "东穆坞村"}
    assert properties["county"] == {"code": "330106", "name": "西湖区"}
    assert (properties["earlier_image"]["date"], properties["earlier_image"]["source"]) == ("2026-05-01", "satellite")
    assert (properties["later_image"]["sha256"], properties["later_image"]["gsd_m"]) == ("1" * 64, 0.25)
    assert (properties["model_sha256"], properties["settings_sha256"]) == ("3" * 64, "5" * 64)
    assert properties["registration_residual_m"] == 0.305
    assert properties["evidence"]["after"] == "evidence/1/after.jpg"
    assert properties["kind_name"]["zh"] == "新增建筑/建设"
    assert (properties["times_seen"], properties["sources_seen"]) == (1, 1)


def test_evidence_is_a_link_where_there_are_pages(database: Database) -> None:
    add_village_with_alert(database)
    _announce(database, settings=read_service(public_url="https://tuban.example/"))
    with database.read() as session:
        event = session.scalars(select(Delivery.event)).one()
    properties = event["data"]["properties"]
    assert event["source"] == "https://tuban.example"
    assert properties["page"] == "https://tuban.example/alerts/330106W2026110001"
    assert properties["evidence"]["before"] == "https://tuban.example/alerts/330106W2026110001/evidence/before"


def test_observations_are_sorted_oldest_first(each_database: Database) -> None:
    with each_database.write() as session:
        add_village(session)
        row = add_alert(session)
        add_observation(session, row, dt.date(2026, 9, 1), "satellite", 800.0)
        alert = read_alert(session, row)
    assert [(sighting.date, sighting.area_m2) for sighting in alert.sightings] == [
        (dt.date(2026, 9, 1), 800.0),
        (dt.date(2026, 11, 30), 1234.5),
    ]


def test_a_rolled_back_transaction_sends_nothing(database: Database) -> None:
    add_village_with_alert(database)
    with database.read() as session:
        announce(session, session.get_one(AlertRow, 1), "tuban.alert.created", SETTINGS, NOW)
        session.rollback()
    assert _states(database) == []
    assert _jobs(database) == []


def test_only_the_first_unsettled_event_of_an_alert_has_a_job(each_database: Database) -> None:
    add_village_with_alert(each_database)
    for kind in ("tuban.alert.created", "tuban.alert.seen_again", "tuban.alert.state_changed"):
        _announce(each_database, kind)
    assert _jobs(each_database) == [1]
    _deliver(each_database, 1)
    assert _jobs(each_database) == [1, 2]
    _deliver(each_database, 2)
    assert _jobs(each_database) == [1, 2, 3]
    with each_database.read() as session:
        rows = session.execute(select(Delivery.sequence, Delivery.state).order_by(Delivery.id))
        assert [tuple(row) for row in rows] == [(1, "delivered"), (2, "delivered"), (3, "waiting")]


def test_a_delivery_is_not_sent_before_an_earlier_one(database: Database) -> None:
    add_village_with_alert(database)
    _announce(database)
    _announce(database, "tuban.alert.seen_again")
    with database.read() as session:
        assert next_delivery(session, 2) is None
        first = next_delivery(session, 1)
    assert first is not None
    assert first.event["type"] == "tuban.alert.created"


def test_alerts_and_targets_do_not_wait_for_each_other(database: Database) -> None:
    add_village_with_alert(database)
    with database.write() as session:
        add_alert(session, "330106W2026110002")
    _announce(database, settings=MANY)
    _announce(database, settings=MANY, alert_id=2)
    assert len(_jobs(database)) == 2 * len(targets(MANY))


def test_a_delivered_event_is_not_sent_again(database: Database) -> None:
    add_village_with_alert(database)
    _announce(database)
    _deliver(database, 1)
    _deliver(database, 1)
    with database.read() as session:
        assert next_delivery(session, 1) is None
        assert session.get_one(Delivery, 1).attempts == 1


def test_a_failing_delivery_backs_off_and_finally_is_dead(each_database: Database) -> None:
    add_village_with_alert(each_database)
    _announce(each_database)
    pauses = []
    for _ in range(3):
        assert _fail(each_database, 1, attempts=4) == "waiting"
        with each_database.read() as session:
            pauses.append((session.get_one(Delivery, 1).next_at - NOW).total_seconds())
            newest = session.scalars(select(Job).order_by(Job.id.desc()).limit(1)).one()
            assert newest.run_after == session.get_one(Delivery, 1).next_at
    assert pauses == [5, 30, 30]
    assert _fail(each_database, 1, attempts=4) == "dead"
    assert len(_jobs(each_database)) == 4
    with each_database.read() as session:
        assert (session.get_one(Delivery, 1).state, session.get_one(Delivery, 1).error) == ("dead", "refused")


def test_a_target_can_request_a_longer_pause(database: Database) -> None:
    add_village_with_alert(database)
    _announce(database)
    _fail(database, 1, wait=600)
    with database.read() as session:
        assert (session.get_one(Delivery, 1).next_at - NOW).total_seconds() == 600


def _dead_with_one_behind(database: Database) -> None:
    add_village_with_alert(database)
    _announce(database)
    _announce(database, "tuban.alert.seen_again")
    assert _fail(database, 1, attempts=1) == "dead"
    assert _jobs(database) == [1]


def test_a_dead_delivery_blocks_later_events(database: Database) -> None:
    _dead_with_one_behind(database)
    _announce(database, "tuban.alert.state_changed")
    assert _states(database) == ["dead", "waiting", "waiting"]
    assert _jobs(database) == [1]


def test_a_revived_delivery_gets_as_many_attempts_as_a_new_one(each_database: Database) -> None:
    _dead_with_one_behind(each_database)
    with each_database.write() as session:
        assert revive(session, 1, NOW)
    assert _states(each_database) == ["waiting", "waiting"]
    assert _jobs(each_database) == [1, 1]
    assert _fail(each_database, 1, attempts=3) == "waiting"
    _deliver(each_database, 1)
    assert _jobs(each_database) == [1, 1, 1, 2]


def test_dropping_a_delivery_starts_the_next_one(database: Database) -> None:
    _dead_with_one_behind(database)
    with database.write() as session:
        assert drop(session, 1, NOW)
        assert not drop(session, 1, NOW)
    assert _states(database) == ["dropped", "waiting"]
    assert _jobs(database) == [1, 2]


def test_dropping_a_blocked_delivery_starts_nothing(database: Database) -> None:
    _dead_with_one_behind(database)
    with database.write() as session:
        assert drop(session, 2, NOW)
    assert _states(database) == ["dead", "dropped"]
    assert _jobs(database) == [1]


def test_only_dead_deliveries_are_revived(database: Database) -> None:
    add_village_with_alert(database)
    _announce(database)
    with database.write() as session:
        assert not revive(session, 1, NOW)
    _deliver(database, 1)
    with database.write() as session:
        assert not revive(session, 1, NOW)


def test_a_waiting_delivery_with_a_dead_job_is_revived(database: Database) -> None:
    add_village_with_alert(database)
    _announce(database)
    with database.write() as session:
        session.get_one(Job, 1).state = "dead"
    with database.write() as session:
        assert revive(session, 1, NOW)
        assert session.get_one(Job, 1).state == "waiting"
    assert _jobs(database) == [1]


def test_an_unknown_kind_of_event_is_refused(database: Database) -> None:
    add_village_with_alert(database)
    with pytest.raises(ValueError, match="event type"):
        _announce(database, "tuban.alert.exploded")


def test_concurrent_events_get_different_sequence_numbers(each_database: Database) -> None:
    add_village_with_alert(each_database)
    barrier = threading.Barrier(6)

    def announce_again() -> None:
        barrier.wait()
        _announce(each_database, "tuban.alert.seen_again", MANY)

    threads = [threading.Thread(target=announce_again) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with each_database.read() as session:
        rows = session.execute(select(Delivery.sequence, func.count()).group_by(Delivery.sequence).order_by("sequence"))
        assert [tuple(row) for row in rows] == [(sequence, len(targets(MANY))) for sequence in range(1, 7)]
    assert len(_jobs(each_database)) == len(targets(MANY))


def test_announcing_and_delivering_lock_the_alert(postgresql: Database) -> None:
    add_village_with_alert(postgresql)
    _announce(postgresql)
    with postgresql.write() as announcing:
        announce(announcing, announcing.get_one(AlertRow, 1), "tuban.alert.seen_again", SETTINGS, NOW)
        with postgresql.read() as delivering:
            delivering.execute(text("SET LOCAL lock_timeout = '50ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                mark_delivered(delivering, 1, NOW)
    _deliver(postgresql, 1)
    assert _jobs(postgresql) == [1, 2]
