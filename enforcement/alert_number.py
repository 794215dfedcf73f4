"""Numbers of alerts and names of weeks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from enforcement.settings import Source, read_enforcement
from errors import SettingsError

COUNTY_DIGITS = 6


def alert_number(
    county_code: str, source: str, when: dt.date, running: int, sources: Mapping[str, Source] | None = None
) -> str:
    """An alert's number: county code, letter of the source, year and month, running number.

    >>> alert_number("130131", "drone", dt.date(2026, 11, 25), 7)
    '130131U2026110007'

    Args:
        county_code: 6 digits (GB/T 2260); of a longer code its county, a shorter one is filled with 0.
        source: a name of ``sources``.
        when: local date on which the alert was made.
        running: counts the alerts of one county, source and month from 1; four digits or more.
        sources: those of ``configs/enforcement.yaml``, if None.

    Raises:
        SettingsError: the code has other signs than digits, the source is not known, or ``running`` is not above 0.
    """
    known = read_enforcement().sources if sources is None else sources
    if not (county_code.isascii() and county_code.isdigit()):
        raise SettingsError(f"{county_code!r} is no administrative code: expected six digits, like 130131.")
    if source not in known:
        raise SettingsError(
            f"No source of alerts is called {source!r}; configs/enforcement.yaml has {', '.join(known)}."
        )
    if running < 1:
        raise SettingsError(f"{running} is no running number of an alert: they begin with 1.")
    county = county_code[:COUNTY_DIGITS].ljust(COUNTY_DIGITS, "0")
    return f"{county}{known[source].letter}{when:%Y%m}{running:04d}"


def iso_week(day: dt.date) -> str:
    """The ISO week of a day, like ``2026-W48``; the year is the one that the week counts to."""
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"
