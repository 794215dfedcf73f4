"""Events about alerts are CloudEvents 1.0."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest

from enforcement.events import EVENT_KINDS, cloud_event, event_json

FEATURE = {"type": "Feature", "geometry": None, "properties": {"number": "330106W2026110001", "village": "东穆坞村"}}
AT = dt.datetime(2026, 12, 2, 2, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))


def _event(**other: Any) -> dict[str, Any]:
    given = {"event_id": "1", "kind": "tuban.alert.created", "at": AT, "source": "/tuban/330106", "sequence": 2}
    return cloud_event(FEATURE, **(given | other))


def test_an_event_has_what_cloudevents_require() -> None:
    event = _event()
    assert (event["specversion"], event["id"], event["source"]) == ("1.0", "1", "/tuban/330106")
    assert event["type"] == "tuban.alert.created"
    assert (event["subject"], event["datacontenttype"]) == ("330106W2026110001", "application/geo+json")
    assert event["data"] == FEATURE


def test_names_of_attributes_are_lower_case_letters_and_digits() -> None:
    assert [name for name in _event() if not re.fullmatch("[a-z0-9]{1,20}", name)] == []


def test_the_time_is_told_in_utc_as_rfc_3339_says() -> None:
    assert _event()["time"] == "2026-12-01T18:30:00.000Z"


def test_the_sequence_is_told_as_the_extension_says() -> None:
    event = _event(sequence=12)
    assert (event["sequence"], event["sequencetype"]) == ("12", "Integer")


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_each_kind_of_event_is_one_of_tubans(kind: str) -> None:
    assert _event(kind=kind)["type"].startswith("tuban.alert.")


@pytest.mark.parametrize("other", [{"kind": "tuban.alert.exploded"}, {"at": AT.replace(tzinfo=None)}])
def test_an_unknown_kind_and_a_moment_without_a_zone_are_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind of event|time zone"):
        _event(**other)


def test_an_event_is_sent_as_the_same_utf_8_bytes_each_time() -> None:
    event = _event()
    assert event_json(event) == event_json(json.loads(event_json(event)))
    assert "东穆坞村".encode() in event_json(event)
