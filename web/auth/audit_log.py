"""Record user actions in the audit log, in the transaction of the action itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from store.access.audit_log import record_action
from store.access.rights import Viewer
from store.schema.database import Session
from store.schema.user_tables import User
from web.auth.authentication import client_address, context_of


def log_action(
    request: Request,
    session: Session,
    who: Viewer | User,
    what: str,
    *,
    about: str = "",
    code: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record an action of a user; see :func:`store.access.audit_log.record_action`.

    Args:
        request: its client address is stored.
        session: of the transaction that performs the action.
        who: the user.
        what: the action, a verb in the past tense.
        about: the object of the action.
        code: administrative code of the area concerned; None: the user's own.
        detail: further values, as JSON.
    """
    record_action(
        session,
        who=who.login,
        what=what,
        now=context_of(request).clock(),
        about=about,
        code=who.code if code is None else code,
        detail=detail,
        address=client_address(request),
    )
