"""The map in a real browser: drawing, swipe, coordinate search, measurements and the shareable URL."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from pyproj import Geod

from configs.service import WebSettings
from service.context import Context
from store.access.users import begin_session, user_by_login
from store.schema.tables import SceneRow
from tests.store.sample_rows import add_area, add_scan, ground
from tests.web.chromium import chromium_browser, needs_chromium, without_script_errors
from tests.web.conftest import NOW
from tests.web.maps.test_tiles import BLUE, RED, TOWN, VILLAGE_A, lonlat, put_alert, put_scene, quadrants
from tests.web.maps.tile_server import EAST, MAX_ZOOM, NORTH, WEST, tile_server
from tests.web.uploads.upload_service import serving

pytestmark = needs_chromium

ALERT = "330199W2026110001"


@contextmanager
def map_of(service: Context, **basemap: object) -> Iterator[tuple[str, str]]:
    """Run the service; yields its URL and the session secret of a user of the township."""
    web = service.settings.web.model_dump() | {"secure_cookies": False, "map": basemap}
    settings = service.settings.model_copy(update={"web": WebSettings.model_validate(web)})
    with service.database.write() as session:
        before = put_scene(service, session, quadrants()[::-1].copy(), TOWN, dt.date(2026, 5, 1))
        after = put_scene(service, session, quadrants(), TOWN, dt.date(2026, 11, 1))
        scan = add_scan(
            session, session.get_one(SceneRow, before), session.get_one(SceneRow, after), state="done", changes=1
        )
        add_area(session, TOWN, ground(-50, -50, 550, 550))
        put_alert(session, ALERT, VILLAGE_A, 100, 350, scan.id)
        person = user_by_login(session, "town")
        assert person is not None
        secret = begin_session(session, person, NOW, 12)
    with serving(replace(service, settings=settings)) as base:
        yield base, secret


@pytest.fixture
def address(service: Context) -> Iterator[tuple[str, str]]:
    with map_of(service) as address_and_secret:
        yield address_and_secret


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_browser() as browser:
        yield browser


@contextmanager
def opened(chromium: Browser, address: tuple[str, str], refused: str = "") -> Iterator[Page]:
    """Open a page of that user in English; no script may fail, and only ``refused`` may violate the content policy."""
    base, secret = address
    window = chromium.new_context(viewport={"width": 1366, "height": 768}, base_url=base, reduced_motion="reduce")
    window.add_cookies(
        [{"name": "tuban", "value": secret, "url": base}, {"name": "tuban_language", "value": "en", "url": base}]
    )
    with without_script_errors(window.new_page(), refused) as page:
        yield page
    window.close()


@pytest.fixture
def page(chromium: Browser, address: tuple[str, str]) -> Iterator[Page]:
    with opened(chromium, address) as page:
        yield page


def view(east: float, north: float, zoom: float = 17.0, more: str = "") -> str:
    lon, lat = lonlat(east, north)
    return f"/map#at={zoom:.2f}/{lat:.6f}/{lon:.6f}&shown={more}"


def show(page: Page, address: str) -> None:
    page.goto(address)
    settled(page)


def settled(page: Page) -> None:
    """Wait until the view is at rest, its data is loaded, and all of its tiles are drawn."""
    page.evaluate(
        """async () => {
          const map = window.tubanMap;
          const moving = () => map.getView().getAnimating() || map.getView().getInteracting();
          const loaded = () => map.getTargetElement().dataset.loaded;
          for (let before = null; before === null || moving() || before !== loaded(); ) {
            while (moving() || !loaded()) await new Promise(requestAnimationFrame);
            before = loaded();
            await new Promise((done) => { map.once("rendercomplete", done); map.render(); });
          }
        }"""
    )


def colour(page: Page, east: float, north: float) -> tuple[int, int, int]:
    """Return the colour on the screen at a position in metres from the origin."""
    import io

    from PIL import Image

    x, y = page.evaluate(
        "(place) => { const map = window.tubanMap;"
        " const [x, y] = map.getPixelFromCoordinate(ol.proj.fromLonLat(place));"
        " const box = map.getTargetElement().getBoundingClientRect(); return [box.left + x, box.top + y]; }",
        list(lonlat(east, north)),
    )
    shown: Any = Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((round(x), round(y)))
    return shown


def alike(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) < 30


def test_the_latest_image_is_drawn_at_its_position(page: Page) -> None:
    show(page, view(250, 250))
    assert alike(colour(page, 200, 460), RED)
    assert alike(colour(page, 200, 60), BLUE)


def test_an_image_from_above_lies_on_a_later_camera_frame(service: Context, chromium: Browser) -> None:
    with map_of(service) as address:
        with service.database.write() as session:
            frame = put_scene(service, session, quadrants()[::-1].copy(), TOWN, dt.date(2026, 11, 15))
            session.get_one(SceneRow, frame).source = "camera"
        with opened(chromium, address) as page:
            show(page, view(250, 250))
            assert alike(colour(page, 200, 460), RED)


def test_on_a_tablet_in_portrait_the_map_is_above_the_side_panel(page: Page) -> None:
    page.set_viewport_size({"width": 820, "height": 1180})
    show(page, view(250, 250, 16))
    assert alike(colour(page, 200, 460), RED)
    stage, side = page.locator("#map").bounding_box(), page.locator(".map-side").bounding_box()
    assert stage is not None
    assert side is not None
    assert stage["height"] > 500
    assert side["y"] >= stage["y"] + stage["height"]


def test_the_swipe_bar_between_two_dates_is_moved_by_keys(page: Page) -> None:
    show(page, view(250, 250, more="&image=2026-11-01&compare=2026-05-01&swipe=50"))
    bar = page.get_by_role("slider", name="Swipe position")
    assert page.inner_text("#swipe-left") == "2026-05-01"
    assert alike(colour(page, 200, 460), BLUE)  # left of the middle the earlier date, which has south in the north
    bar.focus()
    page.keyboard.press("Home")
    settled(page)
    assert bar.get_attribute("aria-valuenow") == "0"
    assert alike(colour(page, 200, 460), RED)
    page.keyboard.press("End")
    settled(page)
    assert alike(colour(page, 200, 460), BLUE)


def test_a_listed_comparison_opens_the_swipe(page: Page) -> None:
    show(page, view(250, 250))
    page.click("#scans-box summary")
    page.click("#scans button")
    settled(page)
    assert (page.input_value("#image"), page.input_value("#compare")) == ("2026-11-01", "2026-05-01")
    assert "compare=2026-05-01" in page.url


def test_coordinates_move_the_map_there(page: Page) -> None:
    show(page, view(250, 250))
    page.fill("#goto-text", "113°54′0″E 30°57′0″N")
    page.click("#goto button")
    page.wait_for_selector("#goto-message:has-text('EPSG:4490')")
    lon, lat = page.evaluate("() => ol.proj.toLonLat(window.tubanMap.getView().getCenter())")
    assert (lon, lat) == pytest.approx((113.9, 30.95), abs=1e-6)
    page.fill("#goto-text", "GCJ-02 113.9 30.95")
    page.keyboard.press("Enter")
    page.wait_for_selector("#goto-message.bad")
    assert "GCJ-02" in page.inner_text("#goto-message")


def test_the_url_restores_the_view(page: Page) -> None:
    show(page, view(250, 250))
    page.uncheck("[name=kind][value=ground]")
    page.select_option("#states", "all")
    settled(page)
    shared = page.url
    page.goto("about:blank")
    show(page, shared)
    assert not page.is_checked("[name=kind][value=ground]")
    assert page.input_value("#states") == "all"
    assert page.url == shared


def test_alerts_in_view_are_a_list_of_links(page: Page) -> None:
    show(page, view(250, 250))
    link = page.locator("#list a")
    assert link.count() == 1
    assert link.get_attribute("href") == f"/alerts/{ALERT}"
    assert "New construction · New" in link.inner_text()
    assert page.inner_text("#alerts-message") == "1 alert in view"


def test_a_clicked_alert_opens_its_popup(page: Page) -> None:
    show(page, view(120, 370))
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#popup:not([hidden])")
    assert page.inner_text("#popup-title") == ALERT
    assert page.get_attribute("#popup-link", "href") == f"/alerts/{ALERT}"
    page.keyboard.press("Escape")
    assert page.is_hidden("#popup")


def test_a_distance_is_measured_by_keyboard_alone(page: Page) -> None:
    show(page, view(250, 250))
    page.focus("#measure-length")
    page.keyboard.press("Enter")
    start = page.evaluate("() => ol.proj.toLonLat(window.tubanMap.getView().getCenter())")
    page.focus("#measure-point")
    page.keyboard.press("Enter")
    page.focus("#map")
    page.keyboard.press("ArrowRight")
    settled(page)
    end = page.evaluate("() => ol.proj.toLonLat(window.tubanMap.getView().getCenter())")
    page.focus("#measure-point")
    page.keyboard.press("Enter")
    page.focus("#measure-done")
    page.keyboard.press("Enter")
    match = re.fullmatch(r"([\d.]+) m", page.inner_text("#measured"))
    assert match is not None, page.inner_text("#measured")
    expected = Geod(ellps="GRS80").inv(*start, *end)[2]
    assert expected > 10
    assert float(match[1]) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("scale", "within"), [(1.0, 3e-5), (0.05, 2e-6)])
def test_areas_and_distances_are_ellipsoidal(page: Page, scale: float, within: float) -> None:
    show(page, view(250, 250))
    corners = [(0, 0), (0.06, 0.005), (0.05, 0.06), (0.01, 0.04)]  # six kilometres across, then three hundred metres
    ring = [[113.89 + scale * east, 30.93 + scale * north] for east, north in corners]
    area, length = page.evaluate(
        "async (ring) => { const m = await import('/static/measure.js'); return [m.areaOf(ring), m.lengthOf(ring)]; }",
        ring,
    )
    geod = Geod(ellps="GRS80")
    lons, lats = zip(*ring, strict=True)
    # an edge drawn on the map is straight there, and over kilometres not quite a geodesic
    assert area == pytest.approx(abs(geod.polygon_area_perimeter(lons, lats)[0]), rel=within)
    assert length == pytest.approx(geod.line_length(lons, lats), rel=1e-8)


@pytest.mark.parametrize(
    ("sent", "matrix_set"), [("{z}/{y}/{x}.png", ""), ("capabilities.xml", "w"), ("capabilities.xml", "c")]
)
def test_an_intranet_base_map_is_drawn_under_the_images(
    service: Context, chromium: Browser, sent: str, matrix_set: str
) -> None:
    """By XYZ URL, and by capabilities in Web Mercator and in degrees (EPSG:4490)."""
    basemap = {"layer": "map", "matrix_set": matrix_set, "attribution": "© 样例县", "max_zoom": MAX_ZOOM}
    with tile_server(lonlat(600, 600)) as server, tile_server() as foreign:
        with (
            map_of(service, wmts_url=f"{server.address}/{sent}", **basemap) as address,
            opened(chromium, address, foreign.address) as page,
        ):
            show(page, view(250, 250, 16, more="base"))
            assert alike(colour(page, 200, 460), RED)
            for place, there in (((640, 560), EAST), ((560, 560), WEST), ((640, 640), NORTH), ((-300, 250), WEST)):
                assert alike(colour(page, *place), there), place  # around the images
            assert "样例县" in page.inner_text(".ol-attribution")
            zooms = [int(path.split("/")[-3]) for path in server.requested if path.endswith(".png")]
            assert max(zooms) == MAX_ZOOM  # deeper zooms are enlarged
            page.uncheck("[data-shown=base]")
            settled(page)
            assert not alike(colour(page, 640, 560), EAST)
            policy = page.request.get("/map").headers["content-security-policy"]
            assert re.findall(r"https?://[^ ;]+", policy) == [server.address] * 2  # pictures, and capabilities
            loads = "(address) => new Promise((done) => { const image = new Image(); image.src = address;"
            page.evaluate(f"{loads} image.onload = image.onerror = () => done(); }})", f"{foreign.address}/0/0/0.png")
            page.evaluate("(address) => fetch(address).catch(() => 0)", foreign.address)
        assert foreign.requested == []
