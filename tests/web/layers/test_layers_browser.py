"""An administrator loads a layer by its files, sees what it would change, and takes it into use."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from store.access.users import add_user, begin_session
from store.schema.database import Database
from tests.service.layers.layer_service import LayerService, number, place
from tests.store.sample_alerts import NOW
from tests.web.chromium import chromium_browser, needs_chromium, without_script_errors
from tests.web.test_accessibility_browser import AXE, RUN
from tests.web.uploads.upload_service import serving
from web.auth.authentication import cookie_name

pytestmark = [pytest.mark.slow, needs_chromium]
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""


def look(page: Any, name: str) -> None:
    """Store screenshots of a page on a phone, a tablet and a desktop."""
    for width, height in ((390, 844), (768, 1024), (1366, 768)) if LOOKS else ():
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=f"{LOOKS}/layers_{name}_{width}.png", full_page=True)


def test_a_layer_is_loaded_previewed_and_used(sqlite: Database, tmp_path: Path) -> None:
    service = LayerService.create(sqlite, tmp_path)
    service.use(service.load(service.write("a.gpkg", [place(4)], {"PZWH": ["旧1号"]}), "建设用地批文", "approval"))
    settings = service.context.settings
    web = settings.web.model_copy(update={"secure_cookies": False})
    service.context = replace(service.context, settings=settings.model_copy(update={"web": web}))
    with sqlite.write() as session:
        user = add_user(session, login="chief", name="管理员", role="city", code="", administrator=True, now=NOW)
        secret = begin_session(session, user, NOW, 12)
    values = {"PZWH": ["1号", "2号", "3号"], "PZRQ": ["2026-01-05"] * 3}
    service.write("批文2026.shp", [place(i) for i in range(3)], values)
    files = [str(path) for path in sorted(tmp_path.glob("批文2026.*"))]
    assert len(files) == 5
    with serving(service.context) as address, chromium_browser() as browser:
        window = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=address)
        cookies = {"tuban_language": "zh", cookie_name(service.context): secret}
        window.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
        with without_script_errors(window.new_page()) as page:
            page.goto("/layers")
            page.set_input_files("input[name=files]", files)
            page.fill("input[name=name]", "建设用地批文")
            look(page, "list")
            page.click("#load button.primary")
            page.wait_for_url("**/layers/versions/2")
            assert page.locator("#layer-progress").count() == 1
            service.run_jobs()
            page.wait_for_selector("text=待启用")
            assert page.locator(".impact .card").first.inner_text() == "3 个将被批文覆盖，不再推送"
            assert number(4) in page.locator("details:has-text('不再被覆盖')").inner_text()
            if AXE.exists():
                page.evaluate(AXE.read_text("utf-8"))
                assert page.evaluate(RUN) == []
            look(page, "preview")
            if LOOKS:
                for language, scheme in (("en", "dark"), ("zh", "light")):
                    page.emulate_media(color_scheme=scheme)
                    window.add_cookies([{"name": "tuban_language", "value": language, "url": address}])
                    for path, name in (("/layers", "list"), ("/layers/versions/2", "preview")):
                        page.goto(path)
                        look(page, f"{name}_{language}_{scheme}")
            page.once("dialog", lambda dialog: dialog.accept())
            page.click("button:text-is('启用')")
            page.wait_for_selector("text=正在启用")
            service.run_jobs()
            page.wait_for_selector("text=启用时的变化")
            look(page, "used")
            assert service.states() == ["suppressed", "suppressed", "suppressed", "new", "returned"]
            page.goto(f"/alerts/{number(4)}")
            page.wait_for_selector(".review[data-shown]")
            assert "建设用地批文" in page.inner_text("[data-part=overlaps]")
            assert "第 2 版" in page.inner_text("[data-part=overlaps]")
            look(page, "alert")
