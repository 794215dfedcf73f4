"""Audit log of user actions. Transitions of alerts have a log of their own (:mod:`store.alerts.transitions`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, visible_to
from store.schema.user_tables import Action


def record_action(
    session: Session,
    *,
    who: str,
    what: str,
    now: dt.datetime,
    about: str = "",
    code: str = "",
    detail: Mapping[str, Any] | None = None,
    address: str = "",
) -> None:
    """Record a user action in the transaction that performs it.

    Args:
        session: a writing transaction.
        who: login.
        what: verb in the past tense, like ``signed_in``.
        now: current time.
        about: object of the action: number of an alert, id of a batch, login of a user.
        code: administrative code of the area concerned; determines who may read the entry.
        detail: further data, as JSON.
        address: IP address of the browser.
    """
    session.add(
        Action(
            at=now,
            who=who[:100],
            what=what[:40],
            about=about[:400],
            code=code[:12],
            detail=dict(detail or {}),
            address=address[:64],
        )
    )


def list_actions(
    session: Session, viewer: Viewer, *, who: str = "", what: str = "", before_id: int | None = None, limit: int = 100
) -> Sequence[Action]:
    """List the actions in the viewer's area, newest first.

    Args:
        session: a read transaction.
        viewer: the current user.
        who: only actions of this user.
        what: only this kind of action.
        before_id: only actions with a smaller id (keyset pagination).
        limit: maximum number of actions.
    """
    wanted = select(Action).where(visible_to(Action.code, viewer)).order_by(Action.id.desc()).limit(limit)
    if who:
        wanted = wanted.where(Action.who == who)
    if what:
        wanted = wanted.where(Action.what == what)
    if before_id is not None:
        wanted = wanted.where(Action.id < before_id)
    return session.scalars(wanted).all()


def actions_about(session: Session, about: str, limit: int = 50) -> Sequence[Action]:
    """List the actions on one object, newest first. The caller checks the rights to that object."""
    return session.scalars(select(Action).where(Action.about == about).order_by(Action.id.desc()).limit(limit)).all()
