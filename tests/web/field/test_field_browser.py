"""Checks on the ground in a real browser: without a network, over a line that cuts, and where others lost work."""

from __future__ import annotations

import hashlib
import io
import json
import os
import ssl
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from service.context import Context
from store.access.users import begin_session, end_sessions, user_by_login
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.field_tables import FieldStep
from store.schema.tables import AlertRow
from tests.web.chromium import chromium_browser, needs_chromium, wait_until, without_script_errors
from tests.web.field.cutting_line import CuttingLine, cutting_line
from tests.web.field.field_service import check_in_process, create_alerts, for_browsers, numbers, photo, place_of_alert
from tests.web.uploads.upload_service import serving
from web.auth.authentication import cookie_name
from web.field import shell_assets

pytestmark = [pytest.mark.slow, needs_chromium]
ANDROID = {"viewport": {"width": 412, "height": 915}, "is_mobile": True, "has_touch": True}
IPHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1",
}
AUTHORITY = Path(__file__).parents[3] / "deploy" / "tls" / "bureau-authority.sh"
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""


@pytest.fixture
def world(service: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Context, CuttingLine, Any]]:
    """The service, a line to it, and a browser. Photos are checked in this process; the sandbox has its own tests."""
    check_in_process(monkeypatch)
    context = for_browsers(service)
    with serving(context) as address, cutting_line(address) as line, chromium_browser() as browser:
        yield context, line, browser


def _phone(world: tuple[Context, CuttingLine, Any], login: str, device: dict[str, Any], script: str = "") -> Any:
    """Return the context of a phone that is signed in and has a position at the alerts."""
    context, line, browser = world
    lon, lat = place_of_alert()
    phone = browser.new_context(
        base_url=line.address,
        locale="en-GB",
        geolocation={"longitude": lon, "latitude": lat, "accuracy": 6},
        permissions=["geolocation"],
        **device,
    )
    if script:
        phone.add_init_script(script)
    _sign_in(context, line, phone, login)
    return phone


def _sign_in(context: Context, line: CuttingLine, phone: Any, login: str) -> None:
    """Give the phone a session of a person."""
    with context.database.write() as session:
        user = user_by_login(session, login)
        assert user is not None
        secret = begin_session(session, user, context.clock(), 12)
    phone.add_cookies([{"name": cookie_name(context), "value": secret, "url": line.address}])


def _open(phone: Any, path: str = "/field") -> Any:
    page = phone.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(path)
    page.wait_for_selector("#view[data-shown]")
    return page


def _look(page: Any, name: str) -> None:
    if LOOKS:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{LOOKS}/field_{name}.png", full_page=True)


def _take_all(page: Any, count: int) -> None:
    page.click("#take-all")
    page.wait_for_selector(f".work[data-taken=whole] >> nth={count - 1}")


def _add(page: Any, shot: str, content: bytes, source: str = "camera") -> None:
    before = page.locator(".photo").count()
    picture = {"name": f"IMG_{shot}.jpg", "mimeType": "image/jpeg", "buffer": content}
    page.set_input_files(f"[data-input={source}-{shot}]", picture)
    page.wait_for_selector(f".photo >> nth={before}")


def _fill(page: Any) -> None:
    for name, value in (("finding", "suspected"), ("works", "partly_built"), ("use", "factory")):
        page.select_option(f"#finding-{name}", value)
    for name, words in (("party", "张三"), ("area_mu", "2.4"), ("cultivated_mu", "1,1")):
        page.fill(f"#finding-{name}", words)


def _check(page: Any, number: str, photos: list[bytes]) -> None:
    """Check an alert with photos, and submit it."""
    _show(page, f"#/alert/{number}", "alert")
    for content, shot in zip(photos, ("far", "near", "near"), strict=False):
        _add(page, shot, content)
    _fill(page)
    page.click("#submit")
    page.wait_for_selector("#view[data-shown=work]")


def _show(page: Any, place: str, shown: str) -> None:
    if page.locator(f"#view[data-shown={shown}]").count():  # another view between two of a kind
        page.evaluate("location.hash = '#/phone'")
        page.wait_for_selector("#view[data-shown=phone]")
    page.evaluate("place => { location.hash = place }", place)
    page.wait_for_selector(f"#view[data-shown={shown}]")


def _stored(context: Context) -> Counter[str]:
    """Return how often each original is stored, by the SHA-256 of its bytes."""
    with context.database.read() as session:
        keys = session.scalars(select(EvidenceFile.object_key)).all()
    return Counter(hashlib.sha256(context.objects.read(key)).hexdigest() for key in keys)


def _step_states(context: Context) -> Counter[tuple[str, str]]:
    with context.database.read() as session:
        return Counter((kind, state) for kind, state in session.execute(select(FieldStep.kind, FieldStep.state)))


_COUNT = """async (store) => new Promise((done) => {
  const opened = indexedDB.open("tuban-field");
  opened.onsuccess = () => {
    const counted = opened.result.transaction(store).objectStore(store).count();
    counted.onsuccess = () => { opened.result.close(); done(counted.result); };
  };
})"""


_FULL = """() => {
  const { put } = IDBObjectStore.prototype;
  window.full = true;
  IDBObjectStore.prototype.put = function (...given) {
    if (window.full && this.name === "photos") throw new DOMException("the quota is used up", "QuotaExceededError");
    return put.apply(this, given);
  };
}"""


def test_twenty_alerts_without_a_network_and_sixty_photos_over_a_line_that_cuts(
    world: tuple[Context, CuttingLine, Any],
) -> None:
    context, line, _ = world
    create_alerts(context, 20)
    phone = _phone(world, "village_a", ANDROID)
    page = _open(phone)
    assert "about" in page.inner_text("#take-all"), "the size is told before"
    _take_all(page, 20)
    line.set(is_open=False)
    phone.set_offline(True)
    page.close()

    photos = [photo(seed) for seed in range(60)]
    page = _open(phone)  # from the phone's copy
    with without_script_errors(page):
        assert page.locator(".work").count() == 20
        page.click(f".work[data-number='{numbers(1)[0]}'] .work-open")
        page.wait_for_selector(".field-map[data-drawn]")
        _look(page, "map")
        for index, number in enumerate(numbers(20)):
            _check(page, number, photos[3 * index : 3 * index + 3])
            if index == 9:
                page.close()
                page = _open(phone)
        _show(page, "#/outbox", "outbox")
        assert page.locator(".check[data-sent='0'][data-total='6']").count() == 20

        line.set(is_open=True, bytes_per_second=200_000, cut_every=2)
        phone.set_offline(False)
        page.wait_for_selector(".check[data-sent='6'] >> nth=19")
        assert line.cuts >= 3
        _look(page, "sent")
        wait_until(lambda: page.evaluate(_COUNT, "photos") == 0)  # originals are deleted after they were confirmed
    assert _stored(context) == Counter(hashlib.sha256(content).hexdigest() for content in photos)
    expected = {("accept", "applied"): 20, ("photo", "applied"): 60, ("findings", "applied"): 20}
    assert _step_states(context) == Counter(expected | {("report", "applied"): 20})
    with context.database.read() as session:
        states = session.execute(select(AlertRow.number, AlertRow.state)).all()
    assert {state for number, state in states if number in numbers(20)} == {"submitted"}


def test_what_lost_the_work_of_others(
    world: tuple[Context, CuttingLine, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, line, _ = world
    create_alerts(context, 4, "accepted")
    phone = _phone(world, "village_a", IPHONE)
    page = _open(phone)
    _take_all(page, 4)
    with without_script_errors(page):
        _two_tabs(phone, page)
        _storage_full(page)
        _cut_half_way(context, line, page)
        _conflict_with_a_second_phone(world, line, page)
        _a_new_version_keeps_unsent_work(context, line, page, monkeypatch)
        _closed_meanwhile_and_exported(context, line, phone, page)
    _the_desk_sees_it(world)
    _the_door_says_what_is_missing(world)
    _an_untrusted_certificate_is_told(world, tmp_path, line.server)


def _two_tabs(phone: Any, page: Any) -> None:
    number = numbers(1)[0]
    _show(page, f"#/alert/{number}", "alert")
    _add(page, "far", photo(1))
    page.fill("#finding-party", "李四")
    other = _open(phone, f"/field#/alert/{number}")
    assert other.is_visible("text=This alert is being checked in another tab")
    assert not other.is_visible("#submit")
    _show(page, "#/", "work")  # the first tab lets go
    other.wait_for_selector("#submit")
    assert other.input_value("#finding-party") == "李四"
    assert other.locator(".photo").count() == 1
    other.close()


def _storage_full(page: Any) -> None:
    """A photo that does not fit is told; those before it, and the draft, stay."""
    _show(page, f"#/alert/{numbers(1)[0]}", "alert")
    page.evaluate(_FULL)  # the browser's answer when the quota is used up; Chromium's own switch has no effect here
    page.set_input_files("[data-input=camera-near]", {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": photo(2)})
    page.wait_for_selector("text=The photo could not be stored on this phone: the phone's storage is full")
    assert page.locator(".photo").count() == 1
    page.evaluate("window.full = false")
    _add(page, "near", photo(3), "gallery")
    assert "From the gallery" in page.inner_text(".photo >> nth=1")
    page.locator("[aria-label='Delete the photo']").nth(1).click()
    wait_until(lambda: page.locator(".photo").count() == 1)


def _cut_half_way(context: Context, line: CuttingLine, page: Any) -> None:
    """A photo goes on where it was cut; both sides say how much has arrived; only confirmed originals are deleted."""
    offsets: list[int] = []
    page.on(
        "request",
        lambda sent: offsets.append(int(sent.headers["upload-offset"])) if sent.method == "PATCH" else None,
    )
    line.set(is_open=True, bytes_per_second=400_000)
    _show(page, f"#/alert/{numbers(1)[0]}", "alert")
    for content in (photo(4), photo(5, side=2400)):
        _add(page, "near", content)
    _fill(page)
    page.click("#submit")
    page.wait_for_selector("#view[data-shown=work]")
    _show(page, "#/outbox", "outbox")
    wait_until(lambda: page.evaluate("true") and any(offset > 0 for offset in offsets))
    line.set(is_open=False)
    page.wait_for_selector(".check[data-sent='4'][data-total='5']")
    _look(page, "cut")
    assert page.evaluate(_COUNT, "photos") == 1
    offsets.clear()
    line.set(is_open=True)
    page.wait_for_selector(".check[data-sent='5']")
    assert min(offsets) > 0
    assert len(_stored(context)) == 3


def _conflict_with_a_second_phone(world: tuple[Context, CuttingLine, Any], line: CuttingLine, page: Any) -> None:
    """Two phones check one alert; the second one's clock is a day off. Its evidence is kept, and it is told why."""
    number = numbers(2)[1]
    shifted = "const now = Date.now; Date.now = () => now() + 864e5; const Real = Date; Date = class extends Real {"
    shifted += "constructor(...given) { given.length ? super(...given) : super(Real.now()); } }; Date.now = Real.now;"
    second = _phone(world, "village_a", ANDROID, shifted)
    other = _open(second)
    other.click(f".work[data-number='{number}'] button:has-text('Take along')")
    other.wait_for_selector(f".work[data-number='{number}'][data-taken=whole]")
    _check(page, number, [photo(seed) for seed in (11, 12, 13)])
    _show(page, "#/outbox", "outbox")
    page.wait_for_selector(f".check[data-number='{number}'][data-sent='5']")
    _show(other, f"#/alert/{number}", "alert")
    _add(other, "far", photo(14))
    assert "clock is about 1440 minutes off" in other.inner_text(".photo")
    _show(other, "#/", "work")
    _show(other, f"#/alert/{number}", "alert")
    for seed, shot in ((15, "near"), (16, "near")):
        _add(other, shot, photo(seed))
    _fill(other)
    other.click("#submit")
    _show(other, "#/outbox", "outbox")
    other.wait_for_selector(".check[data-sent='5'] .step[data-kind=findings][data-state=kept]")
    assert "The alert is “Submitted” since" in other.inner_text(".step[data-kind=findings]")
    assert other.locator(".step[data-kind=photo][data-state=applied]").count() == 3
    _look(other, "kept")
    second.close()


def _a_new_version_keeps_unsent_work(
    context: Context, line: CuttingLine, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session has ended meanwhile, so nothing is sent before the person signs in again."""
    line.set(is_open=False)
    with context.database.write() as session:
        user = user_by_login(session, "village_a")
        assert user is not None
        end_sessions(session, user.id)
    _check(page, numbers(3)[2], [photo(seed) for seed in (21, 22, 23)])
    _show(page, f"#/alert/{numbers(4)[3]}", "alert")
    page.fill("#finding-party", "王五")
    page.wait_for_selector("text=Draft saved on this phone")
    before = page.evaluate("document.body.dataset.version")
    monkeypatch.setattr(shell_assets, "program_version", lambda: "another")
    shell_assets.shell_version.cache_clear()
    line.set(is_open=True)
    page.evaluate("navigator.serviceWorker.getRegistration('/field').then((found) => { found.update(); })")
    page.wait_for_selector("#use-new")
    line.set(is_open=False)
    with page.expect_navigation():
        page.click("#use-new")
    page.wait_for_selector("#view[data-shown=alert]")
    assert page.evaluate("document.body.dataset.version") != before
    assert page.input_value("#finding-party") == "王五"
    _show(page, "#/outbox", "outbox")
    assert page.locator(".check[data-sent='0']").count() == 1
    line.set(is_open=True)
    page.click("text=Send now")
    page.wait_for_selector("text=Sign in to send.")


def _closed_meanwhile_and_exported(context: Context, line: CuttingLine, phone: Any, page: Any) -> None:
    """What is unsent can be exported; the alert was assigned to somebody else meanwhile, and the phone says so."""
    with page.expect_download() as download:
        page.click("#export")
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        pictures = {hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist() if ".jpg" in name}
        assert pictures == {hashlib.sha256(photo(seed)).hexdigest() for seed in (21, 22, 23)}
        [check] = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith("check.json")]
        assert check["number"] == numbers(3)[2]
    with context.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == numbers(3)[2])).one()
        alert.assignee = "town"
    _sign_in(context, line, phone, "village_a")
    page.click("text=Send now")
    page.wait_for_selector(f".check[data-number='{numbers(3)[2]}'] .step[data-kind=findings][data-state=kept]")
    assert "The alert was assigned to town meanwhile." in page.inner_text("#view")


def _the_desk_sees_it(world: tuple[Context, CuttingLine, Any]) -> None:
    context, _, _ = world
    desk = _phone(world, "county", {"viewport": {"width": 1366, "height": 768}})
    page = desk.new_page()
    with without_script_errors(page):
        page.goto(f"/alerts/{numbers(2)[1]}")
        page.wait_for_selector(".field-check >> nth=1")
        shown = page.inner_text("[data-part=checks]")
        assert "已收到 5/5" in shown
        assert "已留存，未生效" in shown
        page.locator(".check-photo").first.scroll_into_view_if_needed()
        wait_until(lambda: page.evaluate("document.querySelector('.check-photo img').naturalWidth > 0"))
        _look(page, "desk")
        page.click("[data-part=checks] a:has-text('遮挡')")
        page.wait_for_selector("#count:not(:empty)")  # the script is ready
        frame = page.locator("#stage").bounding_box()
        page.mouse.move(frame["x"] + 20, frame["y"] + 20)
        page.mouse.down()
        page.mouse.move(frame["x"] + 200, frame["y"] + 120)
        page.mouse.up()
        page.wait_for_selector(".blacked")
        page.click("#save")
        page.wait_for_selector("text=已保存。")
        _look(page, "black_out")
    with context.database.read() as session:
        records = [file.record for file in session.scalars(select(EvidenceFile))]
    assert [one["blacked_out"]["by"] for one in records if "blacked_out" in one] == ["county"]
    desk.close()


def _the_door_says_what_is_missing(world: tuple[Context, CuttingLine, Any]) -> None:
    hidden = "Object.defineProperty(window, 'isSecureContext', { value: false });"
    hidden += "Object.defineProperty(navigator, 'serviceWorker', { value: undefined });"
    hidden += "Object.defineProperty(navigator, 'geolocation', { value: undefined });"
    phone = _phone(world, "village_a", IPHONE, hidden)
    page = _open(phone)
    words = page.inner_text("#view")
    for expected in ("root certificate", "no service workers", "The browser gives no position"):
        assert expected in words
    _look(page, "door")
    phone.close()


def _an_untrusted_certificate_is_told(world: tuple[Context, CuttingLine, Any], tmp_path: Path, address: str) -> None:
    """Chromium shows the page after its warning was dismissed, and refuses the service worker."""
    _, _, browser = world
    subprocess.run([AUTHORITY, tmp_path / "tls", "localhost", "127.0.0.1"], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "tls" / "tuban.pem", tmp_path / "tls" / "tuban.key")
    with cutting_line(address, tls) as line:
        phone = browser.new_context(base_url=line.address, locale="en-GB", ignore_https_errors=True, **ANDROID)
        page = _open(phone)
        words = page.inner_text("#view")
        assert "Opening this page offline" in words
        assert "SSL certificate error" in words
        assert "an untrusted certificate" in words
        phone.close()
