"""Stock of alerts in a period: what stood before, what came, what was signed off, what stands now.

An alert is in stock from its dispatch (from its recording where people reported it) until it leaves the open states. So
for every area: opening + added = removed + closing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Literal

from enforcement.figures.alert_facts import AlertFacts

DESK_STATES = ("new", "triaged", "published", "suppressed", "bad_imagery", "merged", "split", "withdrawn", "transient")
"""States in which an alert has not reached those who check it."""

REPORTED_BY_PEOPLE = ("tip", "patrol")

Movement = Literal["added", "stock", "removed", "added_removed"]

ADDED: tuple[Movement, ...] = ("added", "added_removed")
REMOVED: tuple[Movement, ...] = ("removed", "added_removed")
CLOSING: tuple[Movement, ...] = ("added", "stock")


def was_opened(facts: AlertFacts) -> bool:
    """Whether an alert has reached those who check it."""
    if facts.origin in REPORTED_BY_PEOPLE:
        return True
    return any(entry.state not in (*DESK_STATES, "false_change", "closed") for entry in facts.history)


def in_stock(facts: AlertFacts) -> bool:
    """Whether an alert waits for work outside of the desk."""
    return facts.open and was_opened(facts)


def movement(before: AlertFacts | None, now: AlertFacts, after: dt.datetime) -> Movement | None:
    """Return what happened to an alert in a period; None: it concerns neither its beginning nor its end.

    Args:
        before: facts at the beginning; None: it was not recorded yet.
        now: facts at the end.
        after: the beginning.
    """
    stood, stands = before is not None and in_stock(before), in_stock(now)
    if stood:
        return "stock" if stands else "removed"
    if stands:
        return "added"
    came_and_went = was_opened(now) and now.history and now.history[-1].at > after
    return "added_removed" if came_and_went and (before is None or not was_opened(before)) else None


def movements(
    before: Mapping[int, AlertFacts], now: Iterable[AlertFacts], after: dt.datetime
) -> list[tuple[AlertFacts, Movement]]:
    """Return the alerts that a period concerns: new ones first, then the stock, then those signed off."""
    order = {"added": 0, "added_removed": 1, "stock": 2, "removed": 3}
    found = [(facts, what) for facts in now if (what := movement(before.get(facts.alert_id), facts, after)) is not None]
    return sorted(found, key=lambda pair: (order[pair[1]], pair[0].found_on, pair[0].number))
