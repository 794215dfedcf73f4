"""Pages and API of images: people of the area correct them, others see only their ground of them or nothing."""

from __future__ import annotations

import datetime as dt
import io

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import update

from service.context import Context
from store.scans.scans import finish_uncompared
from store.scenes.scene_areas import set_scene_areas, update_scene_areas
from store.schema.tables import Job, Night, Scan, SceneRow
from store.schema.user_tables import Action, User
from tests.store.sample_rows import ORIGIN as CORNER
from tests.store.sample_rows import add_scan, add_scene, ground
from tests.web.conftest import Browser, SignIn
from tests.web.maps.cogs import cog_of
from tests.web.people import NOW
from tests.web.two_villages import Villages, create_villages
from web.maps.tiles import mercator


@pytest.fixture
def sign_in(sign_in: SignIn) -> SignIn:
    """Create a browser of a user who reads English."""

    def signed_in(login: str) -> Browser:
        browser = sign_in(login)
        browser.cookies.set("tuban_language", "en")
        return browser

    return signed_in


@pytest.fixture
def villages(service: Context) -> Villages:
    return create_villages(service)


@pytest.fixture
def of_county(service: Context, villages: Villages) -> dict[str, int]:
    """Two images of the ground of both villages and beyond, submitted under the county's code, and their scan."""
    pixels = np.full((1000, 4000, 3), 120, np.uint8)
    found = {}
    with service.database.write() as session:
        outline = ground(-200, 0, 1800, 500)
        for day in (dt.date(2026, 4, 1), dt.date(2026, 11, 22)):
            key = f"scenes/county-{day}.tif"
            service.objects.put(key, cog_of(pixels, CORNER[0] - 200, CORNER[1] + 500, day))
            scene = add_scene(session, day, outline, area_code="330199", object_key=key, name=f"county {day}.tif")
            set_scene_areas(session, scene.id, outline)
            found[str(day)] = scene.id
        first, second = (session.get_one(SceneRow, scene_id) for scene_id in found.values())
        night = Night(day=dt.date(2026, 11, 24), state="scanning", begun_at=NOW, summary={})
        session.add(night)
        session.flush()
        found["scan"] = add_scan(session, first, second, night_id=night.id, state="scanning").id
    return found


def test_a_village_sees_its_ground_of_an_image_of_the_county(sign_in: SignIn, of_county: dict[str, int]) -> None:
    later = of_county["2026-11-22"]
    bbox = "bbox=100,20,130,50&zoom=18"
    for login in ("village_a", "town", "county"):
        browser = sign_in(login)
        shown = [feature["properties"]["id"] for feature in browser.get(f"/map/scenes?{bbox}").json()["features"]]
        assert later in shown, login
        assert later in [scene["id"] for scene in browser.get("/api/scenes?limit=500").json()["scenes"]]
        assert of_county["scan"] in [scan["id"] for scan in browser.get("/api/scans").json()["scans"]]
        assert "county 2026-11-22.tif" in browser.get("/nights/2026-11-24").text
    # the whole file is for those who may see all of its ground
    assert sign_in("county").get(f"/api/scenes/{later}/image.tif").status_code == 200
    for address in (f"/api/scenes/{later}/image.tif", f"/scenes/{later}/preview"):
        assert sign_in("village_a").get(address).status_code == 404


def test_tiles_show_only_the_viewers_ground(sign_in: SignIn, service: Context, of_county: dict[str, int]) -> None:
    def opaque(login: str, east: float) -> bool:
        centre = ground(east - 1, 240, east + 1, 242).centroid
        x, y = mercator(centre.x, centre.y)
        z = 18
        side = 2 * np.pi * 6378137 / 2**z
        column, row = (int(value // side) for value in (x + np.pi * 6378137, np.pi * 6378137 - y))
        tile = sign_in(login).get(f"/tiles/scenes/{of_county['2026-11-22']}/{z}/{column}/{row}")
        assert tile.status_code == 200
        picture = np.asarray(Image.open(io.BytesIO(tile.content)).convert("RGBA"))
        return bool((picture[..., 3] > 0).mean() > 0.5)

    assert opaque("village_a", 200)
    assert not opaque("village_a", 1300)  # village b
    assert opaque("village_b", 1300)
    assert opaque("county", 200)
    assert opaque("county", 1300)


def test_a_village_counts_only_its_part_of_uncompared_ground(
    sign_in: SignIn, service: Context, of_county: dict[str, int]
) -> None:
    with service.database.write() as session:
        finish_uncompared(session, of_county["scan"], "not_comparable", "cloudy", NOW)
    counted = {}
    for login in ("county", "village_a"):
        [night] = [n for n in sign_in(login).get("/api/nights").json()["nights"] if n["day"] == "2026-11-24"]
        counted[login] = night["uncompared_m2"]
    assert counted["county"] == pytest.approx(2000 * 500, rel=0.02)
    assert counted["village_a"] == pytest.approx(700 * 500, rel=0.02)


def test_areas_that_are_loaded_later_count_too(service: Context, sign_in: SignIn, villages: Villages) -> None:
    with service.database.write() as session:
        scene = add_scene(session, dt.date(2026, 11, 1), ground(0, 0, 500, 500), area_code="330199")
        scene_id, outline = scene.id, scene.outline
    browser = sign_in("village_a")
    assert browser.get(f"/api/scenes/{scene_id}").status_code == 404
    with service.database.write() as session:
        update_scene_areas(session, [outline])
    assert browser.get(f"/api/scenes/{scene_id}").status_code == 200
    assert sign_in("village_b").get(f"/api/scenes/{scene_id}").status_code == 404


def test_images_are_corrected_in_the_page_and_by_the_api(sign_in: SignIn, service: Context, villages: Villages) -> None:
    scene = villages.after["a"]
    browser = sign_in("county")
    page = browser.get("/images").text
    assert f'href="/images/{scene}"' in page
    assert f'value="{scene}"' in page
    answer = browser.patch("/api/scenes", json={"ids": [scene, 10**6], "date": "2026-11-01"}).json()["images"]
    assert [(one["done"], one["code"]) for one in answer] == [(True, "image.date_set"), (False, "image.unknown")]
    assert answer[0]["message"].startswith("its day is now 2026-11-01, before 2026-11-20; 1 comparisons with 1 alerts")
    with service.database.read() as session:
        row = session.get_one(SceneRow, scene)
        assert (row.date, row.date_source) == (dt.date(2026, 11, 1), "corrected")
        assert session.get_one(Scan, villages.scan["a"]).withdrawn_at is not None
    shown = browser.get(f"/images/{scene}").text
    assert "2026-11-20 → 2026-11-01" in shown
    data = browser.get("/alerts/330199U2026110001/data").json()
    assert data["basis"].startswith("The image on which this alert rests has changed")
    browser.cookies.set("tuban_language", "zh")
    answer = browser.patch("/api/scenes", json={"ids": [scene], "source": "satellite"}).json()["images"]
    assert answer[0]["message"] == "来源改为卫星"


def test_a_batch_is_withdrawn_restored_and_purged(sign_in: SignIn, service: Context, villages: Villages) -> None:
    browser, batch = sign_in("county"), villages.batch["a"]
    assert browser.post("/api/scenes/withdraw", json={"batch": batch}).status_code == 422  # no reason
    [one] = browser.post("/api/scenes/withdraw", json={"batch": batch, "reason": "错县"}).json()["images"]
    assert (one["id"], one["done"]) == (villages.after["a"], True)
    assert browser.get("/alerts/330199U2026110001/data").json()["state"] == "withdrawn"
    listed = [scene["id"] for scene in browser.get("/api/scenes").json()["scenes"]]
    assert villages.after["a"] not in listed
    assert "错县" in browser.get(f"/images/{one['id']}").text
    assert browser.post("/api/scenes/restore", json={"ids": [one["id"]]}).json()["images"][0]["done"]
    browser.post("/api/scenes/withdraw", json={"ids": [one["id"]], "reason": "x"})
    assert browser.post("/api/scenes/purge", json={"ids": [one["id"]]}).json()["images"][0]["done"]
    with service.database.read() as session:
        actions = [action.what for action in session.query(Action).order_by(Action.id)]
    assert actions == ["withdrew_image", "restored_image", "withdrew_image", "purged_image"]
    assert browser.get(f"/tiles/scenes/{one['id']}/18/0/0").status_code in (200, 404)


@pytest.mark.parametrize(
    ("login", "done"), [("village_a", False), ("town", False), ("village_b", False), ("county", True)]
)
def test_only_people_with_the_right_correct_an_image(
    sign_in: SignIn, villages: Villages, login: str, done: bool
) -> None:
    browser = sign_in(login)
    answer = browser.patch("/api/scenes", json={"ids": [villages.after["a"]], "source": "satellite"}).json()
    assert [one["done"] for one in answer["images"]] == [done]
    page = browser.get("/images").text
    assert ('id="correct"' in page) is done


def test_a_correction_must_be_meaningful(sign_in: SignIn, villages: Villages) -> None:
    browser = sign_in("county")
    for wrong in ({}, {"crs": "EPSG:1"}, {"date": "2031-01-01"}, {"source": "balloon"}, {"bands": [0]}):
        assert browser.patch("/api/scenes", json={"ids": [1], **wrong}).status_code in (409, 422), wrong


def test_a_person_with_the_right_starts_a_night_and_sees_its_progress(
    sign_in: SignIn, service: Context, of_county: dict[str, int]
) -> None:
    browser = sign_in("county")
    page = browser.get("/nights").text
    assert "The night of 2026-11-24 is running" in page
    assert "0 of 1 comparison done, 0%" in page
    assert browser.post("/nights").headers["hx-redirect"] == "/nights"
    browser.post("/nights")  # ignored: one is being planned
    with service.database.read() as session:
        assert session.query(Job).filter_by(kind="night.plan").count() == 1
    assert sign_in("village_a").post("/nights").status_code == 403
    assert "Compare now" not in sign_in("village_a").get("/nights").text
    seen = page.split("/nights/now?seen=")[1].split('"')[0]
    assert browser.get(f"/nights/now?seen={seen}").status_code == 200  # a plan waits now


def test_a_new_installation_lists_the_first_steps(sign_in: SignIn, service: Context) -> None:
    page = sign_in("admin").get("/alerts?sort=gravest").text
    assert "First steps" in page
    assert page.count("○") == 5  # areas, layers, images, dates, night; there are people
    assert "First steps" not in sign_in("village_a").get("/todo").text
    create_villages(service)
    assert "First steps" not in sign_in("admin").get("/alerts?sort=gravest").text
    with service.database.write() as session:
        session.execute(update(User).where(User.login != "admin").values(active=False))
    assert "First steps" in sign_in("admin").get("/todo").text  # nobody is there to work on the alerts
