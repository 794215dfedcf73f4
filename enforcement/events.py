"""What is told to others when something happens to an alert: CloudEvents 1.0, structured JSON."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Literal, get_args

EventKind = Literal[
    "tuban.alert.created",
    "tuban.alert.seen_again",
    "tuban.alert.returned",
    "tuban.alert.state_changed",
    "tuban.alert.suppressed",
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)

CONTENT_TYPE = "application/cloudevents+json"
"""Of an event as a whole."""
DATA_TYPE = "application/geo+json"
"""Of what is in it."""


def cloud_event(
    feature: dict[str, Any], *, event_id: str, kind: str, at: dt.datetime, source: str, sequence: int
) -> dict[str, Any]:
    """Wrap an alert's feature into an event.

    Args:
        feature: as :func:`enforcement.alert.alert_feature` returns it.
        event_id: stays the same however often the event is sent, so that a receiver can drop repetitions.
        kind: one of :data:`EVENT_KINDS`.
        at: when it happened; aware.
        source: URI reference of this installation.
        sequence: 1, 2, 3 … among the events of this alert (the ``sequence`` extension of CloudEvents).

    Raises:
        ValueError: ``kind`` is none, or ``at`` has no time zone.
    """
    if kind not in EVENT_KINDS:
        raise ValueError(f"{kind!r} is no kind of event; expected one of {', '.join(EVENT_KINDS)}")
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "subject": feature["properties"]["number"],
        "time": at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sequence": str(sequence),
        "sequencetype": "Integer",
        "datacontenttype": DATA_TYPE,
        "data": feature,
    }


def event_json(event: dict[str, Any]) -> bytes:
    """The event as it is sent: the same bytes each time."""
    return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
