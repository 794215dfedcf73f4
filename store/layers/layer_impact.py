"""What other layers change for open alerts: which approvals cover, which no longer, and which overlaps differ.

The same computation shows the effects of a version before it is used, applies them when it is, and finds the approvals
that have ended. Alerts that are closed or rejected keep the overlaps with which they were decided.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert_number import iso_week
from enforcement.events import EventKind
from enforcement.overlaps import find_overlaps, legal_weight, shares_by_kind, suppressing_approvals
from enforcement.settings import read_enforcement
from enforcement.states import read_states
from errors import Reason
from store.access.rights import starts_with
from store.alerts.land import Land
from store.alerts.outbox import announce_all
from store.alerts.recording import lock_alerts
from store.alerts.scan_record import SYSTEM
from store.alerts.transitions import append_transition, last_decision
from store.alerts.weekly_quota import rank_alerts
from store.chain_settings import read_chain_values
from store.schema.tables import AlertRow, Transition

Outcome = Literal["suppressed", "uncovered", "decided", "changed", "same"]
"""Covered by approvals from now on; no longer covered; covered, but a person has decided; other overlaps; the same."""

OUTCOMES: tuple[Outcome, ...] = ("suppressed", "uncovered", "decided", "changed")

LISTED = 500
"""Alerts of each outcome that are listed by number; further ones are only counted."""

_CHECKED = ("open", "correcting", "suppressed")
_PAGE = 300
_SAME_SHARE = 0.005  # differences of shares below it are rounding of boundaries


@dataclass(frozen=True)
class Effect:
    """What the layers say about one alert, compared with what is stored.

    Attributes:
        alert_id: id of the alert.
        number: its number.
        outcome: see :data:`Outcome`.
        before: share by kind of land as stored.
        after: share by kind of land now.
        weight: legal weight before and after.
        overlaps: new overlaps.
        reason: why approvals cover it; "": they do not.
        version: of the row that was compared.
    """

    alert_id: int
    number: str
    outcome: Outcome
    before: Mapping[str, float]
    after: Mapping[str, float]
    weight: tuple[int, int]
    overlaps: list[dict[str, Any]]
    reason: str
    version: int


def find_effects(
    session: Session,
    land: Land,
    settings: ServiceSettings,
    today: dt.date,
    *,
    area_code: str = "",
    only_suppressed: bool = False,
    alert_ids: Sequence[int] | None = None,
    progress: Callable[[float], None] = lambda _share: None,
) -> list[Effect]:
    """Compare all open and suppressed alerts with layers, in the order of their ids.

    Args:
        session: a transaction.
        land: the layers.
        settings: define the share that approvals have to cover.
        today: local day, on which approvals must not have ended.
        area_code: only alerts under this code.
        only_suppressed: only alerts that approvals cover so far.
        alert_ids: only these alerts; None: all.
        progress: is told the share of the alerts that is compared.
    """
    states = read_states()
    categories = ("suppressed",) if only_suppressed else _CHECKED
    names = [name for name in states.states if states.category(name) in categories]
    conditions = [AlertRow.state.in_(names), starts_with(AlertRow.grid_code, area_code)]
    if alert_ids is not None:
        conditions.append(AlertRow.id.in_(alert_ids))
    total = session.scalar(select(func.count(AlertRow.id)).where(*conditions)) or 0
    ended_day = None if read_chain_values(session).flag("layers.ended_covers") else today
    effects: list[Effect] = []
    after_id = 0
    while True:
        page = session.execute(
            select(
                AlertRow.id,
                AlertRow.number,
                AlertRow.state,
                AlertRow.outline,
                AlertRow.grid_code,
                AlertRow.last_date,
                AlertRow.overlaps,
                AlertRow.legal_weight,
                AlertRow.version,
            )
            .where(*conditions, AlertRow.id > after_id)
            .order_by(AlertRow.id)
            .limit(_PAGE)
        ).all()
        if not page:
            return effects
        roles = _last_roles(session, [row.id for row in page])
        effects += [_effect(session, row, land, settings, ended_day, roles.get(row.id) == SYSTEM) for row in page]
        after_id = page[-1].id
        progress(len(effects) / max(total, 1))


def _effect(
    session: Session, row: Any, land: Land, settings: ServiceSettings, today: dt.date | None, by_system: bool
) -> Effect:
    states = read_states()
    features = land.features(session, row.outline, row.grid_code)
    overlaps = find_overlaps(row.outline, features, row.last_date, land.layers_at(row.grid_code))
    approval = suppressing_approvals(row.outline, features, row.last_date, settings.alerts.approved_share, today)
    before, after = shares_by_kind(row.overlaps or []), shares_by_kind(overlaps)
    weight = legal_weight(overlaps, read_enforcement().legal_weight)
    category = states.category(row.state)
    outcome: Outcome = "same"
    if _differ(before, after) or weight != row.legal_weight:
        outcome = "changed"
    if category == "suppressed" and not approval and by_system:
        outcome = "uncovered"
    elif category == "open" and approval:
        may = by_system and "suppressed" in states.allowed_targets(row.state, SYSTEM)
        outcome = "suppressed" if may else "decided"
    return Effect(
        row.id, row.number, outcome, before, after, (row.legal_weight, weight), overlaps, approval or "", row.version
    )


def _differ(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    return any(abs(before.get(kind, 0.0) - after.get(kind, 0.0)) > _SAME_SHARE for kind in {*before, *after})


def _last_roles(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return the role of the last transition of each alert."""
    rows = session.execute(
        select(Transition.alert_id, Transition.role)
        .where(Transition.alert_id.in_(ids))
        .order_by(Transition.alert_id, Transition.sequence)
    )
    return {alert_id: role for alert_id, role in rows}  # noqa: C416  (the last row of each alert wins)


def apply_effects(
    session: Session,
    effects: Sequence[Effect],
    land: Land,
    settings: ServiceSettings,
    now: dt.datetime,
    *,
    why_covered: Callable[[str], Reason],
    why_uncovered: Reason,
    evidence: Mapping[str, Any],
) -> list[Effect]:
    """Write new overlaps, suppress and return alerts, rank their weeks again and announce what moved.

    An alert that was changed since its effect was found is compared again.

    Args:
        session: a writing transaction.
        effects: of :func:`find_effects` with the same layers.
        land: the layers.
        settings: quota, targets of events, time zone.
        now: current time.
        why_covered: returns the reason of a suppression, from the approvals that cover the alert.
        why_uncovered: reason of a return.
        evidence: of these transitions; names the layer and version.

    Returns:
        what was applied.
    """
    lock_alerts(session)
    today = now.astimezone(settings.zone).date()
    current = _current(session, effects, land, settings, today)
    events: list[tuple[AlertRow, EventKind]] = []
    changes: dict[tuple[int, str], dict[str, Any]] = {}
    weeks: set[tuple[str, str]] = set()
    for effect in current:
        values: dict[str, Any] = {"overlaps": effect.overlaps, "legal_weight": effect.weight[1]}
        if effect.outcome in ("same", "changed", "decided"):
            # without a new version of the row: a person who has the alert open is not interrupted
            statement = update(AlertRow).where(AlertRow.id == effect.alert_id).values(**values)
            session.execute(statement, execution_options={"synchronize_session": False})
            if effect.weight[0] != effect.weight[1]:
                weeks |= _week_of(session, effect.alert_id)
            continue
        alert = session.get_one(AlertRow, effect.alert_id, populate_existing=True)
        alert.overlaps, alert.legal_weight = values["overlaps"], effect.weight[1]
        weeks.add((alert.grid_code, alert.week))
        kind: EventKind = "tuban.alert.suppressed"
        if effect.outcome == "suppressed":
            reason = why_covered(effect.reason)
            _move(session, alert, "suppressed", reason, dict(evidence) | {"approval": effect.reason}, settings, now)
        else:
            kind = "tuban.alert.returned"
            verdict = last_decision(session, alert)
            facts = dict(evidence) | {"reason": why_uncovered, **verdict}
            _move(session, alert, "returned", why_uncovered, facts, settings, now)
            # it counts towards the quota of the week in which it returns
            alert.week, alert.rank, alert.over_cap = iso_week(today), None, False
            weeks.add((alert.grid_code, alert.week))
            areas = {"area_m2_before": round(alert.area_m2, 2), "area_m2_after": round(alert.area_m2, 2)}
            changes[alert.id, kind] = {"what": "reopened", **areas, **verdict}
        events.append((alert, kind))
    session.flush()
    for alert in rank_alerts(session, weeks, settings.alerts.cap_per_grid_and_week):
        events = [(row, kind) for row, kind in events if row is not alert]
        events.append((alert, "tuban.alert.returned" if alert.state == "returned" else "tuban.alert.created"))
    announce_all(session, [(row, kind) for row, kind in events if not row.over_cap], settings, now, changes)
    return current


def _current(
    session: Session, effects: Sequence[Effect], land: Land, settings: ServiceSettings, today: dt.date
) -> list[Effect]:
    """Return the effects, found again for alerts that were changed meanwhile; alerts that were closed are left out."""
    versions: dict[int, int] = {}
    for start in range(0, len(effects), _PAGE):
        ids = [effect.alert_id for effect in effects[start : start + _PAGE]]
        rows = session.execute(select(AlertRow.id, AlertRow.version).where(AlertRow.id.in_(ids)))
        versions |= {alert_id: version for alert_id, version in rows}  # noqa: C416  (rows are no pairs to mypy)
    stale = [effect.alert_id for effect in effects if versions.get(effect.alert_id) != effect.version]
    fresh = find_effects(session, land, settings, today, alert_ids=stale) if stale else []
    again = {effect.alert_id: effect for effect in fresh}
    kept = [again.get(e.alert_id) if e.alert_id in set(stale) else e for e in effects]
    return [effect for effect in kept if effect is not None]


def _move(
    session: Session,
    alert: AlertRow,
    state: str,
    why: str,
    evidence: dict[str, Any],
    settings: ServiceSettings,
    now: dt.datetime,
) -> None:
    append_transition(
        session, alert, state, who=SYSTEM, role=SYSTEM, why=why, at=now, evidence=evidence, zone=settings.zone
    )


def _week_of(session: Session, alert_id: int) -> set[tuple[str, str]]:
    row = session.execute(select(AlertRow.grid_code, AlertRow.week).where(AlertRow.id == alert_id)).one()
    return {(row.grid_code, row.week)}


def impact_json(effects: Sequence[Effect]) -> dict[str, Any]:
    """Return what is kept with a version: counts, and the alerts of each outcome that are listed."""
    counts = Counter(effect.outcome for effect in effects)
    listed: dict[str, list[dict[str, Any]]] = {}
    for outcome in OUTCOMES:
        of_outcome = [effect for effect in effects if effect.outcome == outcome]
        # the largest differences first
        of_outcome.sort(key=lambda e: (-abs(e.weight[1] - e.weight[0]), e.number))
        listed[outcome] = [
            {
                "number": effect.number,
                "before": dict(effect.before),
                "after": dict(effect.after),
                "weight": list(effect.weight),
                "why": {"words": str(effect.reason), **Reason.json_of(effect.reason)} if effect.reason else None,
            }
            for effect in of_outcome[:LISTED]
        ]
    return {"checked": len(effects), "counts": {o: counts.get(o, 0) for o in (*OUTCOMES, "same")}, "alerts": listed}
