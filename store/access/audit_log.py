"""The log of what people did, besides the steps of alerts, which have a log of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, under
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
    """Write down what a person did, in the transaction that does it.

    Args:
        session: of a transaction that writes.
        who: login.
        what: a verb in the past, like ``signed_in``.
        now: this moment.
        about: what it concerns: an alert's number, a batch, a person.
        code: administrative code of the ground that it concerns; decides who may read it.
        detail: more, as JSON.
        address: of the browser.
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
    """What was done on the viewer's ground, the newest first.

    Args:
        session: reads.
        viewer: who asks.
        who: only by this person.
        what: only this.
        before_id: only what came before this one: the next page.
        limit: how many at most.
    """
    wanted = select(Action).where(under(Action.code, viewer)).order_by(Action.id.desc()).limit(limit)
    if who:
        wanted = wanted.where(Action.who == who)
    if what:
        wanted = wanted.where(Action.what == what)
    if before_id is not None:
        wanted = wanted.where(Action.id < before_id)
    return session.scalars(wanted).all()
