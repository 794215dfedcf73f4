"""The review in a real browser: alerts by keyboard, undo, split, locks and bulk rejection."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from configs.service import ServiceSettings, WebSettings
from service.context import Context
from service.home import prepare_home
from store.access.users import add_user, begin_session, user_by_login
from store.schema.tables import AlertLock, AlertRow
from tests.databases import embedded_database
from tests.web.chromium import chromium_browser, needs_chromium, wait_until
from tests.web.conftest import NOW, PEOPLE
from tests.web.review.review_alerts import add_alerts
from tests.web.uploads.upload_service import serving

pytestmark = [
    pytest.mark.slow,
    needs_chromium,
]
ALERTS = 51
JUDGED = 15
NEXT = (
    "fetch(location.pathname + '/data' + location.search).then(response => response.json()).then(alert => alert.next)"
)
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""


@pytest.fixture
def review(tmp_path: Path) -> Iterator[tuple[Context, str]]:
    settings = ServiceSettings(home=tmp_path / "home", web=WebSettings(secure_cookies=False))
    prepare_home(settings)
    begun = time.monotonic()
    clock = lambda: NOW + dt.timedelta(seconds=time.monotonic() - begun)  # noqa: E731
    context = Context(settings, embedded_database(settings.home / "tuban.db"), clock=clock)
    with context.database.write() as session:
        for login, (role, code, administrator) in PEOPLE.items():
            add_user(session, login=login, name=login, role=role, code=code, administrator=administrator, now=NOW)
    add_alerts(context, ALERTS - 1)
    with serving(context) as address:
        yield context, address
    context.database.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium_browser() as browser:
        yield browser


@pytest.fixture
def chromium(browser: Any) -> Iterator[Any]:
    yield browser
    for window in browser.contexts:
        window.close()


def _page(chromium: Any, context: Context, address: str, login: str, language: str = "en") -> Any:
    with context.database.write() as session:
        person = user_by_login(session, login)
        assert person is not None
        secret = begin_session(session, person, context.clock(), 12)
    window = chromium.new_context(viewport={"width": 1366, "height": 768}, base_url=address)
    window.add_cookies(
        [
            {"name": "tuban", "value": secret, "url": address},
            {"name": "tuban_language", "value": language, "url": address},
        ]
    )
    page = window.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


def _states(context: Context) -> dict[str, int]:
    with context.database.read() as session:
        rows = session.execute(select(AlertRow.state, func.count()).group_by(AlertRow.state))
        return {state: number for state, number in rows}  # noqa: C416


def _shown(page: Any, number: str = "") -> str:
    """Wait until another alert than ``number`` is drawn, and return its number."""
    page.wait_for_selector(f".review[data-shown]:not([data-shown='{number}'])")
    return str(page.evaluate("document.querySelector('.review').dataset.shown"))


def _locks(context: Context) -> int:
    with context.database.read() as session:
        return session.scalar(select(func.count()).select_from(AlertLock)) or 0


def _look(page: Any, name: str) -> None:
    if LOOKS:
        page.screenshot(path=str(Path(LOOKS) / f"{name}.png"))


def test_alerts_are_judged_by_keyboard_alone(chromium: Any, review: tuple[Context, str]) -> None:
    context, address = review
    page = _page(chromium, context, address, "county")
    page.goto("/alerts")
    for _ in range(60):  # by keyboard only: past the navigation to the first button of the content
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('begin')"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "focus is not visible"
    page.keyboard.press("Enter")
    shown = first = _shown(page)
    for index in range(JUDGED):
        page.wait_for_selector(f".review[data-ready='{page.evaluate(NEXT)}']")  # the next alert is loaded in advance
        if index % 5 == 3:
            page.keyboard.press("2")
            page.keyboard.press("2")  # shadow
        elif index % 5 == 4:
            page.keyboard.press("3")
            page.keyboard.press("1")  # cloud
        else:
            page.keyboard.press("1")
        before, shown = shown, _shown(page, shown)
        assert shown != before
        assert shown in page.url
    wait_until(lambda: sum(_states(context).values()) - _states(context)["new"] == JUDGED)
    assert _states(context) == {"published": 9, "false_change": 3, "bad_imagery": 3, "new": ALERTS - JUDGED}
    assert first != shown
    page.keyboard.press("u")
    page.wait_for_selector(f".review[data-shown='{before}']")
    assert _states(context) == {"published": 9, "false_change": 3, "bad_imagery": 2, "new": ALERTS - JUDGED + 1}
    page.goto("/alerts")
    assert page.inner_text("[data-figure=done]") == str(JUDGED - 1)
    assert page.inner_text("[data-figure=left]") == str(ALERTS - JUDGED + 1)
    assert page.faults == []


def test_the_views_of_an_alert_and_its_help(chromium: Any, review: tuple[Context, str]) -> None:
    context, address = review
    page = _page(chromium, context, address, "county")
    page.goto("/alerts")
    page.click(".begin")
    number = _shown(page)
    viewer = page.locator("#viewer")
    page.keyboard.press("w")
    assert viewer.get_attribute("data-mode") == "swipe"
    page.keyboard.press("d")
    assert viewer.get_attribute("data-mode") == "difference"
    page.keyboard.press("d")
    page.keyboard.down(" ")
    assert viewer.get_attribute("data-blink") == "before"
    page.wait_for_selector("#viewer[data-blink=after]")
    page.keyboard.up(" ")
    assert (viewer.get_attribute("data-blink"), viewer.get_attribute("data-mode")) == (None, "side")
    page.keyboard.press("o")
    assert page.get_attribute("[data-act=outline]", "aria-pressed") == "false"
    page.keyboard.press("?")
    assert "undo the last decision" in page.inner_text("#help")
    page.keyboard.press("1")  # has no effect while the help is open
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    page.keyboard.press("Escape")  # cancelled
    assert _shown(page) == number
    page.keyboard.press("j")
    second = _shown(page, number)
    page.go_back()
    assert _shown(page, second) == number
    assert _states(context) == {"new": ALERTS}
    assert page.faults == []


def test_an_alert_is_split_and_the_split_undone_by_keyboard_alone(chromium: Any, review: tuple[Context, str]) -> None:
    context, address = review
    page = _page(chromium, context, address, "county", "zh")
    page.goto("/alerts")
    page.click(".begin")
    number = _shown(page)
    page.keyboard.press("s")  # two pieces: the dialog offers the gap or a line
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cut-hint:not([hidden])")
    page.keyboard.press("1")  # has no effect now
    page.keyboard.press("Escape")
    assert page.is_hidden("#cut-hint")
    page.keyboard.press("s")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cut-hint:not([hidden])")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp", "Shift+ArrowUp", "ArrowDown", "Shift+ArrowRight"):
        page.keyboard.press(key)
    _look(page, "cut")
    page.keyboard.press("Enter")
    part = _shown(page, number)
    wait_until(lambda: _states(context) == {"new": ALERTS - 1 + 4, "split": 1})  # the cut goes through both pieces
    with context.database.read() as session:
        parts = session.scalars(select(AlertRow).order_by(AlertRow.id.desc()).limit(4)).all()
        assert len({round(alert.area_m2) for alert in parts}) == 4  # moved from the middle, and turned
    assert page.inner_text("[data-part=log] a") == number
    page.keyboard.press("u")
    assert _shown(page, part) == number
    wait_until(lambda: _states(context) == {"new": ALERTS, "merged": 4})
    page.keyboard.press("s")
    page.keyboard.press("Enter")  # at the gap
    part = _shown(page, number)
    page.click("text=撤销这一步")  # in the list of steps of a part
    assert _shown(page, part) == number
    wait_until(lambda: _states(context) == {"new": ALERTS, "merged": 6})
    _look(page, "split_taken_back")
    assert page.faults == []


def test_an_alert_open_by_another_user_is_read_only(chromium: Any, review: tuple[Context, str]) -> None:
    context, address = review
    first = _page(chromium, context, address, "county")
    first.goto("/alerts")
    first.click(".begin")
    number = _shown(first)
    wait_until(lambda: _locks(context) == 1)
    second = _page(chromium, context, address, "admin")
    second.goto(f"/alerts/{number}")
    second.wait_for_selector("[data-part=locked]:not([hidden])")
    assert "county has this alert open" in second.inner_text("[data-part=locked]")
    assert second.is_disabled("[data-act=true]")
    second.keyboard.press("1")
    assert _states(context) == {"new": ALERTS}
    first.goto("/alerts?sort=newest")  # leaving the page releases the lock
    wait_until(lambda: _locks(context) == 0)


def test_a_confirmed_bulk_rejection_can_be_undone(chromium: Any, review: tuple[Context, str]) -> None:
    context, address = review
    page = _page(chromium, context, address, "county", "zh")
    page.goto("/alerts")
    page.locator("button.more").scroll_into_view_if_needed()  # loads the next page without a click
    page.locator("#alerts .alert").nth(ALERTS - 1).wait_for()
    for box in page.locator("#alerts input[name=number]").all()[:3]:
        box.check()
    page.click("#reject")
    assert "3" in page.inner_text("#reject-title")
    page.check("input[value=film]")
    page.click("#confirm")
    page.wait_for_selector("#notices .good")
    assert _states(context) == {"new": ALERTS - 3, "false_change": 3}
    assert page.locator("#alerts .alert:visible").count() >= 45
    page.click("#notices .good button")
    page.wait_for_selector("text=已恢复 3 个")
    assert _states(context) == {"new": ALERTS}
    assert page.faults == []


def test_changing_the_filter_updates_the_url_and_keeps_the_focus(chromium: Any, review: tuple[Context, str]) -> None:
    context, address = review
    page = _page(chromium, context, address, "county")
    page.goto("/alerts")
    page.focus("#f-sort")
    page.select_option("#f-sort", "largest")
    page.wait_for_url("**sort=largest**")
    page.wait_for_selector("#f-sort")
    assert page.evaluate("document.activeElement.id") == "f-sort"
    page.check("#f-kind-ground")
    page.wait_for_url("**kinds=ground**")
    assert page.locator("#alerts .alert").count() == 17
    assert page.faults == []


def test_an_alert_is_shown_as_of_a_day(review: tuple[Context, str], chromium: Any) -> None:
    context, address = review
    page = _page(chromium, context, address, "county", "zh")
    with context.database.read() as session:
        number = session.scalars(select(AlertRow.number).order_by(AlertRow.id)).first()
    page.goto(f"/alerts/{number}")
    page.click("[data-part=days] summary")
    slider = page.locator("[data-part=days] input[type=range]")
    slider.wait_for()
    assert slider.get_attribute("max") == "1"
    label = page.locator("[data-part=days] label b")
    assert label.inner_text() == "截至 2026-11-20"
    slider.press("ArrowLeft")
    assert label.inner_text() == "截至 2026-08-20"
    if LOOKS:
        for name, width in (("desktop", 1366), ("phone", 390)):
            page.set_viewport_size({"width": width, "height": 800})
            page.locator("[data-part=days]").scroll_into_view_if_needed()
            page.screenshot(path=f"{LOOKS}/days_{name}.png")
