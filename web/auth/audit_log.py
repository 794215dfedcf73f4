"""What a person did, written into the log in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from store.access.audit_log import record_action
from store.access.rights import Viewer
from store.schema.database import Session
from store.schema.user_tables import User
from web.auth.authentication import address_of, context_of


def note(
    request: Request,
    session: Session,
    who: Viewer | User,
    what: str,
    *,
    about: str = "",
    code: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write down what ``who`` did by this request; see :func:`store.access.audit_log.record_action`.

    Args:
        request: whose browser's address is kept.
        session: of the transaction that does it.
        who: the person.
        what: a verb in the past.
        about: what it concerns.
        code: of the ground that it concerns; None: the person's own.
        detail: more, as JSON.
    """
    record_action(
        session,
        who=who.login,
        what=what,
        now=context_of(request).clock(),
        about=about,
        code=who.code if code is None else code,
        detail=detail,
        address=address_of(request),
    )
