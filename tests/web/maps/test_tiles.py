"""Tiles: correct colours at correct positions, limited to users who may see them."""

from __future__ import annotations

import datetime as dt
import hashlib
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from shapely.geometry import box
from sqlalchemy.orm import Session

from imagery import open_scene
from service.context import Context
from store.alerts.sighting_chain import append_sighting
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Observation
from tests.store.sample_rows import CRS, ORIGIN, add_scan, add_scene, ground
from tests.web.conftest import NOW, Browser, SignIn
from tests.web.maps.cogs import cog_of
from web.maps.tiles import TILE_PX, mercator, tile_bounds
from web.review.alert_pictures import alert_views, alert_window

RED, GREEN, BLUE, YELLOW = (200, 40, 40), (40, 160, 40), (40, 40, 200), (200, 200, 40)
VILLAGE_A, VILLAGE_B, TOWN = "330199101001", "330199101002", "330199101"
ZOOM = 17
SIDE = 500.0  # of a scene, metres


def quadrants(dtype: str = "uint8", gain: int = 1) -> NDArray[np.generic]:
    """Return red in the north-west, green north-east, blue south-west, yellow south-east; 0.5 m per pixel."""
    pixels = np.empty((1000, 1000, 3), dtype)
    for rows, columns, colour in (
        (slice(0, 500), slice(0, 500), RED),
        (slice(0, 500), slice(500, None), GREEN),
        (slice(500, None), slice(0, 500), BLUE),
        (slice(500, None), slice(500, None), YELLOW),
    ):
        pixels[rows, columns] = np.array(colour) * gain
    return pixels


def put_scene(context: Context, session: Session, pixels: NDArray[np.generic], area_code: str, day: dt.date) -> int:
    """Add a scene with its COG; its north-west corner is 500 m north of the origin."""
    cog = cog_of(pixels, ORIGIN[0], ORIGIN[1] + SIDE, day)
    key = f"scenes/{hashlib.sha256(cog).hexdigest()}.tif"
    context.objects.put(key, cog)
    row = add_scene(
        session,
        day,
        ground(0, 0, SIDE, SIDE),
        area_code=area_code,
        width=1000,
        height=1000,
        object_key=key,
        object_sha256=key[7:71],
    )
    return row.id


def put_alert(session: Session, number: str, grid_code: str, west: float, south: float, scan_id: int) -> None:
    """Add an alert 40 m wide; its south-west corner is in metres from the origin."""
    outline = ground(west, south, west + 40, south + 40)
    alert = AlertRow(
        number=number,
        kind="construction",
        state="new",
        score=0.9,
        area_m2=1600.0,
        detected={},
        source="drone",
        county_code="330199",
        township_code=TOWN,
        grid_code=grid_code,
        evidence={"before": f"scans/{scan_id}/0001_before.jpg"},
        created_at=NOW,
        changed_at=NOW,
        **bounds_of(outline),
    )
    session.add(alert)
    session.flush()
    append_sighting(
        session,
        Observation(
            alert_id=alert.id,
            scan_id=scan_id,
            change_number=1,
            source="drone",
            kind="construction",
            score=0.9,
            area_m2=1600.0,
            created_at=NOW,
            **bounds_of(outline),
        ),
    )


@pytest.fixture
def scenes(service: Context) -> dict[str, int]:
    """A scene of village A, and two scenes of its township with one alert in A and one in B."""
    with service.database.write() as session:
        ids = {
            "a": put_scene(service, session, quadrants(), VILLAGE_A, dt.date(2026, 5, 1)),
            "old": put_scene(service, session, quadrants()[::-1], TOWN, dt.date(2026, 6, 1)),
            "new": put_scene(service, session, quadrants("uint16", 10), TOWN, dt.date(2026, 11, 1)),
        }
        from store.schema.tables import SceneRow

        scan = add_scan(session, session.get_one(SceneRow, ids["old"]), session.get_one(SceneRow, ids["new"]))
        service.objects.put(f"scans/{scan.id}/0001_before.jpg", b"\xff\xd8 a picture")
        put_alert(session, "330199W2026110001", VILLAGE_A, 100, 350, scan.id)
        put_alert(session, "330199W2026110002", VILLAGE_B, 350, 100, scan.id)
    return ids


def lonlat(east: float, north: float) -> tuple[float, float]:
    west, south, _, _ = ground(east, north, east + 0.001, north + 0.001).bounds
    return float(west), float(south)


def tile_at(east: float, north: float, zoom: int = ZOOM) -> tuple[str, int, int]:
    """Return ``z/x/y`` of the tile at a position, and the position's column and row in the tile."""
    x, y = mercator(*lonlat(east, north))
    side = 2 * 20037508.342789244 / 2**zoom
    column, row = (x + 20037508.342789244) / side, (20037508.342789244 - y) / side
    return f"{zoom}/{int(column)}/{int(row)}", int(column % 1 * TILE_PX), int(row % 1 * TILE_PX)


def colour_at(browser: Browser, address: str, east: float, north: float, zoom: int = ZOOM) -> tuple[int, ...]:
    """Return red, green, blue and alpha of the tiles at a position in metres from the origin."""
    tile, column, row = tile_at(east, north, zoom)
    response = browser.get(f"{address}/{tile}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/webp"
    image = Image.open(io.BytesIO(response.content))
    assert image.size == (TILE_PX, TILE_PX)
    shown: tuple[int, ...] = image.convert("RGBA").getpixel((column, row))  # type: ignore[assignment]
    return shown


def near_colour(shown: tuple[int, ...], colour: tuple[int, int, int]) -> bool:
    return shown[3] == 255 and bool(np.abs(np.subtract(shown[:3], colour)).max() < 25)


@pytest.mark.parametrize("zoom", [15, 17, 20])
def test_each_quadrant_is_at_its_position_on_the_ground(scenes: dict[str, int], sign_in: SignIn, zoom: int) -> None:
    browser, address = sign_in("village_a"), f"/tiles/scenes/{scenes['a']}"
    for east, north, colour in ((120, 380, RED), (380, 380, GREEN), (120, 120, BLUE), (380, 120, YELLOW)):
        assert near_colour(colour_at(browser, address, east, north, zoom), colour)


def test_a_border_between_colours_is_not_shifted(scenes: dict[str, int], sign_in: SignIn) -> None:
    browser, address = sign_in("village_a"), f"/tiles/scenes/{scenes['a']}"
    assert near_colour(colour_at(browser, address, 248, 300, 19), RED)
    assert near_colour(colour_at(browser, address, 252, 300, 19), GREEN)
    assert near_colour(colour_at(browser, address, 100, 252, 19), RED)
    assert near_colour(colour_at(browser, address, 100, 248, 19), BLUE)


def test_tiles_are_transparent_outside_of_the_scene(scenes: dict[str, int], sign_in: SignIn) -> None:
    browser, address = sign_in("village_a"), f"/tiles/scenes/{scenes['a']}"
    assert colour_at(browser, address, 250, 510)[3] == 0
    assert colour_at(browser, address, 5000, 5000)[3] == 0


def test_raw_values_are_stretched_as_for_the_network(service: Context, scenes: dict[str, int], sign_in: SignIn) -> None:
    from store.schema.tables import SceneRow

    with service.database.read() as session:
        key = session.get_one(SceneRow, scenes["new"]).object_key
    with service.objects.local(key) as path, open_scene(path) as scene:
        seen = scene.read(scene.geobox[240:241, 240:241]).rgb[0, 0]
    shown = colour_at(sign_in("town"), f"/tiles/scenes/{scenes['new']}", 120, 380)
    assert np.abs(np.subtract(shown[:3], seen)).max() < 25


def test_a_scene_is_visible_only_under_its_administrative_code(
    scenes: dict[str, int], sign_in: SignIn, anonymous: Browser
) -> None:
    tile = tile_at(120, 380)[0]
    for login, seen in (("village_a", ["a"]), ("village_b", []), ("town", ["a", "old", "new"])):
        browser = sign_in(login)
        for name, scene in scenes.items():
            expected = 200 if name in seen else 404
            assert browser.get(f"/tiles/scenes/{scene}/{tile}").status_code == expected
            assert browser.get(f"/scenes/{scene}/preview").status_code == expected
    assert anonymous.get(f"/tiles/scenes/{scenes['a']}/{tile}", headers={"accept": "image/webp"}).status_code == 401


def test_a_village_sees_only_the_window_of_its_alert(scenes: dict[str, int], sign_in: SignIn) -> None:
    browser, address = sign_in("village_a"), "/tiles/alerts/330199W2026110001/before"
    assert near_colour(colour_at(browser, address, 120, 370), BLUE)  # the earlier image has south in the north
    assert near_colour(colour_at(browser, address, 120 + 70, 370), BLUE)  # the window is 150 m wide
    assert colour_at(browser, address, 120 + 80, 370)[3] == 0
    assert colour_at(browser, address, 380, 120)[3] == 0
    assert colour_at(browser, "/tiles/alerts/330199W2026110001/after", 120, 370)[3] == 255


@pytest.mark.parametrize(
    "route", ["tiles/alerts/{}/before/17/1/1", "tiles/alerts/{}/after/17/1/1", "alerts/{}/evidence/before"]
)
def test_tiles_of_an_alert_are_limited_to_users_who_may_see_it(
    scenes: dict[str, int], sign_in: SignIn, route: str
) -> None:
    own, other = "/" + route.format("330199W2026110001"), "/" + route.format("330199W2026110002")
    assert sign_in("village_a").get(own).status_code == 200
    assert sign_in("village_b").get(other).status_code == 200
    assert sign_in("village_a").get(other).status_code == 404
    assert sign_in("village_b").get(own).status_code == 404


def test_the_earlier_image_is_registered_to_the_later_one(
    service: Context, scenes: dict[str, int], sign_in: SignIn
) -> None:
    from inference.array_file import pack
    from inference.scan_plan_file import SCHEMA
    from store.schema.tables import Scan

    with service.database.write() as session:
        scan = session.query(Scan).one()
        scan.result = {"grid": {"crs": CRS}}
        record = {
            "grid": {"shape": [1000, 1000], "affine": [0.5, 0, ORIGIN[0], 0, -0.5, ORIGIN[1] + SIDE]},
            "centre": [500.0, 500.0],
            "lattice": None,
        }
        # the ground of a place is found 250 m farther south (500 rows down) in the earlier image
        affine = np.array([[0.0, 500.0], [0.0, 0.0], [0.0, 0.0]])
        service.objects.put(f"scans/{scan.id}/prepared.npz", pack(SCHEMA, record, {"affine": affine}))
    assert near_colour(colour_at(sign_in("village_a"), "/tiles/alerts/330199W2026110001/before", 120, 370), RED)


def test_evidence_is_immutable_only_under_its_content_tag(scenes: dict[str, int], sign_in: SignIn) -> None:
    browser, address = sign_in("village_a"), "/alerts/330199W2026110001/evidence/before"
    response = browser.get(address)
    assert (response.content, response.headers["content-type"]) == (b"\xff\xd8 a picture", "image/jpeg")
    assert response.headers["cache-control"] == "private, no-cache"
    mark = response.headers["etag"].strip('"')
    assert "immutable" in browser.get(f"{address}?key={mark}").headers["cache-control"]
    assert browser.get(f"{address}?key=other").status_code == 404
    assert browser.get("/alerts/330199W2026110001/evidence/none").status_code == 404


def test_a_cached_tile_is_not_sent_again(scenes: dict[str, int], sign_in: SignIn) -> None:
    browser, address = sign_in("village_a"), f"/tiles/scenes/{scenes['a']}/{tile_at(120, 380)[0]}"
    first = browser.get(address)
    assert first.headers["cache-control"] == "private, max-age=86400"
    again = browser.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/tiles/scenes/{a}/17/-1/5",
        "/tiles/scenes/{a}/3/8/0",
        "/tiles/scenes/{a}/99/0/0",
        "/tiles/scenes/999999/3/1/1",
        "/tiles/scenes/99999999999999999999999/3/1/1",
        "/tiles/scenes/..%2f..%2fetc%2fpasswd/3/1/1",
        "/tiles/scenes/http:%2f%2fevil.test%2fa.tif/3/1/1",
        "/tiles/alerts/330199W2026110001/..%2fbefore/3/1/1",
        "/tiles/alerts/330199W2026110001/both/3/1/1",
        "/alerts/330199W2026110001/evidence/..%2f..%2ftuban.db",
        "/scenes/0/preview",
    ],
)
def test_invalid_tile_paths_are_not_found(scenes: dict[str, int], sign_in: SignIn, path: str) -> None:
    response = sign_in("village_a").get(path.format(a=scenes["a"]))
    assert response.status_code in (404, 422)
    assert not response.headers["content-type"].startswith("image/")


def test_the_preview_is_small_and_north_up(scenes: dict[str, int], sign_in: SignIn) -> None:
    response = sign_in("village_a").get(f"/scenes/{scenes['a']}/preview")
    image = Image.open(io.BytesIO(response.content)).convert("RGBA")
    assert image.size == (512, 512)
    assert near_colour(image.getpixel((50, 50)), RED)  # type: ignore[arg-type]
    assert near_colour(image.getpixel((460, 50)), GREEN)  # type: ignore[arg-type]


def test_both_pictures_of_a_sheet_are_on_one_grid(service: Context, scenes: dict[str, int]) -> None:
    with service.database.read() as session:
        alert = session.query(AlertRow).filter_by(number="330199W2026110001").one()
        views = alert_views(service, session, alert, 300)
    assert views.before is not None
    assert views.after is not None
    assert views.before.shape == views.after.shape == (300, 300, 3)
    assert np.abs(views.before[150, 150].astype(int) - BLUE).max() < 10
    sides = np.ptp(views.rings[0], axis=0) * views.metre_px
    assert np.abs(sides - 40).max() < 0.5  # the alert is 40 m wide in the sheet's scale
    assert np.abs(views.rings[0].mean(axis=0) - 150).max() < 20


def test_the_window_of_a_large_alert_is_three_times_its_size() -> None:
    west, south, east, north = box(120, 30, 120.01, 30.01).bounds
    window = alert_window(AlertRow(west=west, south=south, east=east, north=north))
    assert window[2] - window[0] == pytest.approx(3 * 0.01 * 111319.49, rel=1e-3)


def test_tiles_cover_the_world_from_the_north_west() -> None:
    assert tile_bounds(1, 0, 0) == pytest.approx((-20037508.34, 0, 0, 20037508.34), abs=0.01)
