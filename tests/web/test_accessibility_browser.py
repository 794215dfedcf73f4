"""Accessibility: axe-core finds no serious violation on any page, in both languages and both colour schemes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from errors import Reason
from service.context import Context
from store.access.users import begin_session, invite, user_by_login
from store.scenes.batches import add_file
from store.schema.tables import Batch
from tests.web.cameras.camera_service import report, watch
from tests.web.chromium import chromium_browser, needs_chromium
from tests.web.people import NOW, PEOPLE
from tests.web.test_every_route import every_route
from tests.web.tips.tip_rows import add_tip_and_patrol
from tests.web.two_villages import CODES, NUMBERS, create_villages
from tests.web.uploads.upload_service import serving
from web.app import make_app
from web.auth.authentication import cookie_name
from web.front_end import PACKAGES

AXE = PACKAGES / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.slow,
    needs_chromium,
    pytest.mark.skipif(not AXE.exists(), reason="no axe-core (npm ci in web/, development packages included)"),
]
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""

VARIANTS = (("zh", "light"), ("en", "dark"))
"""Languages and colour schemes; their effects are independent, so two variants cover all."""

RUN = """() => axe.run(document, { resultTypes: ["violations"] }).then((found) => found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.any.map((why) => why.message)}`)}`))"""


@pytest.fixture
def service_with_all(service: Context) -> Context:
    """A service with data for every page: images, alerts, nights, batches with every outcome, users."""
    settings = service.settings.model_copy(
        update={"web": service.settings.web.model_copy(update={"secure_cookies": False})}
    )
    context = replace(service, settings=settings)
    villages = create_villages(context)
    watch(context, CODES["a"], scene_id=villages.after["a"])
    report(context, villages, "a")
    add_tip_and_patrol(context, CODES["a"], "county")
    with context.database.write() as session:
        for state in ("done", "working"):
            values = {"area_code": CODES["a"], "origin": "upload", "created_by": "county", "created_at": NOW}
            batch = Batch(name=f"飞行 {state}", state=state, finished_at=NOW if state == "done" else None, **values)
            session.add(batch)
            session.flush()
            for outcome in ("failed", "used", "ignored", "duplicate", None):
                why = Reason("it was not sent completely", "sent.not_whole")
                add_file(session, batch.id, f"{outcome}.tif", size=9, now=NOW, outcome=outcome, reason=why)
    return context


def _pages(context: Context) -> dict[str, list[str]]:
    """Return paths by the login that opens them; all routes without a parameter are included automatically."""
    with context.database.write() as session:
        link = invite(session, None, NOW)
    skipped = (  # for scripts
        *("/api/", "/openid", "/map/", "/health", "/packages", "/static", "/tiles", "/alerts/"),
        "/nights/now",  # a part of the page of nights, empty while no night runs
        *("/dashboard/alerts", "/dashboard/patrols"),  # behind the numbers of the dashboard
        "/exports/mine",  # a part
        *("/inbox/count", "/todo/count", "/account/messages", "/places/", "/tips/near", "/tips/count"),  # parts
    )
    files = ("/export", "/count", ".csv", ".gpkg", ".xlsx")
    plain = [path for method, path in every_route(make_app(context)) if method == "GET" and "{" not in path]
    own = [path for path in plain if path != "/" and not path.startswith(skipped) and not path.endswith(files)]
    one = [
        "/nights/2026-11-23",
        f"/alerts/{NUMBERS['a']}",
        f"/alerts/{NUMBERS['a']}/deadline",
        "/alerts?kinds=demolition",
        "/tips/1",
        "/patrols/1",
        "/cameras/1",
        "/cameras/1/views/1",
        "/batches/1",
        "/batches/3",
        "/batches/4",
    ]
    return {
        "county": [*own, *one, "/alerts/330199U2026119999"],
        "village_b": ["/people", "/todo"],
        "admin": ["/settings"],
        "": ["/sign-in", f"/welcome/{link}", "/welcome/used-up"],
    }


@pytest.fixture
def chromium() -> Iterator[Any]:
    with chromium_browser() as browser:
        yield browser


def test_no_page_has_a_serious_violation(service_with_all: Context, chromium: Any) -> None:
    context = service_with_all
    axe, faults, seen = AXE.read_text("utf-8"), [], set()
    with serving(context) as address:
        for login, paths in _pages(context).items():
            for language, scheme in VARIANTS:
                page = _window(chromium, context, address, login, language, scheme).new_page()
                for path in paths:
                    response = page.goto(path)
                    if not (response and "text/html" in response.headers.get("content-type", "")):
                        continue
                    if page.locator(".review").count():
                        page.wait_for_selector(".review[data-shown]")
                    page.evaluate(axe)
                    faults += [f"{path} ({language}, {scheme}) {fault}" for fault in page.evaluate(RUN)]
                    seen.add((path, response.status))
                    if LOOKS:
                        name = path.strip("/").replace("/", "_").replace("?", "_")[:30]
                        page.screenshot(path=f"{LOOKS}/axe_{name}_{login or 'anonymous'}_{language}_{scheme}.png")
                page.context.close()
    assert {path: status for path, status in seen if status not in (200, 403, 404)} == {}
    assert {path for path, _ in seen} >= {"/alerts", "/map", "/nights", "/batches", "/people", "/log", "/account"}
    assert faults == []


def _window(chromium: Any, context: Context, address: str, login: str, language: str, scheme: str) -> Any:
    window = chromium.new_context(viewport={"width": 1366, "height": 768}, base_url=address, color_scheme=scheme)
    cookies = {"tuban_language": language}
    if login:
        assert login in PEOPLE
        with context.database.write() as session:
            person = user_by_login(session, login)
            assert person is not None
            cookies[cookie_name(context)] = begin_session(session, person, NOW, 12)
    window.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
    return window
