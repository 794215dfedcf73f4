"""Events about alerts for other systems: CloudEvents 1.0, structured JSON."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Literal, get_args

EventKind = Literal[
    "tuban.alert.created",
    "tuban.alert.seen_again",
    "tuban.alert.grown",
    "tuban.alert.merged",
    "tuban.alert.vanished",
    "tuban.alert.returned",
    "tuban.alert.state_changed",
    "tuban.alert.suppressed",
    "tuban.share.granted",
    "tuban.share.withdrawn",
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)

CONTENT_TYPE = "application/cloudevents+json"
"""Content type of an event."""
DATA_TYPE = "application/geo+json"
"""Content type of its data."""


def cloud_event(
    feature: dict[str, Any], *, event_id: str, kind: str, time: dt.datetime, source: str, sequence: int
) -> dict[str, Any]:
    """Wrap the GeoJSON feature of an alert in an event.

    Args:
        feature: as :func:`enforcement.alert.alert_feature` returns it.
        event_id: unchanged when the event is sent again, so that receivers can drop duplicates.
        kind: one of :data:`EVENT_KINDS`.
        time: time of the event, timezone-aware.
        source: URI reference of this installation.
        sequence: 1, 2, 3 … of the events of this alert (the ``sequence`` extension of CloudEvents).

    Raises:
        ValueError: unknown ``kind``, or ``time`` has no time zone.
    """
    if kind not in EVENT_KINDS:
        raise ValueError(f"unknown event type {kind!r}; expected one of {', '.join(EVENT_KINDS)}")
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone")
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "subject": feature["properties"]["number"],
        "time": time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sequence": str(sequence),
        "sequencetype": "Integer",
        "datacontenttype": DATA_TYPE,
        "data": feature,
    }


def encode_event(event: dict[str, Any]) -> bytes:
    """Encode an event as JSON; equal events give equal bytes."""
    return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
