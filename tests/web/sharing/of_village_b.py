"""Test data: a receiving body, a share, a place without supply, a blacklist entry and a hold of village B."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from service.context import Context
from store.access.users import add_user
from store.retention.holds import place_hold
from store.schema.tables import AlertRow
from store.sharing.blacklist import add_entry
from store.sharing.bodies import save_body, set_member
from store.sharing.service_stops import add_stop
from store.sharing.shares import share_by_letter
from tests.web.people import NOW

CREDIT_CODE = "91350100M000100Y43"


def add_sharing(context: Context, number: str, code: str) -> dict[str, str]:
    """Share an alert with a body of its village, and enter the rest; return the path parameters of these rows."""
    with context.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
        body = save_body(
            session, key="court-b", name="court of village_b", kind="court", code=code, matters={}, fields=None,
            by_rule=False, contact="", active=True, who="admin", now=NOW,
        )  # fmt: skip
        supplier = save_body(
            session, key="water-b", name="water of village_b", kind="supplier", code=code, matters={}, fields=None,
            by_rule=False, contact="", active=True, who="admin", now=NOW,
        )  # fmt: skip
        for login, its_body in (("judge", body), ("water", supplier)):
            add_user(session, login=login, name=login, role="partner", code=code, now=NOW)
            set_member(session, its_body, login)
        share = share_by_letter(session, body, alert, who="county", reason="execution", letter="抄告〔2026〕1", now=NOW)
        stop = add_stop(
            session, alert, place="shed", address="east road 1", since=dt.date(2026, 11, 1), until=None,
            reason="village_b must not see", who="county", now=NOW,
        )  # fmt: skip
        entry = add_entry(
            session, code=code, alert_id=alert.id, subject="builder of village_b", identity_kind="organisation",
            identity=CREDIT_CODE, key=b"k", representative="", facts="as determined", place="", area_m2=None,
            document="D 1", listed_on=dt.date(2026, 11, 1), until=None, measures="", removal_condition="restored",
            authority="bureau", who="county", now=NOW,
        )  # fmt: skip
        hold = place_hold(session, kind="alert", code="", alert=alert, reason="appeal of village_b", who="x", now=NOW)
        return {
            "key": "court-b",
            "share_id": str(share.id),
            "stop_id": str(stop.id),
            "entry_id": str(entry.id),
            "hold_id": str(hold.id),
            "collection": "alerts",
        }
