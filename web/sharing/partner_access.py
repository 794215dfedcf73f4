"""The receiving body of a request, and the log of what it reads."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from store.schema.chain.sharing_tables import BodyRow
from store.schema.database import Session
from store.sharing.access_log import record_read
from store.sharing.bodies import body_of
from web.auth.authentication import CurrentUser, Service, client_address, context_of
from web.http_errors import NotFound


def current_body(context: Service, viewer: CurrentUser) -> BodyRow:
    """Return the active body for which the user acts, detached from its session.

    Raises:
        NotFound: they act for none.
    """
    with context.database.read() as session:
        body = body_of(session, viewer)
        if body is None:
            raise NotFound
        session.expunge(body)
    return body


CurrentBody = Annotated[BodyRow, Depends(current_body)]


def log_read(
    request: Request, session: Session, body: BodyRow, who: str, channel: str, what: str, rows: int
) -> None:  # fmt: skip
    """Record a read; the answer is sent only after the transaction has committed."""
    record_read(
        session,
        body,
        who=who,
        channel=channel,
        what=what,
        rows=rows,
        now=context_of(request).clock(),
        address=client_address(request),
    )
