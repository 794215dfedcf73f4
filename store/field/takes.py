"""Alerts that a person took along for a check on the ground."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, visible_to
from store.schema.chain.field_tables import FieldTake
from store.schema.tables import AlertRow


def take_alert(session: Session, viewer: Viewer, alert: AlertRow, now: dt.datetime) -> FieldTake:
    """Record that the viewer took an alert along, with its present state and assignee."""
    take = session.get(FieldTake, (viewer.person_id, alert.id))
    if take is None:
        take = FieldTake(person_id=viewer.person_id, alert_id=alert.id)
        session.add(take)
    take.taken_at, take.state, take.assignee = now, alert.state, alert.assignee
    session.flush()
    return take


def take_of(session: Session, viewer: Viewer, alert_id: int) -> FieldTake | None:
    """Return what the viewer took along of an alert; None: nothing."""
    return session.get(FieldTake, (viewer.person_id, alert_id))


def alert_for_check(session: Session, viewer: Viewer, number: str) -> AlertRow | None:
    """Return an alert that the viewer may see, or took along while they could; None: no such alert for them."""
    taken = select(FieldTake.alert_id).where(FieldTake.person_id == viewer.person_id)
    query = select(AlertRow).where(AlertRow.number == number)
    return session.scalar(query.where(visible_to(AlertRow.grid_code, viewer) | AlertRow.id.in_(taken)))


def work_list(session: Session, viewer: Viewer, states: tuple[str, ...], limit: int) -> list[AlertRow]:
    """List the alerts to check: visible, in one of the states, assigned to the viewer or to nobody.

    Those assigned to the viewer come first, then by deadline.
    """
    query = select(AlertRow).where(
        visible_to(AlertRow.grid_code, viewer),
        AlertRow.state.in_(states),
        AlertRow.assignee.in_((viewer.login, "")),
    )
    order = (AlertRow.assignee != viewer.login, AlertRow.due_on.is_(None), AlertRow.due_on, AlertRow.number)
    return list(session.scalars(query.order_by(*order).limit(limit)))
