"""Receipt numbers without gaps on both databases, limits of public reports, and who may see an informant."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from configs.service import ServiceSettings, read_service
from enforcement.chain_settings import ChainValues
from errors import SettingsError
from store.access.rights import Viewer
from store.schema.chain.tip_tables import TipRow
from store.schema.database import Database
from store.tips.informant_key import Informant, informant_key
from store.tips.public_reports import TooManyReports, common_code, count_attempt
from store.tips.tip_steps import NewTip, add_tip, may_see_informant
from tests.store.sample_rows import NOW, VILLAGE


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return read_service(home=tmp_path)


def _register(database: Database, settings: ServiceSettings, summary: str = "a new building") -> None:
    with database.write() as session:
        add_tip(
            session,
            NewTip("hotline", summary, VILLAGE, place="there"),
            Informant("A", "13800138000"),
            informant_key(settings),
            origin="desk",
            who="li",
            now=NOW,
            settings=settings,
        )


def test_numbers_have_no_gaps_when_many_register_and_some_fail(database: Database, settings: ServiceSettings) -> None:
    informant_key(settings)  # made once, before the threads

    def register(number: int) -> None:
        with suppress(SettingsError):
            _register(database, settings, "x" if number % 3 == 0 else "a new building")

    threads = [threading.Thread(target=register, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        numbers = sorted(session.scalars(select(TipRow.number)))
    assert numbers == [f"130131XS2026{serial:05d}" for serial in range(1, 9)]


def test_public_reports_are_limited_per_address_and_in_total(database: Database) -> None:
    values = ChainValues({"public.per_address": 2, "public.per_day": 3})

    def send(address: str) -> bool:
        try:
            with database.write() as session:
                count_attempt(session, "report", address, b"key", values, NOW)
        except TooManyReports:
            return False
        return True

    assert [send("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert send("2001:db8:1:2::1")
    assert not send("10.0.0.2")  # in total


@pytest.mark.parametrize(
    ("codes", "common"),
    [(["330106"], "330106"), (["330106", "330108"], "3301"), (["330106", "320101"], ""), ([], "")],
)
def test_the_area_that_contains_all_codes(codes: list[str], common: str) -> None:
    assert common_code(codes) == common


def test_only_registrar_and_handler_from_a_level_on_see_an_informant() -> None:
    tip, values = TipRow(created_by="li", handler="wang"), ChainValues()

    def sees(login: str, role: str, values: ChainValues = values) -> bool:
        return may_see_informant(Viewer(login, login, role, "130131", True, 1), tip, values)

    assert [sees("li", "township"), sees("wang", "county"), sees("zhao", "city")] == [True, True, False]
    assert not sees("wang", "village")
    assert not sees("li", "township", ChainValues({"tips.informant": "county"}))
    assert not sees("li", "leader")
    assert "13800138000" not in repr(Informant("A", "13800138000"))
