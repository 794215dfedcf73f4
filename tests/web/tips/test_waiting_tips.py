"""Overdue tips, and tips assigned to me, are on the to-do page and reported by messages, with the rights of /tips."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from enforcement.deadlines.public_holidays import CalendarYear
from enforcement.messages.message_kinds import read_message_kinds
from service.context import Context
from store.chain_settings import read_chain_values
from store.deadlines.calendar import save_year
from store.messages.recipients import People
from store.schema.chain.message_tables import MessageRow
from store.schema.user_tables import User
from store.tips.tip_messages import write_overdue_tips
from tests.web.conftest import NOW, SignIn
from tests.web.tips.test_tips import inside, tip
from tests.web.two_villages import Villages


def _write_messages(service: Context, day: dt.date) -> list[tuple[str, str]]:
    with service.database.write() as session:
        write_overdue_tips(session, People(session), day, NOW, read_chain_values(session))
        query = select(User.login, MessageRow.kind).join(User, User.id == MessageRow.person_id)
        return sorted((row[0], row[1]) for row in session.execute(query.where(MessageRow.kind.startswith("tip_over"))))


def test_waiting_tips_are_listed_counted_and_told_to_the_handler_and_one_level_up(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    town, county = sign_in("town"), sign_in("county")
    late = town.post("/tips", data=tip(**inside("a"), received_on="2026-11-02")).headers["hx-redirect"]
    fresh = county.post("/tips", data=tip(**inside("b"))).headers["hx-redirect"]
    before = town.get("/todo/count").text
    page = town.get("/todo").text
    assert f'href="{late}"' in page  # overdue: of everybody who reads the register
    assert f'href="{fresh}"' not in page
    assert 'class="late"' in before
    assert county.post(f"{fresh}/handler", data={"login": "town"}).status_code == 200
    assert f'href="{fresh}"' in town.get("/todo").text
    assert f'href="{fresh}"' in town.get("/todo?only=mine").text
    assert f'href="{fresh}"' not in town.get("/todo?only=overdue").text
    assert f'href="{fresh}"' not in county.get("/todo").text
    assert int("".join(filter(str.isdigit, town.get("/todo/count").text))) == 1 + int(
        "".join(filter(str.isdigit, before))
    )
    village = sign_in("village_a").get("/todo").text
    assert late not in village  # /tips is closed to villages

    today = service.today
    first = _write_messages(service, today)
    assert first == [("county", "tip_overdue_below"), ("town", "tip_overdue")]
    assert _write_messages(service, today + dt.timedelta(days=1)) == first  # once per deadline
    assert {"tip_overdue", "tip_overdue_below"}.isdisjoint(read_message_kinds().mutable)
    with service.database.read() as session:
        message = session.scalars(select(MessageRow).where(MessageRow.kind == "tip_overdue")).one()
    opened = town.post("/inbox/read", data={"message": message.id, "go": "true"})
    assert opened.headers["hx-redirect"] == late

    assert town.post(f"{late}/handler", data={"login": "county"}).status_code == 200
    assert town.post(f"{late}/steps", data={"step": "accept", "handling": "direct"}).status_code == 200
    assert set(_write_messages(service, today)) - set(first) == {
        ("county", "tip_overdue"),
        ("admin", "tip_overdue_below"),
    }


def test_administrators_read_on_the_to_do_page_that_holidays_are_missing(service: Context, sign_in: SignIn) -> None:
    assert "/calendar?year=2027" in sign_in("county").get("/todo").text
    assert "/calendar?year=2027" not in sign_in("town").get("/todo").text
    with service.database.write() as session:
        save_year(session, CalendarYear(year=2027, holidays=((dt.date(2027, 1, 1), ""),)), who="admin", now=NOW)
    assert "missing-year" not in sign_in("county").get("/todo").text
