"""Events for the hooks of receiving bodies: only of what a body sees, with the fields that it may see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry import mapping
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert import Alert
from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.sharing.fields import shown_outline, shown_values
from store.schema.chain.sharing_tables import BodyRow, ShareRow
from store.schema.tables import AlertRow
from store.sharing.shares import ShareChange, bodies_that_see, determinations, sees

PREFIX = "body:"
"""Begin of the target of a delivery to a body's hook; its key follows."""

WITHDRAWN = "tuban.share.withdrawn"


@dataclass(frozen=True)
class BodyTargets:
    """The bodies with a hook that see each of some alerts, by alert id, and the determinations of these alerts."""

    bodies: Mapping[int, Sequence[tuple[BodyRow, str]]]
    withdrawn: Mapping[int, Sequence[tuple[BodyRow, str]]]
    determinations: Mapping[int, str]

    def events(self, row: AlertRow, alert: Alert, event: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Return target and event for each body: the same event, with that body's fields as its data."""
        found = []
        for body, target in self.bodies.get(row.id, ()):
            data = shown_feature(alert, self.determinations.get(row.id, ""), body.fields)
            found.append((target, {**event, "data": data}))
        for _, target in self.withdrawn.get(row.id, ()):
            found.append((target, {**event, "type": WITHDRAWN, "data": shown_feature(alert, "", ())}))
        return found


def body_target(body: BodyRow, settings: ServiceSettings) -> str | None:
    """Return the target of a body's hook; None: the settings name none."""
    return f"{PREFIX}{body.key}" if any(hook.body == body.key for hook in settings.delivery.body_hooks) else None


def body_targets(
    session: Session,
    events: Sequence[tuple[AlertRow, str]],
    changes: Sequence[ShareChange],
    settings: ServiceSettings,
) -> BodyTargets:
    """Return the bodies to which the events of these alerts go.

    Args:
        session: a transaction.
        events: alert and kind of event.
        changes: shares that these events have made or withdrawn.
        settings: name the hooks.
    """
    if not settings.delivery.body_hooks:
        return BodyTargets({}, {}, {})
    ids = {row.id for row, _ in events}
    seen = {
        alert_id: [(body, target) for body in bodies if (target := body_target(body, settings)) is not None]
        for alert_id, bodies in bodies_that_see(session, ids).items()
    }
    withdrawn: dict[int, list[tuple[BodyRow, str]]] = {}
    for change in changes:
        target = body_target(change.body, settings)
        if not change.granted and target is not None:
            withdrawn.setdefault(change.alert.id, []).append((change.body, target))
    return BodyTargets(seen, withdrawn, determinations(session, ids))


def shown_feature(alert: Alert, determination: str, fields: Sequence[str]) -> dict[str, Any]:
    """Return an alert as a GeoJSON feature with the fields that a body may see; values in Chinese."""
    values = shown_values(alert, determination, fields, SheetTexts("zh"))
    outline = shown_outline(alert, fields)
    return {
        "type": "Feature",
        "id": alert.number,
        "geometry": None if outline is None else dict(mapping(outline)),
        "properties": {name: _json(value) for name, value in values.items()},
    }


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value


def may_receive(session: Session, target: str, alert_number: str, kind: str) -> BodyRow | None:
    """Return the body of a target if it may still receive an event; None: its view has ended meanwhile."""
    body = session.scalar(select(BodyRow).where(BodyRow.key == target.removeprefix(PREFIX)))
    if body is None or kind == WITHDRAWN:
        return body
    query = select(ShareRow.id).join(AlertRow, AlertRow.id == ShareRow.alert_id)
    seen = session.scalar(query.where(*sees(body), AlertRow.number == alert_number))
    return body if seen is not None else None
