"""Timestamps and outlines survive a round trip on both databases."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import shapely
from shapely import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError

from store.schema.database import Database
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import Area, Counter, ScheduleSlot

NOW = dt.datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=dt.UTC)


def _area(outline: BaseGeometry, code: str = "410122") -> Area:
    return Area(code=code, name="中牟县", level="county", loaded_at=NOW, **bounds_of(outline))


def _taken_at(database: Database, timestamp: dt.datetime) -> dt.datetime:
    """Store a timestamp and return what is read back."""
    with database.write() as session:
        session.add(ScheduleSlot(name="night", slot="2026-11-20", taken_at=timestamp, taken_by="host"))
    with database.read() as session:
        return session.scalars(select(ScheduleSlot.taken_at)).one()


def test_timestamps_are_stored_to_the_microsecond_and_returned_in_utc(database: Database) -> None:
    found = _taken_at(database, NOW)
    assert found == NOW
    assert found.tzinfo is dt.UTC


def test_a_timestamp_in_another_zone_is_converted_to_utc(database: Database) -> None:
    found = _taken_at(database, NOW.astimezone(ZoneInfo("Asia/Shanghai")))
    assert found == NOW
    assert found.utcoffset() == dt.timedelta(0)


def test_timestamps_are_compared_independently_of_their_zone(database: Database) -> None:
    _taken_at(database, NOW)
    with database.read() as session:
        for zone in (dt.UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")):
            before = (NOW - dt.timedelta(seconds=1)).astimezone(zone)
            after = (NOW + dt.timedelta(seconds=1)).astimezone(zone)
            assert session.scalars(
                select(ScheduleSlot.name).where(ScheduleSlot.taken_at > before, ScheduleSlot.taken_at < after)
            ).one()


def test_a_timestamp_without_a_zone_is_rejected(database: Database) -> None:
    with pytest.raises(StatementError, match="has no time zone"):
        _taken_at(database, NOW.replace(tzinfo=None))


def test_outlines_survive_a_round_trip_bit_by_bit(database: Database) -> None:
    outlines: dict[str, BaseGeometry] = {
        "plain": box(113.9, 34.6, 114.2, 34.9),
        "hole": Polygon(box(113, 34, 114, 35).exterior, [box(113.4, 34.4, 113.6, 34.6).exterior]),
        "parts": MultiPolygon([box(113, 34, 113.1, 34.1), box(113.5, 34, 113.6, 34.1)]),
    }
    with database.write() as session:
        session.add_all(_area(outline, code) for code, outline in outlines.items())
    with database.read() as session:
        for area in session.scalars(select(Area)):
            assert shapely.to_wkb(area.outline) == shapely.to_wkb(outlines[area.code])
            assert (area.west, area.south, area.east, area.north) == outlines[area.code].bounds
        for code, found in session.execute(select(Area.code, Area.outline)):
            assert found.equals(outlines[code])


def test_heights_are_dropped(database: Database) -> None:
    with database.write() as session:
        session.add(_area(shapely.force_3d(box(113, 34, 114, 35), 80.0)))
    with database.read() as session:
        assert not session.scalars(select(Area.outline)).one().has_z


def test_an_outline_can_be_changed(database: Database) -> None:
    with database.write() as session:
        session.add(_area(box(113, 34, 114, 35)))
    with database.write() as session:
        area = session.scalars(select(Area)).one()
        for column, value in bounds_of(box(115, 36, 116, 37)).items():
            setattr(area, column, value)
    with database.read() as session:
        area = session.scalars(select(Area)).one()
        assert area.outline.equals(box(115, 36, 116, 37))
        assert area.west == 115


def test_postgis_stores_the_outline_as_cgcs2000(postgresql: Database) -> None:
    with postgresql.write() as session:
        session.add(_area(box(113, 34, 114, 35)))
    with postgresql.read() as session:
        found = session.execute(text("SELECT ST_SRID(outline), ST_XMin(outline), ST_YMin(outline) FROM areas")).one()
    assert tuple(found) == (4490, 113, 34)


def test_rows_are_found_by_their_bounds(database: Database) -> None:
    with database.write() as session:
        session.add(_area(box(113, 34, 114, 35), "410122"))
        session.add(_area(box(114, 34, 115, 35), "410221"))
        session.add(_area(box(116, 34, 117, 35), "410225"))
    with database.read() as session:

        def codes(outline: BaseGeometry) -> list[str]:
            return list(session.scalars(select(Area.code).where(bounds_intersect(Area, outline)).order_by(Area.code)))

        assert codes(box(113.2, 34.2, 113.4, 34.4)) == ["410122"]
        assert codes(LineString([(113.5, 34.5), (116.5, 34.5)])) == ["410122", "410221", "410225"]
        assert codes(Point(114, 34.5)) == ["410122", "410221"]  # a shared edge belongs to both
        assert codes(box(115.2, 34, 115.8, 35)) == []


def test_numbers_above_32_bits_are_stored(database: Database) -> None:
    with database.write() as session:
        session.add(Counter(name="bytes", value=2**40))
    with database.read() as session:
        assert session.scalars(select(Counter.value)).one() == 2**40
