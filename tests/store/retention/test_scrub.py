"""What identified a person is removed from text and JSON of all tables on both databases, names only near their tip."""

from __future__ import annotations

from sqlalchemy import select

from store.access.audit_log import record_action
from store.retention.scrub import REPLACEMENT, Scrubbed, scrub
from store.schema.database import Database
from store.schema.user_tables import Action
from tests.store.sample_rows import NOW

PHONE, NAME, TIP = "13800138000", "王小明", "330106T1"


def test_phones_go_everywhere_and_names_only_beside_their_tip(database: Database) -> None:
    with database.write() as session:
        record_action(session, who="li", what="a", now=NOW, about=TIP, detail={"to": [f"{NAME} {PHONE}", 3], NAME: 1})
        record_action(session, who="li", what="b", now=NOW, about=f"other {PHONE}", detail={"to": NAME})
    with database.write() as session:
        assert scrub(session, [PHONE, ""]) == Scrubbed(2, 0)
        assert scrub(session, [NAME], TIP) == Scrubbed(1, 0)
    with database.read() as session:
        rows = session.scalars(select(Action).order_by(Action.id)).all()
        assert [(row.about, row.detail) for row in rows] == [
            (TIP, {"to": [f"{REPLACEMENT} {REPLACEMENT}", 3], REPLACEMENT: 1}),
            (f"other {REPLACEMENT}", {"to": NAME}),
        ]
