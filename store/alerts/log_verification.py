"""Verification of the hash chain of one alert's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from enforcement.hash_chain import first_break
from store.alerts.transitions import chain_row


@dataclass(frozen=True)
class BrokenChain:
    """An alert whose log was tampered with.

    Attributes:
        alert_id: id of the alert's row.
        number: number of the alert.
        sequence: position in the log of the first transition that is missing or changed.
        difference: as of :class:`enforcement.hash_chain.Break`; ``state``: the states of two transitions, or of the
            alert and its last transition, are inconsistent; ``alert``: the alert itself is missing.
        reason: explanation for people.
    """

    alert_id: int
    number: str
    sequence: int
    difference: str
    reason: str


_DIFFERENCES = {
    "missing": "transition {0} is missing: the next one that is there is number {1}",
    "number": "transition {0} carries the number {1}: it was renumbered or inserted",
    "link": "transition {0} does not hold the hash of the one before it: one was changed, removed or inserted there",
    "content": "transition {0} was changed: its content does not give its hash",
}


def verify_log(alert_id: int, number: str, state: str, log: Sequence[Any], initial: str) -> BrokenChain | None:
    """Verify the log of one alert.

    Args:
        alert_id: id of the alert's row.
        number: number of the alert.
        state: state in the alert's row.
        log: its transitions by sequence, as objects or as rows of a query.
        initial: state of an alert without transitions.

    Returns:
        the first fault; None: the log is intact and ends at the alert's state.
    """

    def fault(sequence: int, difference: str, reason: str) -> BrokenChain:
        return BrokenChain(alert_id, number, sequence, difference, reason)

    bad = first_break(chain_row(number, row) for row in log)
    if bad is not None:
        return fault(bad.sequence, bad.difference, _DIFFERENCES[bad.difference].format(bad.sequence, bad.found))
    for before, row in pairwise(log):
        if row.from_state != before.to_state:
            reason = f"transition {row.sequence} begins at {row.from_state}, not at {before.to_state}"
            return fault(row.sequence, "state", reason)
    last = log[-1].to_state if log else initial
    if state != last:
        reason = f"the alert is {state}, but its log ends at {last}: a step was removed or never written"
        return fault(len(log) + 1, "state", reason)
    return None
