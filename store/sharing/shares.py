"""Which alerts a receiving body sees: the one rule of its page, its API, its files and its hook.

A body sees an alert while it is active, the alert lies in its area, and a share of it is in force. Shares come from the
body's rule or from a person with a letter; a share that a person withdrew is not made again by the rule.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from enforcement.figures.facts_from_steps import land_areas
from enforcement.sharing.matters import DETERMINATIONS, MatterFacts, Matters
from errors import SettingsError
from store.access.rights import starts_with
from store.schema.chain.sharing_tables import BodyRow, ShareRow
from store.schema.tables import AlertRow, Transition
from store.sharing.bodies import SUPPLIER, active_bodies

SYSTEM = "system"
REOPENED = ("returned", "disputed", "reviewed")
"""States in which an alert is judged again, so that an earlier determination no longer holds."""

_GONE = ("merged", "split", "withdrawn")
_PAGE = 500


@dataclass(frozen=True)
class ShareChange:
    """A share that was made (``granted``) or withdrawn."""

    body: BodyRow
    alert: AlertRow
    granted: bool


def sees(body: BodyRow) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on a join of shares and alerts under which ``body`` sees an alert."""
    return (
        ShareRow.body_id == (body.id if body.active and body.kind != SUPPLIER else -1),
        ShareRow.withdrawn_at.is_(None),
        starts_with(AlertRow.grid_code, body.code),
    )


def determinations(session: Session, alert_ids: Collection[int]) -> dict[int, str]:
    """Return the determination in force of each alert that has one; steps that were taken back do not count."""
    rows = session.execute(
        select(Transition.alert_id, Transition.sequence, Transition.to_state, Transition.evidence)
        .where(Transition.alert_id.in_(alert_ids))
        .order_by(Transition.alert_id, Transition.sequence)
    )
    steps: dict[int, list[tuple[int, str]]] = {}
    for alert_id, sequence, state, evidence in rows:
        log = steps.setdefault(alert_id, [])
        if "undoes" in evidence:
            log[:] = [step for step in log if step[0] < int(evidence["undoes"])]
        else:
            log.append((sequence, state))
    found: dict[int, str] = {}
    for alert_id, log in steps.items():
        for _, state in log:
            if state in DETERMINATIONS:
                found[alert_id] = state
            elif state in REOPENED:
                found.pop(alert_id, None)
    return found


def apply_rules(
    session: Session, alerts: Sequence[AlertRow], now: dt.datetime, bodies: Sequence[BodyRow] | None = None
) -> list[ShareChange]:
    """Share alerts with the bodies whose rule they meet, and withdraw what a rule shared and no longer covers.

    Args:
        session: a writing transaction.
        alerts: those that may have changed.
        now: current time.
        bodies: None: all active ones with a rule.

    Returns:
        the shares that were made or withdrawn.
    """
    ruled = [body for body in (active_bodies(session) if bodies is None else bodies) if body.by_rule and body.active]
    if not ruled or not alerts:
        return []
    ids = [alert.id for alert in alerts]
    found = determinations(session, ids)
    shares: dict[tuple[int, int], list[ShareRow]] = {}
    for first in range(0, len(ids), _PAGE):
        for row in session.scalars(select(ShareRow).where(ShareRow.alert_id.in_(ids[first : first + _PAGE]))):
            shares.setdefault((row.body_id, row.alert_id), []).append(row)
    changes: list[ShareChange] = []
    for body in ruled:
        matters = Matters.from_json(body.matters)
        for alert in alerts:
            rows = shares.get((body.id, alert.id), [])
            in_force = next((row for row in rows if row.withdrawn_at is None), None)
            concerns = (
                alert.grid_code.startswith(body.code)
                and alert.state not in _GONE
                and matters.include(matter_facts(alert, found.get(alert.id, "")))
            )
            if concerns and not any(row.withdrawn_by != SYSTEM for row in rows):
                session.add(
                    ShareRow(
                        body_id=body.id, alert_id=alert.id, origin="rule", reason=body.name, shared_by=SYSTEM,
                        shared_at=now,
                    )
                )  # fmt: skip
                changes.append(ShareChange(body, alert, granted=True))
            elif not concerns and in_force is not None and in_force.origin == "rule":
                in_force.withdrawn_by, in_force.withdrawn_at = SYSTEM, now
                changes.append(ShareChange(body, alert, granted=False))
    session.flush()
    return changes


def apply_rules_to_all(session: Session, now: dt.datetime, body: BodyRow | None = None) -> list[ShareChange]:
    """Apply the rules to all alerts, for a body that was changed or once a night; see :func:`apply_rules`."""
    bodies = [body] if body is not None else active_bodies(session)
    last, changes = 0, []
    while any(one.by_rule and one.active for one in bodies):
        query = select(AlertRow).where(AlertRow.id > last).order_by(AlertRow.id).limit(_PAGE)
        alerts = list(session.scalars(query))
        if not alerts:
            break
        changes += apply_rules(session, alerts, now, bodies)
        last = alerts[-1].id
    return changes


def matter_facts(alert: AlertRow, determination: str) -> MatterFacts:
    """Return what a body's rule looks at."""
    area, cultivated, basic = land_areas(alert.area_m2, alert.overlaps)
    return MatterFacts(
        alert.grid_code, alert.kind, alert.state, determination, cultivated, basic, area, alert.state == "case"
    )


def share_by_letter(
    session: Session, body: BodyRow, alert: AlertRow, *, who: str, reason: str, letter: str, now: dt.datetime
) -> ShareRow:
    """Share an alert with a body by a person's decision (抄告). The caller checks the rights to both.

    Raises:
        SettingsError: no reason is given, the body sees it already, or it lies outside the body's area.
    """
    if not reason.strip():
        raise SettingsError("State why the alert is shared.", "sharing.reason")
    if body.kind == SUPPLIER or not body.active or not alert.grid_code.startswith(body.code):
        raise SettingsError(
            f"{alert.number} cannot be shared with {body.name}: it lies outside that body's area, or the body is a "
            "supplier or inactive.",
            "sharing.outside",
            alert=alert.number,
            body=body.name,
        )
    given = (ShareRow.body_id == body.id, ShareRow.alert_id == alert.id, ShareRow.withdrawn_at.is_(None))
    if session.scalar(select(ShareRow.id).where(*given)) is not None:
        raise SettingsError(
            f"{alert.number} is shared with {body.name} already.",
            "sharing.twice",
            alert=alert.number,
            body=body.name,
        )
    row = ShareRow(
        body_id=body.id, alert_id=alert.id, origin="letter", letter=letter.strip()[:100], reason=reason.strip()[:1000],
        shared_by=who, shared_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def withdraw_share(session: Session, share: ShareRow, *, who: str, why: str, now: dt.datetime) -> None:
    """End a body's view of an alert.

    Raises:
        SettingsError: no reason is given.
    """
    if not why.strip():
        raise SettingsError("State why the share is withdrawn.", "sharing.reason")
    if share.withdrawn_at is None:
        share.withdrawn_by, share.withdrawn_at, share.withdrawn_why = who, now, why.strip()[:1000]
        session.flush()


def bodies_that_see(session: Session, alert_ids: Collection[int]) -> dict[int, list[BodyRow]]:
    """Return the active bodies that see each of some alerts, by alert id; alerts that nobody sees are left out."""
    found: dict[int, list[BodyRow]] = {}
    for body in active_bodies(session):
        query = select(ShareRow.alert_id).join(AlertRow, AlertRow.id == ShareRow.alert_id)
        for alert_id in session.scalars(query.where(*sees(body), ShareRow.alert_id.in_(alert_ids))):
            found.setdefault(alert_id, []).append(body)
    return found


def shares_of_alert(session: Session, alert_id: int) -> list[tuple[ShareRow, BodyRow]]:
    """List all shares of an alert with their bodies, the latest first. The caller checks the rights to the alert."""
    rows = session.execute(
        select(ShareRow, BodyRow)
        .join(BodyRow, BodyRow.id == ShareRow.body_id)
        .where(ShareRow.alert_id == alert_id)
        .order_by(ShareRow.id.desc())
    )
    return [(share, body) for share, body in rows]
