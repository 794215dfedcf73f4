"""Evidence in a real browser: findings with a photo, any two dates, a corrected outline, a missed change on the map."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from configs.service import ServiceSettings, WebSettings
from service.context import Context
from service.home import prepare_home
from store.access.users import add_user, begin_session, user_by_login
from store.schema.tables import AlertRow, Counter, Transition
from tests.databases import embedded_database
from tests.service.evidence.test_intake import photo
from tests.web.chromium import chromium_browser, needs_chromium, wait_until, without_script_errors
from tests.web.people import NOW, PEOPLE
from tests.web.two_villages import NUMBERS, Villages, create_villages
from tests.web.uploads.upload_service import serving

pytestmark = [pytest.mark.slow, needs_chromium]
A = NUMBERS["a"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Context, str, Villages]]:
    settings = ServiceSettings(home=tmp_path / "home", web=WebSettings(secure_cookies=False))
    prepare_home(settings)
    begun = time.monotonic()
    clock = lambda: NOW + dt.timedelta(seconds=time.monotonic() - begun)  # noqa: E731
    context = Context(settings, embedded_database(settings.home / "tuban.db"), clock=clock)
    with context.database.write() as session:
        for login, (role, code, administrator) in PEOPLE.items():
            add_user(session, login=login, name=login, role=role, code=code, administrator=administrator, now=NOW)
        session.add(Counter(name="alert:330199:drone:202611", value=100))
    created = create_villages(context)
    with serving(context) as address:
        yield context, address, created
    context.database.close()


def _page(chromium: Any, context: Context, address: str, login: str, width: int = 1366) -> Any:
    with context.database.write() as session:
        person = user_by_login(session, login)
        assert person is not None
        secret = begin_session(session, person, context.clock(), 12)
    window = chromium.new_context(viewport={"width": width, "height": 768}, base_url=address)
    names = {"tuban": secret, "tuban_language": "en"}
    window.add_cookies([{"name": name, "value": value, "url": address} for name, value in names.items()])
    return window.new_page()


def _alert(context: Context, number: str = A) -> AlertRow:
    with context.database.read() as session:
        return session.scalars(select(AlertRow).where(AlertRow.number == number)).one()


def _open(page: Any, number: str = A) -> None:
    page.goto(f"/alerts/{number}")
    page.wait_for_selector(".review[data-shown]")


def _accept_dialog(page: Any) -> None:
    page.locator("dialog[open] button.primary").click()
    page.wait_for_selector("dialog[open]", state="detached")


def test_outlines_are_corrected_and_drawn_and_any_two_dates_compared(place: tuple[Context, str, Villages]) -> None:
    context, address, _ = place
    with chromium_browser() as chromium, without_script_errors(_page(chromium, context, address, "county")) as page:
        _open(page)
        page.keyboard.press("t")
        slider = page.locator("#dates input[data-when=before]")
        slider.fill("1")
        assert page.locator("[data-part=before-caption]").inner_text().startswith("2026-11-20")
        assert "0.00 mu" in (page.locator(".area-chart").get_attribute("aria-label") or "")
        page.keyboard.press("t")
        page.locator("[data-act=edit_outline]").click()
        page.locator("[data-edit=redraw]").click()
        box = page.locator("#map-after").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for dx, dy in ((-60, -60), (40, -60), (40, 50)):
            page.mouse.click(x + dx, y + dy)
            page.wait_for_timeout(300)  # two quick clicks would end the drawing
        page.mouse.dblclick(x - 60, y + 50)
        page.locator("[data-edit=save]").click()
        page.locator("dialog[open] textarea").fill("Shadow was part of it")
        _accept_dialog(page)
        assert 100 < _alert(context).area_m2 < 1000
        page.goto("/map#at=18/30.940000/113.892500")
        page.wait_for_selector("#map[data-loaded]")
        page.locator("#draw-alert").click()
        box = page.locator("#map").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for dx, dy in ((0, 0), (40, 0), (40, 40)):
            page.mouse.click(x + dx, y + dy)
            page.wait_for_timeout(300)
        page.mouse.dblclick(x, y + 40)
        page.locator("dialog[open] textarea").fill("A house that the scan missed")
        _accept_dialog(page)

        assert _alert(context, "330199U2026110101").source == "drone"


def test_findings_with_a_photo_are_submitted_and_seen(place: tuple[Context, str, Villages], tmp_path: Path) -> None:
    context, address, _ = place
    file = tmp_path / "site.jpg"
    file.write_bytes(photo())
    with context.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == A)).one()
        alert.state = "accepted"
    with (
        chromium_browser() as chromium,
        without_script_errors(_page(chromium, context, address, "village_a", 390)) as page,
    ):
        _open(page)
        for act in ("true", "merge", "split"):  # not what a village officer may do
            assert not page.locator(f"[data-act={act}]").is_visible()
        assert page.locator(".steps button.primary").count() == 1
        page.locator(".steps button:enabled").first.click()
        dialog = page.locator("dialog[open]")
        dialog.locator("input[type=file]").first.set_input_files([str(file)] * 3)
        dialog.locator(".evidence-files img").nth(2).wait_for()
        for name, value in (("finding", "suspected"), ("works", "built"), ("use", "factory")):
            dialog.locator(f"select[name={name}]").select_option(value)
        dialog.locator("input[name=party]").fill("Zhang")
        dialog.locator("input[name=area_mu]").fill("2400")
        assert not dialog.locator("form").evaluate("form => form.checkValidity()")  # square metres instead of mu
        dialog.locator("input[name=area_mu]").fill("2.4")
        dialog.locator("input[name=cultivated_mu]").fill("3")
        assert not dialog.locator("form").evaluate("form => form.checkValidity()")  # a part larger than the whole
        dialog.locator("input[name=cultivated_mu]").fill("2")
        _accept_dialog(page)
        wait_until(lambda: _alert(context).state != "accepted")
        assert page.locator("[data-part=log] .shots img").count() == 3
        with context.database.read() as session:
            steps = session.scalars(select(Transition).order_by(Transition.id.desc()).limit(2)).all()
        assert any(step.evidence.get("findings", {}).get("party") == "Zhang" for step in steps)
