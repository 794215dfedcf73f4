"""A day with tips in a real browser: register with nearby alerts and images in view, draw the alert, log a patrol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from service.context import Context
from store.access.users import begin_session, user_by_login
from store.chain_settings import change_chain_setting
from tests.enforcement.patrols.test_track import gpx
from tests.store.sample_rows import ground
from tests.web.chromium import chromium_browser, needs_chromium, without_script_errors
from tests.web.conftest import NOW
from tests.web.two_villages import EAST, NUMBERS, create_villages
from tests.web.uploads.upload_service import serving
from web.auth.authentication import cookie_name

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_browser() as browser:
        yield browser


@contextmanager
def page_of(service: Context, chromium: Browser, login: str, **window: Any) -> Iterator[tuple[Page, str]]:
    """Serve two villages; yields a page of a user and the address."""
    web = service.settings.web.model_copy(update={"secure_cookies": False})
    context = replace(service, settings=service.settings.model_copy(update={"web": web}))
    create_villages(context)
    with context.database.write() as session:
        person = user_by_login(session, login)
        assert person is not None
        secret = begin_session(session, person, NOW, 12)
        change_chain_setting(session, "public.form", True, who="admin", now=NOW)
        change_chain_setting(session, "public.least_seconds", 0, who="admin", now=NOW)
    with serving(context) as address:
        window = chromium.new_context(locale="zh-CN", **window)
        window.add_cookies([{"name": cookie_name(context), "value": secret, "url": address}])
        with without_script_errors(window.new_page()) as page:
            yield page, address
        window.close()


def draw(page: Page, *corners: tuple[float, float]) -> None:
    """Click corners on the map, in shares of its size, and end with a double click."""
    page.wait_for_selector("#place-map[data-loaded]")
    box = page.locator("#place-map").bounding_box()
    assert box is not None
    for x, y in corners[:-1]:
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"], delay=20)
        page.wait_for_timeout(300)  # two clicks in quick succession would end the drawing
    x, y = corners[-1]
    page.mouse.dblclick(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_a_tip_is_registered_and_becomes_an_alert_drawn_on_the_map(service: Context, chromium: Browser) -> None:
    with page_of(service, chromium, "town", viewport={"width": 1366, "height": 900}) as (page, address):
        page.goto(f"{address}/tips/new")
        place = ground(EAST["a"] + 60, 60, EAST["a"] + 100, 100).centroid
        page.fill("[name=coordinates]", f"{place.x:.6f}, {place.y:.6f}")
        page.press("[name=coordinates]", "Tab")
        expect(page.locator("#near")).to_contain_text(NUMBERS["a"])
        expect(page.locator("#pair img")).to_have_count(2)
        assert page.locator("#pair img").evaluate_all("all => all.every((one) => one.complete || one.decode())")
        page.fill("[name=summary]", "有人在此处建厂房，电话 13812345678")
        page.fill("[name=name]", "甲")
        page.fill("[name=phone]", "13812345678")
        page.click("button.primary")
        page.wait_for_url("**/tips/1")
        expect(page.locator("body")).not_to_contain_text("13812345678")
        page.click("#informant button")
        expect(page.locator("#informant")).to_contain_text("13812345678")
        page.click("[data-act=draw]")
        draw(page, (0.58, 0.25), (0.65, 0.25), (0.65, 0.38), (0.58, 0.38))
        expect(page.locator("[data-part=drawn]")).to_contain_text("已画出范围")
        page.click("form.found button.primary")
        link = page.locator("a[href*='330199H2026110001']").first
        expect(link).to_be_visible()
        link.click()
        page.wait_for_url("**/alerts/330199H2026110001*")
        facts = page.locator("[data-part=facts]")
        expect(facts.locator("a[href*='uri.amap.com']")).to_be_visible()
        expect(facts.locator("a[href$='/tips/1']")).to_have_text("330199XS202600001")
        expect(page.locator("[data-part=after-caption]")).to_contain_text("2026-11-20")  # the latest image of the place


def test_a_patrol_with_a_gpx_file_and_a_public_report_on_a_phone(
    service: Context, chromium: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "track.gpx"
    file.write_bytes(gpx([(0, 0), (1, 1), (5, 21), (6, 22)]))
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with page_of(service, chromium, "village_a", **phone) as (page, address):
        page.goto(f"{address}/patrols/new")
        page.set_input_files("[name=file]", file)
        expect(page.locator("#track-said")).to_contain_text("track.gpx")
        page.check("[name=found][value=true]")
        page.fill("[data-finding] >> nth=0 >> [data-name=project]", "厂房")
        page.click("button.primary")
        page.wait_for_url("**/patrols/1")
        expect(page.locator("main")).to_contain_text("中断 20 分钟")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click("details[data-finding] summary")
        place = ground(EAST["a"] + 60, 60, EAST["a"] + 100, 100).centroid
        page.fill("[name=coordinates]", f"{place.x:.6f}, {place.y:.6f}")
        page.press("[name=coordinates]", "Tab")
        expect(page.locator("[data-part=drawn]")).to_contain_text("点位")
        page.click("form.found button.primary")
        expect(page.locator(f"a[href$='{NUMBERS['a']}']")).to_be_visible()
        page = chromium.new_page(**phone, locale="zh-CN")  # of somebody who is not signed in
        page.goto(f"{address}/report")
        page.fill("[name=summary]", "村口在建厂房")
        page.fill("[name=place]", "村口")
        page.click("button.primary")
        expect(page.locator(".receipt")).to_have_count(2)
        number, code = page.locator(".receipt").all_inner_texts()
        page.goto(f"{address}/report")
        page.fill("[name=number]", number)
        page.fill("[name=code]", code)
        page.click("form >> nth=1 >> button")
        expect(page.locator("main")).to_contain_text("待判定")
        page.close()
