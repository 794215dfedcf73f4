"""Events about alerts as CloudEvents 1.0."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest

from enforcement.events import EVENT_KINDS, cloud_event, encode_event

FEATURE = {"type": "Feature", "geometry": None, "properties": {"number": "330106W2026110001", "village": "东穆坞村"}}
TIME = dt.datetime(2026, 12, 2, 2, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))


def _event(**other: Any) -> dict[str, Any]:
    arguments = {"event_id": "1", "kind": "tuban.alert.created", "time": TIME, "source": "/tuban/330106", "sequence": 2}
    return cloud_event(FEATURE, **(arguments | other))


def test_event_has_the_attributes_required_by_cloudevents() -> None:
    event = _event()
    assert (event["specversion"], event["id"], event["source"]) == ("1.0", "1", "/tuban/330106")
    assert event["type"] == "tuban.alert.created"
    assert (event["subject"], event["datacontenttype"]) == ("330106W2026110001", "application/geo+json")
    assert event["data"] == FEATURE


def test_attribute_names_are_lower_case_letters_and_digits() -> None:
    assert [name for name in _event() if not re.fullmatch("[a-z0-9]{1,20}", name)] == []


def test_time_is_rfc_3339_in_utc() -> None:
    assert _event()["time"] == "2026-12-01T18:30:00.000Z"


def test_sequence_follows_the_cloudevents_extension() -> None:
    event = _event(sequence=12)
    assert (event["sequence"], event["sequencetype"]) == ("12", "Integer")


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_every_event_type_is_accepted(kind: str) -> None:
    assert _event(kind=kind)["type"].startswith(("tuban.alert.", "tuban.share."))


@pytest.mark.parametrize("other", [{"kind": "tuban.alert.exploded"}, {"time": TIME.replace(tzinfo=None)}])
def test_unknown_type_and_time_without_time_zone_raise(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown event type|time zone"):
        _event(**other)


def test_equal_events_are_encoded_as_equal_utf_8_bytes() -> None:
    event = _event()
    assert encode_event(event) == encode_event(json.loads(encode_event(event)))
    assert "东穆坞村".encode() in encode_event(event)
