"""The list and the review page on a phone and a small laptop: what is reached without scrolling, in one session."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from service.context import Context
from store.schema.tables import AlertRow, SceneRow
from tests.web.chromium import needs_chromium
from tests.web.review.test_review_browser import _page, browser, chromium, review

__all__ = ["browser", "chromium", "review"]

pytestmark = [pytest.mark.slow, needs_chromium]
PHONE = {"width": 390, "height": 844}


def _bottoms(page: Any, selector: str) -> list[float]:
    found: list[float] = page.evaluate(
        "selector => [...document.querySelectorAll(selector)].map(one => one.getBoundingClientRect().bottom)", selector
    )
    return found


def test_pages_on_a_phone_and_the_end_of_the_list(chromium: Any, review: tuple[Context, str]) -> None:
    context, address = review
    with context.database.write() as session:
        alerts = list(session.scalars(select(AlertRow).order_by(AlertRow.number)))
        for alert in alerts[2:]:
            alert.state = "published"
        for scene in session.scalars(select(SceneRow)):
            scene.gsd_m = 10.0
    page = _page(chromium, context, address, "county", "zh")

    # the list: the first alert is on the first screen, filters are folded, the export menu opens
    page.set_viewport_size(PHONE)
    page.goto("/alerts?sort=gravest")
    page.wait_for_selector("#alerts .alert")
    assert _bottoms(page, "#alerts .alert")[0] < PHONE["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert not page.is_visible("#filters")
    page.click(".show-filters")
    assert page.is_visible("#f-sort")
    page.click("summary:has-text('导出')")
    assert page.locator("main .menu a[download]").count() == 8

    # the review page: all steps are on the first screen, and the server enlarges coarse images
    zooms: list[int] = []
    page.on("request", lambda sent: zooms.extend(map(int, re.findall(r"/tiles/alerts/[^/]+/\w+/(\d+)/", sent.url))))
    page.goto(f"/alerts/{alerts[5].number}")
    page.wait_for_selector("[data-shown]")
    steps = _bottoms(page, "[data-part=steps] button")
    assert steps
    assert max(steps) < PHONE["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert min(zooms) > 15  # zoom 14 has pixels of 10 m

    # a small laptop: further filters fit into their box, and the list ends with a message that stays
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto("/alerts?states=new")
    page.click("#f-more summary")
    inside = """() => {
      const right = document.getElementById("filters").getBoundingClientRect().right;
      return [...document.querySelectorAll("#f-more input, #f-more select")].every(
        (one) => one.scrollWidth <= one.clientWidth && one.getBoundingClientRect().right <= right);
    }"""
    assert page.evaluate(inside)
    page.goto(f"/alerts/{alerts[0].number}?states=new")
    page.wait_for_selector("[data-shown]")
    shown = "text => document.querySelector('[data-part=position]').textContent === text"
    for position in ("第 1 个，共 2 个", "第 2 个，共 2 个"):
        page.wait_for_function(shown, arg=position)
        page.keyboard.press("1")
    page.wait_for_selector("[data-part=end]:not([hidden])")
    assert page.inner_text("[data-part=end]") == "列表已审完，本次共判读 2 个。 返回列表"
    assert page.faults == []
