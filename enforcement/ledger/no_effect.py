"""Comparisons that found nothing at an alert and tell nothing new: the state that is known needs no derivation.

Most comparisons find nothing at most of the alerts that they show. Deriving these again costs more the longer the
archive is, and nearly always gives the same state. The rule follows from :mod:`enforcement.ledger.derive`:

- A comparison whose earlier image shows the works already says that they stand, which is known. It does not measure
  them, and it is no miss of the detector (rules 2 and 4).
- After the end of the works, and where only a demolition was seen, a comparison that found nothing says nothing.

Both hold only if its later image is the latest one, and if no other comparison of that day is one that it speaks for or
against: a detected change, or a whole comparison that found nothing.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class KnownDates:
    """Dates of an alert that were derived from its other sightings, as of :class:`LedgerState`."""

    not_yet_on: dt.date | None
    there_on: dt.date | None
    gone_on: dt.date | None


@dataclass(frozen=True)
class EmptyComparison:
    """Days of the images of a comparison that found nothing at an alert."""

    before: dt.date | None
    after: dt.date | None


def has_no_effect(
    comparison: EmptyComparison,
    known: KnownDates,
    *,
    latest_on: dt.date | None,
    same_day: tuple[EmptyComparison, ...] = (),
    changed_on_day: bool = False,
) -> bool:
    """Return whether dates, outline, kind and confidence of an alert are the same without a comparison.

    Args:
        comparison: it shows some of the alert's ground from above and found nothing there.
        known: dates of the alert, derived from all other sightings.
        latest_on: day of the latest image of the other sightings; None: there are none.
        same_day: other comparisons with a later image of the same day that found nothing.
        changed_on_day: whether a sighting of the same day found a change.
    """
    before, after = comparison.before, comparison.after
    if before is None or after is None or (latest_on is not None and latest_on > after) or changed_on_day:
        return False
    if known.there_on is None:
        return known.gone_on is not None
    ended = known.gone_on is not None
    if known.gone_on is not None and known.gone_on >= after:
        return False
    measured = known.not_yet_on or dt.date.min
    decisive = same_day if ended else (comparison, *same_day)  # works may have ended by another comparison of this day
    return all(one.before is not None and one.before > measured for one in decisive)
