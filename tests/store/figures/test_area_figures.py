"""Figures are those of the viewer's area; what was before the first record of an installation was not due."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from enforcement.figures.indicators import Share
from enforcement.figures.period import parse_period
from errors import SettingsError
from service.figures.figure_sheets import read_ranking_sheet
from store.access.rights import Viewer
from store.figures.area_figures import AreaFigures, levels_of, scope_for
from store.schema.chain.tip_tables import PatrolRow
from store.schema.database import Database
from tests.store.alerts.test_transitions import NOON
from tests.store.sample_rows import add_area, ground

ZONE, TODAY = ZoneInfo("Asia/Shanghai"), dt.date(2026, 11, 25)
COUNTY = Viewer("li", "李", "county", "130131", administrator=False, person_id=1)


def test_a_scope_is_never_larger_than_the_area_of_the_viewer() -> None:
    period = parse_period("2026-11")
    wide, foreign = (scope_for(COUNTY, code, period, TODAY, ZONE) for code in ("13", "130132"))
    assert (wide and wide.code, foreign) == ("130131", None)
    assert levels_of("130131", 1) == ["township", "village"]
    assert levels_of("130131001", 0) == ["village"]
    assert levels_of("", 3) == ["county", "township", "village"]


def test_patrols_are_due_from_the_first_record_on(sqlite: Database) -> None:
    with sqlite.write() as session:
        for code in ("130131", "130131001", "130131001001", "130131001002"):
            add_area(session, code, ground(0, 0, 100, 100))
        for number, (code, day) in enumerate((("130131001001", 3), ("130131001002", 12), ("130131001001", 12))):
            session.add(
                PatrolRow(
                    number=f"P{number}", area_code=code, day=dt.date(2026, 11, day), people="li", found=False,
                    created_by="li", created_at=NOON,
                )
            )  # fmt: skip
    with sqlite.read() as session:
        scope = scope_for(COUNTY, "", parse_period("2026"), TODAY, ZONE)
        assert scope is not None
        figures = AreaFigures(session, COUNTY, scope)
        ranking = figures.ranking("village")
        assert [(row.code, row.shares["patrols"]) for row in ranking.areas] == [
            ("130131001001", Share(2, 3)),
            ("130131001002", Share(1, 3)),
        ]
        sheet = read_ranking_sheet(
            session, COUNTY, "130131", parse_period("2026"), today=TODAY, zone=ZONE, language="zh", level="village"
        )
        assert [sheet.value(row, "patrols_counted") for row in sheet.rows] == [2, 1]
        assert sheet.title == "村（社区）考核排名"
        with pytest.raises(SettingsError):
            figures.ranking("county")
