"""Three weeks of a small simulated county: legal steps, right deadlines, own rows, numbers and messages once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.year_parts.checks import Checks
from benchmarks.year_parts.county import Scale
from benchmarks.year_parts.run import Year
from store.schema.database import Database
from tests.databases import embedded_database

SMALL = Scale(townships=2, villages=4, officers=18, nights=9, days=21, sites=90.0, tips=120, flights=1)


def run_weeks(database: Database, home: Path) -> tuple[Year, Checks]:
    """Run three weeks with checks, and return them."""
    year, checks = Year(database, home, 1, SMALL), Checks(viewers=5)
    year.run(checks.week)
    checks.end(year)
    return year, checks


@pytest.mark.slow
def test_three_weeks_of_a_county_are_without_fault(tmp_path: Path) -> None:
    database = embedded_database(tmp_path / "tuban.db")
    year, checks = run_weeks(database, tmp_path)
    database.close()
    assert checks.faults == []
    assert checks.weeks == 3
    assert sum(year.casework.taken.values()) > 40
    assert len(year.service.post.received) > 40
