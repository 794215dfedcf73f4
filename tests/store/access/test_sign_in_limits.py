"""Failed sign-ins delay one name at one origin: not other names, other addresses, or devices known to be the user's."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from store.access.sign_in_limits import (
    FREE_ATTEMPTS,
    FREE_ATTEMPTS_OF_A_NAME,
    MAX_PAUSE_SECONDS,
    Attempt,
    begin_attempt,
    confirm_attempt,
    delayed_logins,
    network_of,
    origin_of,
    remember_device,
    unlock,
)
from store.access.users import add_user, user_by_login
from store.schema.database import Database

NOW = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)
OFFICE = "address:10.1.2.3"


def attempt(database: Database, login: str = "li", origin: str = OFFICE, at: dt.datetime = NOW) -> Attempt:
    with database.write() as session:
        return begin_attempt(session, login, origin, at)


def fail(database: Database, times: int, login: str = "li", origin: str = OFFICE) -> None:
    for number in range(times):  # far enough apart that each is verified
        at = NOW - dt.timedelta(seconds=1 + MAX_PAUSE_SECONDS * (times - 1 - number))
        assert attempt(database, login, origin, at).wait_seconds == 0


def test_failures_of_one_name_delay_neither_other_names_nor_other_addresses(database: Database) -> None:
    for _ in range(60):
        attempt(database, "intruder")
    assert attempt(database, "intruder").wait_seconds > 0
    assert attempt(database, "li").wait_seconds == 0
    assert attempt(database, "intruder", "address:10.1.2.4").wait_seconds == 0


@pytest.mark.parametrize("threads", [8])
def test_a_burst_is_verified_no_more_often_than_attempts_one_by_one(database: Database, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        attempts = list(pool.map(lambda _: attempt(database), range(40)))
    assert sum(one.wait_seconds == 0 for one in attempts) == FREE_ATTEMPTS


def test_the_right_password_is_verified_within_a_minute_however_many_were_wrong(database: Database) -> None:
    fail(database, 40)
    assert 0 < attempt(database).wait_seconds <= MAX_PAUSE_SECONDS
    assert attempt(database, at=NOW + dt.timedelta(seconds=MAX_PAUSE_SECONDS)).wait_seconds == 0


def test_the_right_password_forgets_the_failures_of_its_origin(database: Database) -> None:
    fail(database, FREE_ATTEMPTS - 1)
    with database.write() as session:
        confirm_attempt(session, begin_attempt(session, "li", OFFICE, NOW))
    assert [attempt(database).wait_seconds for _ in range(FREE_ATTEMPTS)] == [0] * FREE_ATTEMPTS


def test_a_device_known_to_be_the_users_is_not_delayed_by_others(database: Database) -> None:
    with database.write() as session:
        li = add_user(session, login="Li", name="", role="county", code="330199", now=NOW)
        add_user(session, login="wang", name="", role="county", code="330199", now=NOW)
        secret = remember_device(session, li, NOW)
    fail(database, 30)
    with database.write() as session:
        known = origin_of("10.1.2.3", secret, session=session, login="li")
        assert origin_of("10.1.2.3", secret, session=session, login="wang") == OFFICE, "it is not wang's device"
        assert origin_of("10.1.2.3", "invented", session=session, login="li") == OFFICE
    assert attempt(database, origin=OFFICE).wait_seconds > 0
    assert attempt(database, origin=known).wait_seconds == 0
    for _ in range(FREE_ATTEMPTS):
        attempt(database, origin=known)
    assert attempt(database, origin=known).wait_seconds > 0, "a stolen device must not guess without limit"


def test_a_name_attacked_from_many_addresses_is_delayed_except_on_known_devices(database: Database) -> None:
    for number in range(FREE_ATTEMPTS_OF_A_NAME):
        attempt(database, origin=f"address:10.9.{number}.1")
    assert attempt(database, origin="address:10.10.0.1").wait_seconds > 0
    assert attempt(database, origin="device:0123").wait_seconds == 0
    assert attempt(database, "wang", "address:10.10.0.1").wait_seconds == 0


def test_unlocking_ends_the_delay_of_that_name_only(database: Database) -> None:
    fail(database, FREE_ATTEMPTS + 2)
    fail(database, FREE_ATTEMPTS + 2, "wang")
    with database.write() as session:
        assert delayed_logins(session, NOW) == ["li", "wang"]
        assert unlock(session, "LI") == FREE_ATTEMPTS + 2
        assert delayed_logins(session, NOW) == ["wang"]
    assert attempt(database).wait_seconds == 0
    assert attempt(database, "wang").wait_seconds > 0


def test_only_the_latest_devices_of_a_user_are_remembered(database: Database) -> None:
    with database.write() as session:
        li = add_user(session, login="li", name="", role="county", code="330199", now=NOW)
        first = remember_device(session, li, NOW)
        for day in range(1, 21):
            remember_device(session, li, NOW + dt.timedelta(days=day))
        assert origin_of("10.1.2.3", first, session=session, login="li") == OFFICE
        assert user_by_login(session, "li") is not None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
    ],
)
def test_all_addresses_that_one_host_can_use_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network
