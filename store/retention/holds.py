"""Holds: nothing of an alert, an area or a case is deleted while a hold on it is in force."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from errors import SettingsError
from store.access.rights import Viewer, visible_to
from store.schema.chain.retention_tables import HoldRow
from store.schema.tables import AlertRow, Transition

HOLD_KINDS = ("alert", "area", "case")


def place_hold(
    session: Session,
    *,
    kind: str,
    code: str,
    reason: str,
    who: str,
    now: dt.datetime,
    alert: AlertRow | None = None,
    case_number: str = "",
) -> HoldRow:
    """Place a hold until a person releases it. The caller checks the rights to the alert or the area.

    Args:
        session: a writing transaction.
        kind: ``alert``, ``area`` (everything whose code begins with ``code``) or ``case`` (all alerts of a case).
        code: administrative code; of an alert its own.
        reason: why nothing may be deleted.
        who: login.
        now: current time.
        alert: of kind ``alert``.
        case_number: of kind ``case``.

    Raises:
        SettingsError: the reason, the alert or the case number is missing.
    """
    if (
        kind not in HOLD_KINDS
        or not reason.strip()
        or (kind == "alert" and alert is None)
        or (kind == "case" and not case_number.strip())
    ):
        raise SettingsError("A hold needs a reason, and an alert, an area or the number of a case.", "hold.missing")
    row = HoldRow(
        kind=kind,
        alert_id=alert.id if alert is not None else None,
        code=alert.grid_code if alert is not None else code,
        case_number=case_number.strip()[:100],
        reason=reason.strip()[:1000],
        placed_by=who,
        placed_at=now,
    )
    session.add(row)
    session.flush()
    return row


def release_hold(session: Session, row: HoldRow, *, who: str, why: str, now: dt.datetime) -> None:
    """Release a hold; from then on the settings decide.

    Raises:
        SettingsError: no reason is given, or it is released already.
    """
    if not why.strip() or row.released_at is not None:
        raise SettingsError("State why the hold is released; it must still be in force.", "hold.release")
    row.released_by, row.released_at, row.released_why = who, now, why.strip()[:1000]
    session.flush()


def holds_in_force(session: Session) -> list[HoldRow]:
    """List the holds that were not released, oldest first."""
    return list(session.scalars(select(HoldRow).where(HoldRow.released_at.is_(None)).order_by(HoldRow.id)))


class Held:
    """What the holds in force cover, read once in a transaction.

    Attributes:
        alert_ids: alerts held by themselves or by their case.
        codes: areas that are held with everything in them; "": all.
    """

    def __init__(self, session: Session) -> None:
        """Read the holds and the alerts of held cases."""
        holds = holds_in_force(session)
        self.codes = tuple(row.code for row in holds if row.kind == "area")
        self.alert_ids = {row.alert_id for row in holds if row.alert_id is not None}
        cases = {row.case_number: row.code for row in holds if row.kind == "case"}
        if cases:
            self.alert_ids |= _alerts_of_cases(session, cases)

    def covers(self, code: str, alert_id: int | None = None) -> bool:
        """Return whether a row of this area and alert is held."""
        return alert_id in self.alert_ids or any(code.startswith(held) for held in self.codes)

    def covers_ground(self, code: str) -> bool:
        """Return whether an image or camera of this area may show ground of a held area."""
        return any(code.startswith(held) or held.startswith(code) for held in self.codes)


def _alerts_of_cases(session: Session, cases: dict[str, str]) -> set[int]:
    rows = session.execute(
        select(Transition.alert_id, Transition.evidence, AlertRow.grid_code)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(Transition.to_state == "case")
    )
    return {
        alert_id
        for alert_id, evidence, code in rows
        if code.startswith(cases.get(str(evidence.get("case_number", "")).strip(), "-"))
    }


def holds_of_alert(session: Session, alert: AlertRow) -> list[HoldRow]:
    """List the holds in force that cover an alert. The caller checks the rights to the alert."""
    cases = {
        str(evidence.get("case_number", "")).strip()
        for evidence in session.scalars(select(Transition.evidence).where(Transition.alert_id == alert.id))
    }
    return [
        row
        for row in holds_in_force(session)
        if row.alert_id == alert.id
        or (row.kind == "area" and alert.grid_code.startswith(row.code))
        or (row.kind == "case" and row.case_number in cases and alert.grid_code.startswith(row.code))
    ]


def visible_holds(session: Session, viewer: Viewer, limit: int = 500) -> Sequence[HoldRow]:
    """List all holds of the viewer's area, those in force first."""
    query = select(HoldRow).where(visible_to(HoldRow.code, viewer))
    return list(session.scalars(query.order_by(HoldRow.released_at.is_not(None), HoldRow.id.desc()).limit(limit)))


def visible_hold(session: Session, viewer: Viewer, hold_id: int) -> HoldRow | None:
    """Return one hold of the viewer's area, or None."""
    return session.scalar(select(HoldRow).where(HoldRow.id == hold_id, visible_to(HoldRow.code, viewer)))
