"""A day from dispatch to closing, played by three people in a real browser: at most eight clicks for each of them."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from imagery.files.evidence_content import check_content
from service.context import Context
from service.evidence import intake
from store.access.users import begin_session, user_by_login
from store.schema.tables import AlertRow, Transition
from tests.web.chromium import chromium_browser, needs_chromium, without_script_errors
from tests.web.field.field_service import photo
from tests.web.review.review_alerts import add_alerts
from tests.web.todo.service_of_today import today_service
from tests.web.uploads.upload_service import serving
from web.auth.authentication import cookie_name

pytestmark = [pytest.mark.slow, needs_chromium]
MOST_CLICKS = 8
SIZES = {"village_a": (390, 844), "town": (768, 1024), "county": (1366, 768)}
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""


class Person:
    """A signed-in person whose clicks are counted; choosing a file or in a list is one click, typing none."""

    def __init__(self, context: Context, browser: Any, address: str, login: str) -> None:
        width, height = SIZES[login]
        window = browser.new_context(
            viewport={"width": width, "height": height}, base_url=address, locale="zh-CN", has_touch=width < 600
        )
        with context.database.write() as session:
            user = user_by_login(session, login)
            assert user is not None
            secret = begin_session(session, user, context.clock(), 12)
        window.add_cookies([{"name": cookie_name(context), "value": secret, "url": address}])
        self.login, self.clicks, self.page = login, 0, window.new_page()

    def press(self, selector: str) -> None:
        self.clicks += 1
        self.page.locator(selector).first.click()

    def choose_files(self, name: str, *contents: bytes) -> None:
        self.clicks += 1
        with self.page.expect_file_chooser() as chooser:
            self.page.locator(f"dialog [data-field='{name}'] button").first.click()
        files = [(f"IMG_{index:04}.jpg", content) for index, content in enumerate(contents, 1)]
        chooser.value.set_files([{"name": n, "mimeType": "image/jpeg", "buffer": content} for n, content in files])
        self.page.wait_for_selector(f"dialog [data-field='{name}'] .thumb img >> nth={len(files) - 1}")

    def choose(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            self.clicks += 1
            self.page.select_option(f"dialog select[name='{name}']", value)

    def type(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            self.page.fill(f"dialog [name='{name}']", value)

    def look(self, name: str) -> None:
        if LOOKS:
            self.page.wait_for_timeout(300)
            self.page.screenshot(path=f"{LOOKS}/day_{self.login}_{name}.png")

    def step(self, number: str, to: str) -> None:
        self.page.goto("/todo")
        self.page.wait_for_selector(f"[data-number='{number}'] [data-to='{to}']", state="attached")
        self.look(to)
        item = f".todo-item[data-number='{number}']"
        if not self.page.is_visible(f"{item} [data-to='{to}']"):
            self.press(f"{item} .menu summary")
        self.press(f"{item} [data-to='{to}']")

    def save(self) -> None:
        self.look("form")
        self.press("dialog[open] .primary")
        self.done()

    def done(self) -> None:
        self.page.wait_for_selector("#todo-results .notice.good")


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Context, str, dict[str, Person]]]:
    """A village, a township and a county with three new alerts. The sandbox of photos has its own tests."""
    monkeypatch.setattr(intake, "run_sandboxed", lambda function, task, limits, workdir: check_content(task))
    context = today_service(tmp_path)
    numbers = add_alerts(context, 3)
    with serving(context) as address, chromium_browser() as browser:
        people = {login: Person(context, browser, address, login) for login in SIZES}
        with without_script_errors(people["village_a"].page), without_script_errors(people["county"].page):
            yield context, numbers[0], people
    context.database.close()


def test_from_dispatch_to_closing_in_at_most_eight_clicks_each(people: tuple[Context, str, dict[str, Person]]) -> None:
    context, number, by_login = people
    village, town, county = by_login["village_a"], by_login["town"], by_login["county"]

    county.step(number, "dispatched")  # judged on its pictures, and dispatched
    county.done()
    assert county.page.locator(f".todo-item[data-number='{number}']:visible").count() == 0

    village.step(number, "submitted")
    village.choose_files("photos", *(photo(seed, side=400) for seed in (1, 3, 4)))
    village.choose({"finding": "suspected", "works": "partly_built", "use": "factory"})
    village.type({"party": "张三", "area_mu": "1.2", "cultivated_mu": "0.8"})
    village.save()

    town.step(number, "reviewed")
    town.done()

    county.step(number, "correcting")
    day = context.today + dt.timedelta(days=20)
    county.type({"basis": "现场核查，未见用地手续", "stop_notice": "责停〔2026〕7 号", "correct_by": day.isoformat()})
    county.save()

    town.step(number, "rechecked")
    town.choose_files("later_image", photo(2, side=400))
    town.save()

    county.step(number, "closed")
    total = county.page.input_value("dialog [name='total_m2']")
    county.type({"demolished_m2": total, "regularised_m2": "0"})
    county.press("dialog [name='agreed']")
    county.save()

    clicks = {login: person.clicks for login, person in by_login.items()}
    print("clicks", clicks)
    assert {login: count for login, count in clicks.items() if count > MOST_CLICKS} == {}
    with context.database.read() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
        steps = session.execute(
            select(Transition.to_state, Transition.who)
            .where(Transition.alert_id == alert.id)
            .order_by(Transition.sequence)
        )
        log = [(state, who) for state, who in steps]
    assert log == [
        ("triaged", "county"),
        ("published", "county"),
        ("dispatched", "county"),
        ("accepted", "village_a"),
        ("field_checked", "village_a"),
        ("submitted", "village_a"),
        ("reviewed", "town"),
        ("unlawful", "county"),
        ("correcting", "county"),
        ("rechecked", "town"),
        ("closed", "county"),
    ]


def test_many_at_once_with_a_refused_one_named_and_undo(people: tuple[Context, str, dict[str, Person]]) -> None:
    context, number, by_login = people
    county, town = by_login["county"], by_login["town"]
    county.page.goto("/todo")
    county.page.wait_for_selector(".todo-item")
    with context.database.write() as session:  # another person was faster
        session.scalars(select(AlertRow).where(AlertRow.number == number)).one().state = "closed"
    county.press("#select-all")
    county.look("selected")
    county.press("#chosen [data-to='published']")
    county.press("#step-confirm")
    county.page.wait_for_selector("#todo-results .notice.bad")
    assert number in county.page.inner_text("#todo-results .notice.bad")
    county.page.wait_for_selector(f".todo-item[data-number='{number}']", state="detached")  # the list was read again
    county.page.wait_for_selector(".todo-item [data-to='dispatched']:visible")
    county.page.wait_for_function("document.querySelector('nav .count').innerText.trim() === '3'")
    county.press("#select-all")
    county.press("#chosen [data-to='dispatched']")
    county.page.select_option("#step-assignee", "*")
    county.look("bulk")
    county.press("#step-confirm")
    county.page.wait_for_selector(".todo-item", state="detached")
    with context.database.read() as session:
        rows = session.execute(select(AlertRow.state, AlertRow.assignee, AlertRow.grid_code))
        assert {tuple(row) for row in rows} == {
            ("closed", "", "330199101001"),
            ("dispatched", "village_a", "330199101001"),
            ("dispatched", "village_b", "330199101002"),
        }
    county.press("#todo-results .notice.good button")  # undo
    county.page.wait_for_selector(".todo-item [data-to='dispatched']")
    town.page.goto("/todo")
    assert town.page.locator(".todo-item").count() == 0
