"""Alert numbers and week names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from enforcement.settings import Source, read_enforcement
from errors import SettingsError

COUNTY_DIGITS = 6


def alert_number(
    county_code: str, source: str, day: dt.date, running: int, sources: Mapping[str, Source] | None = None
) -> str:
    """Format an alert number: county code, letter of the source, year and month, running number.

    >>> alert_number("130131", "drone", dt.date(2026, 11, 25), 7)
    '130131U2026110007'

    Args:
        county_code: 6 digits (GB/T 2260); longer codes are truncated, shorter ones padded with 0.
        source: key of ``sources``.
        day: local date on which the alert was created.
        running: running number, from 1, per county, source and month; four or more digits.
        sources: sources by name; None: those of ``configs/enforcement.yaml``.

    Raises:
        SettingsError: the code contains non-digits, the source is unknown, or ``running`` is below 1.
    """
    known = read_enforcement().sources if sources is None else sources
    if not (county_code.isascii() and county_code.isdigit()):
        raise SettingsError(f"{county_code!r} is not an administrative code: expected six digits, like 130131.")
    if source not in known:
        raise SettingsError(f"Unknown source of alerts {source!r}; configs/enforcement.yaml lists {', '.join(known)}.")
    if running < 1:
        raise SettingsError(f"The running number of an alert is {running}; expected 1 or more.")
    county = county_code[:COUNTY_DIGITS].ljust(COUNTY_DIGITS, "0")
    return f"{county}{known[source].letter}{day:%Y%m}{running:04d}"


def iso_week(day: dt.date) -> str:
    """Return the ISO week of a day, like ``2026-W48``, with the ISO year."""
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"
