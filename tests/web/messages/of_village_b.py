"""Messages to people of village b, and listed supervision of its alert."""

from __future__ import annotations

from sqlalchemy import select

from enforcement.chain_settings import ChainValues
from service.context import Context
from store.access.users import user_by_login, viewer_of
from store.deadlines.supervision import list_for_supervision
from store.messages.sendings import Text, add_sendings, mark_rejected, uncollected
from store.schema.tables import AlertRow
from tests.web.people import NOW
from tests.web.two_villages import NUMBERS


def add_messages(context: Context) -> None:
    """List the alert of village b, and tell its people; the text to them fails and could be sent again."""
    with context.database.write() as session:
        county, village = user_by_login(session, "county"), user_by_login(session, "village_b")
        assert county is not None
        assert village is not None
        alert = session.scalars(select(AlertRow).where(AlertRow.number == NUMBERS["b"])).one()
        alert.assignee, alert.state = "village_b", "dispatched"
        list_for_supervision(
            session,
            alert,
            viewer_of(county),
            duty_unit="village b",
            requirements="flight b",
            due_on=context.today.replace(month=12),
            values=ChainValues(),
            today=context.today,
            now=NOW,
        )
        alert.assignee, alert.state = "", "new"
        messages = uncollected(session, village.id)
        assert messages
        add_sendings(session, village.id, [Text("mail", "b@village.example", "flight b", ("flight b",))], messages, NOW)
        session.flush()
        mark_rejected(session, 1, "refused", NOW, attempts=1, backoff_seconds=(1,))
