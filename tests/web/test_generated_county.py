"""The generated county of the benchmarks fits the tables of this version, and its alerts can be reviewed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sqlalchemy import select

from benchmarks.generated_county import fill
from benchmarks.many_tiles import write_tiles
from imagery import open_scene
from store.schema.database import Database
from store.schema.tables import AlertRow

NOW = dt.datetime(2026, 11, 20, 1, tzinfo=dt.UTC)


def test_the_county_has_the_alerts_that_were_asked_for(sqlite: Database) -> None:
    middle = fill(sqlite, 20, 2, NOW)
    with sqlite.read() as session:
        numbers = session.scalars(select(AlertRow.number)).all()
    assert (len(numbers), middle in numbers) == (20, True)


def test_tiles_differ_in_place_and_content(tmp_path: Path) -> None:
    write_tiles(tmp_path / "tiles", 2)
    paths = sorted((tmp_path / "tiles").iterdir())
    with open_scene(paths[0]) as first, open_scene(paths[1]) as second:
        assert first.sha256 != second.sha256
        assert first.geobox.boundingbox.right == second.geobox.boundingbox.left
        assert str(second.date) == "2026-05-01"
