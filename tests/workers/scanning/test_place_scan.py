"""A scan of just one place: the two latest images, a window around a tip, and the alert of the tip joins."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import shapely
from sqlalchemy import select

from errors import Reason
from inference.settings import read_config
from service.place_scan import HALF_M, request_place_scan
from store.alerts.drawn_sighting import DrawnChange, circle, record_drawn_change
from store.scans.place_pairs import latest_pair_at, place_window
from store.schema.tables import AlertRow, Job, Scan
from tests.workers.scan_service import AUTUMN, SPRING, VILLAGE, WINTER, ScanService, after_image, before_image


@pytest.fixture
def service(tmp_path: Path) -> ScanService:
    service = ScanService(tmp_path)
    unchanged = before_image()
    unchanged[0, 0] += 1  # another file
    for day, image in ((SPRING, before_image()), (AUTUMN, unchanged), (WINTER, after_image())):
        service.add_image(image, day)
    return service


def _house(service: ScanService) -> shapely.Point:
    """The house of the later image: rows 200–240 of 600, columns 300–360 of 700."""
    scene = service.scenes()[f"{WINTER}.tif"]
    east, north = (scene.east - scene.west) / 700, (scene.north - scene.south) / 600
    return shapely.Point(scene.west + 330 * east, scene.north - 220 * north)


def _request(service: ScanService, place: shapely.Point) -> Scan | None:
    with service.context.database.write() as session:
        box = shapely.box(*place_window(place.x, place.y, 5))
        pair = latest_pair_at(session, box, read_config().max_scale_ratio)
        return None if pair is None else request_place_scan(session, pair, place.x, place.y, service.context.clock())


def test_a_requested_scan_compares_the_two_latest_images_and_joins_the_alert_of_the_tip(service: ScanService) -> None:
    place = _house(service)
    with service.context.database.write() as session:
        tip = record_drawn_change(
            session,
            DrawnChange(
                circle(place.x, place.y, 20),
                "construction",
                "hotline",
                dt.date(2026, 11, 15),
                Reason("tip", "alert.from_tip", tip="1"),
                error_m=10,
            ),
            area_code=VILLAGE,
            who="li",
            role="county",
            settings=service.context.settings,
            now=service.context.clock(),
        ).alert.number
    scan = _request(service, place)
    assert scan is not None
    scenes = service.scenes()
    assert (scan.before_id, scan.after_id) == (scenes[f"{AUTUMN}.tif"].id, scenes[f"{WINTER}.tif"].id)
    again = _request(service, place)
    assert again is not None
    assert again.id == scan.id
    assert [job.kind for job in service.rows(Job) if job.queue == "scan"] == ["scan.prepare"]
    assert set(service.run_jobs()) == {"done"}
    alerts = {alert.number: alert for alert in service.rows(AlertRow)}
    assert alerts[tip].sources_seen == 2
    assert alerts[tip].area_m2 == pytest.approx(600, rel=0.2)  # 40 × 60 pixels of half a metre, as measured
    with service.context.database.read() as session:
        done = session.scalars(select(Scan)).one()
        assert done.state == "done"
        [window] = done.windows or []
        assert shapely.box(*window).contains(place)
        assert HALF_M == 150


def test_no_image_or_only_one_is_told(service: ScanService) -> None:
    assert _request(service, shapely.Point(10, 10)) is None
