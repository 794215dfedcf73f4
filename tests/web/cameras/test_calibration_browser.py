"""Calibration of a camera's view in a real browser, by pointer and by keyboard."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.context import Context
from store.access.users import begin_session, user_by_login
from store.schema.camera_tables import PresetRow
from tests.web.cameras.camera_service import watch
from tests.web.chromium import chromium_browser, needs_chromium, wait_until, without_script_errors
from tests.web.conftest import NOW
from tests.web.two_villages import CODES, create_villages
from tests.web.uploads.upload_service import serving
from web.auth.authentication import cookie_name

pytestmark = [
    pytest.mark.slow,
    needs_chromium,
]
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""

WIDTH, HEIGHT = 640, 360
CLICKED = [((0.3, 0.8), (0.35, 0.7)), ((0.7, 0.8), (0.65, 0.7)), ((0.62, 0.4), (0.75, 0.2)), ((0.38, 0.4), (0.25, 0.2))]
"""Relative positions in the frame and on the map; distances that are shorter in the frame are farther away."""


@pytest.fixture
def calibrating(service: Context) -> Iterator[tuple[Context, Any]]:
    """The service, and the calibration page of a view without a calibration."""
    web = service.settings.web.model_copy(update={"secure_cookies": False})
    context = replace(service, settings=service.settings.model_copy(update={"web": web}))
    create_villages(context)
    watch(context, CODES["a"], size=(WIDTH, HEIGHT))
    with context.database.write() as session:
        person = user_by_login(session, "village_a")
        assert person is not None
        secret = begin_session(session, person, NOW, 12)
    with serving(context) as address, chromium_browser() as browser:
        window = browser.new_context(viewport={"width": 1366, "height": 900}, base_url=address)
        cookies = {cookie_name(context): secret, "tuban_language": "en"}
        window.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
        page = window.new_page()
        with without_script_errors(page):
            with page.expect_response("**/tiles/scenes/**"):  # imagery is loaded without moving the map
                page.goto("/cameras/1/views/1")
            yield context, page


def _click(page: Any, pane: str, at: tuple[float, float]) -> None:
    box = page.locator(pane).bounding_box()
    page.mouse.click(box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"])


def _filled(page: Any, count: int) -> None:
    """Wait until the table has so many values; a click takes effect when it cannot become a double click."""
    from playwright.sync_api import expect

    expect(page.locator("#points input").nth(count - 1)).not_to_have_value("")


def _imagery(page: Any) -> float:
    """Return the share of the map's box that imagery fills; the sample images are noise."""
    pixels = np.asarray(Image.open(io.BytesIO(page.locator("#ground").screenshot())).convert("L"), np.int16)
    return float(np.mean(np.abs(np.diff(pixels, axis=1)) > 2))


def _row(context: Context) -> PresetRow:
    with context.database.read() as session:
        return session.get_one(PresetRow, 1)


def test_points_by_pointer_and_keyboard_and_the_ground_outline_by_keyboard(
    calibrating: tuple[Context, Any],
) -> None:
    context, page = calibrating
    # the box is twice as wide as high: square images fill its height, the village would be much larger
    wait_until(lambda: _imagery(page) > 0.35)
    for number, (frame, ground) in enumerate(CLICKED):
        _click(page, "#frame", frame)
        _filled(page, 4 * number + 2)
        _click(page, "#ground", ground)
        _filled(page, 4 * number + 4)
    page.wait_for_selector("#calibration-message:has-text('Four points always fit')")
    assert page.locator(".residual").all_inner_texts() == ["0.00"] * 4

    # a fifth by keyboard, from the middle of both panes a little aside: now a mistake would show
    for pane, filled in (("#frame", 18), ("#ground", 20)):
        page.focus(pane)
        for key in ("ArrowDown", "Shift+ArrowRight", "Enter"):
            page.keyboard.press(key)
        _filled(page, filled)
    page.wait_for_selector("#calibration-message:has-text('Root mean square'):not(:has-text('Four points'))")
    residuals = [float(words) for words in page.locator(".residual").all_inner_texts()]
    assert len(residuals) == 5
    assert max(residuals) > 0.5

    # the ground: four corners, a fifth one too many
    page.focus("#region")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "frame"
    for keys in (["ArrowLeft"] * 5, ["ArrowDown"] * 3, ["ArrowRight"] * 9, ["ArrowUp"] * 5, ["ArrowLeft"] * 4):
        for key in (*keys, "Enter"):
            page.keyboard.press(key)
    page.wait_for_selector("#calibration-message:has-text('5 corners')")
    page.keyboard.press("Backspace")
    page.wait_for_selector("#calibration-message:has-text('4 corners')")
    if LOOKS:
        page.screenshot(path=str(Path(LOOKS) / "calibration.png"))
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "region"
    page.wait_for_selector("#calibration-message:has-text('Root mean square')")
    assert _row(context).control_points == []  # only tried so far
    page.focus("#save")
    page.keyboard.press("Enter")
    page.wait_for_selector("#calibration-message:has-text('Calibration saved')")

    stored = _row(context)
    assert (len(stored.control_points), stored.calibrated_by) == (5, "village_a")
    (x1, y1), (x2, y2), (x3, y3), (x4, y4) = stored.region
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in stored.region)
    assert (x1, y2, x3) == pytest.approx((x2, y3, x4))
    assert y2 > y1 > y4
    assert x3 > x1
    page.reload()
    _filled(page, 20)
