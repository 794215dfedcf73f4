"""Rules share and withdraw by themselves, never against a person, and hooks get only the fields of their body."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings, read_service
from store.alerts.outbox import announce, announce_shares
from store.schema.chain.sharing_tables import BodyRow, ShareRow
from store.schema.database import Database
from store.schema.tables import AlertRow, Delivery
from store.sharing.bodies import save_body
from store.sharing.hook_events import may_receive
from store.sharing.shares import ShareChange, apply_rules, withdraw_share
from tests.store.sample_alerts import add_village_with_alert
from tests.store.sample_rows import NOW


def settings(**delivery: Any) -> ServiceSettings:
    hook = {"body": "farm", "url": "https://farm.example/x", "secret": "s" * 32}
    return read_service(delivery={"body_hooks": [hook]} | delivery)


def body(session: Session, **values: Any) -> BodyRow:
    given: dict[str, Any] = {"matters": {}, "by_rule": True, "active": True, "fields": ["area_mu"]} | values
    return save_body(
        session, key="farm", name="农业农村局", kind="department", code="330106", contact="", who="a", now=NOW, **given
    )


def in_force(session: Session) -> list[str]:
    return list(session.scalars(select(ShareRow.origin).where(ShareRow.withdrawn_at.is_(None))))


def test_a_rule_shares_once_withdraws_and_does_not_overrule_a_person(sqlite: Database) -> None:
    alert_id = add_village_with_alert(sqlite)
    with sqlite.write() as session:
        alert = session.get_one(AlertRow, alert_id)
        row = body(session)
        assert [change.granted for change in apply_rules(session, [alert], NOW)] == [True]
        assert apply_rules(session, [alert], NOW) == []
        body(session, matters={"states": ["case"]})
        assert [change.granted for change in apply_rules(session, [alert], NOW)] == [False]
        row = body(session)
        assert len(apply_rules(session, [alert], NOW)) == 1  # the rule withdrew it, not a person
        share = session.scalars(select(ShareRow).where(ShareRow.withdrawn_at.is_(None))).one()
        withdraw_share(session, share, who="li", why="by mistake", now=NOW)
        assert apply_rules(session, [alert], NOW, [row]) == []
        assert in_force(session) == []


def test_hooks_get_the_fields_of_their_body_until_the_view_ends(sqlite: Database) -> None:
    alert_id = add_village_with_alert(sqlite)
    with sqlite.write() as session:
        alert = session.get_one(AlertRow, alert_id)
        row = body(session)
        announce(session, alert, "tuban.alert.created", settings(), NOW)
        delivery = session.scalars(select(Delivery).where(Delivery.target == "body:farm")).one()
        data = delivery.event["data"]
        assert (data["geometry"], set(data["properties"])) == (None, {"number", "statement", "area_mu"})
        assert may_receive(session, "body:farm", alert.number, "tuban.alert.created") is row
        share = session.scalars(select(ShareRow)).one()
        withdraw_share(session, share, who="li", why="x", now=NOW + dt.timedelta(hours=1))
        assert may_receive(session, "body:farm", alert.number, "tuban.alert.created") is None
        announce_shares(session, [ShareChange(row, alert, granted=False)], settings(), NOW)
        last = session.scalars(select(Delivery).order_by(Delivery.id.desc())).first()
        assert last is not None
        assert (last.event["type"], set(last.event["data"]["properties"])) == (
            "tuban.share.withdrawn",
            {"number", "statement"},
        )
