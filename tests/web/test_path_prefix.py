"""The service under a path of a host that other programs share: every address that it sends begins with that path."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from errors import SettingsError
from service.context import Context
from store.access.users import begin_session, user_by_login
from tests.web.cameras.camera_service import watch
from tests.web.chromium import chromium_browser, needs_chromium, without_script_errors
from tests.web.conftest import NOW, ORIGIN, Browser
from tests.web.test_every_route import every_route
from tests.web.two_villages import CODES, NUMBERS, api_client, create_villages
from tests.web.uploads.upload_service import BYTES, metadata, serving
from web.app import HERE, make_app
from web.auth.authentication import cookie_name, csrf_token
from web.auth.passwords import hash_password
from web.static_files import static_version

PREFIX = "/tuban"
PASSWORD = "long enough 密码"
NGINX = shutil.which("nginx")
DEPLOY = Path(__file__).parents[2] / "deploy" / "nginx"
PLACES = ("href", "src", "action", "hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete")
"""Attributes of elements that hold addresses."""


def _below_path(service: Context, public_url: str = ORIGIN + PREFIX, secure: bool = True) -> Context:
    web = service.settings.web.model_copy(update={"secure_cookies": secure})
    return replace(service, settings=service.settings.model_copy(update={"public_url": public_url, "web": web}))


@pytest.fixture
def shared(service: Context) -> Context:
    """The service, with alerts, images and a camera, whose public address has a path."""
    create_villages(service)
    below = _below_path(service)
    watch(below, CODES["a"])
    return below


def _session(context: Context, login: str) -> str:
    with context.database.write() as session:
        user = user_by_login(session, login)
        assert user is not None
        user.password_hash = hash_password(PASSWORD)
        return begin_session(session, user, NOW, 12)


@contextmanager
def _browser(context: Context, login: str = "") -> Iterator[Browser]:
    with Browser(make_app(context), base_url=ORIGIN, headers={"origin": ORIGIN}, follow_redirects=False) as browser:
        if login:
            secret = _session(context, login)
            browser.cookies.set(cookie_name(context), secret)
            browser.headers["x-csrf-token"] = csrf_token(secret)
        yield browser


class _Addresses(HTMLParser):
    """Addresses in the attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in PLACES]


def test_every_address_in_every_page_begins_with_the_path(shared: Context) -> None:
    plain = [path for method, path in every_route(make_app(shared)) if method == "GET" and "{" not in path]
    paths = [*plain, f"/alerts/{NUMBERS['a']}", "/images/1", "/batches/1", "/nights/2026-11-23"]
    paths += ["/cameras/1", "/cameras/1/views/1", "/alerts?sort=gravest", "/missing"]
    pages = 0
    with _browser(shared, "county") as browser:
        for number, path in enumerate(paths):
            address = path if number % 2 else PREFIX + path  # a proxy may remove the path, or keep it
            response = browser.get(address, headers={"accept": "text/html"})
            assert response.headers.get("location", PREFIX).startswith((PREFIX, "http")), path
            if "text/html" in response.headers.get("content-type", ""):
                pages += 1
                wrong = [at for at in _Addresses(response.text).found if not at.startswith((PREFIX + "/", "#", "?"))]
                assert wrong == [], path
                assert not re.search(r'": ?"/(?!tuban/)[a-z]', response.text), path
    assert pages > 18


def test_scripts_take_the_path_from_the_page() -> None:
    for script in sorted((HERE / "static").glob("*.js")):
        code = script.read_text("utf-8")
        assert re.findall(r"""["'`]/[a-z][^"'`]*""", code) == [], script.name
    for sheet in (HERE / "static").glob("*.css"):
        assert "url(/" not in sheet.read_text("utf-8"), sheet.name


def test_redirects_and_cookies_stay_below_the_path(shared: Context) -> None:
    _session(shared, "village_a")
    with _browser(shared) as browser:
        assert browser.get(PREFIX).headers["location"] == "/tuban/todo"
        assert browser.get(f"{PREFIX}/").headers["location"] == "/tuban/todo"
        asked = browser.get(f"{PREFIX}/map?a=b", headers={"accept": "text/html"})
        assert asked.headers["location"] == "/tuban/sign-in?next=%2Fmap%3Fa%3Db"
        targets = {"/map?a=b": "/tuban/map?a=b", "/tuban/map": "/tuban/map", "//x": "/tuban/todo"}
        for following, target in targets.items():
            form = {"login": "village_a", "password": PASSWORD, "next": following}
            signed_in = browser.post(f"{PREFIX}/sign-in", data=form)
            assert (signed_in.status_code, signed_in.headers["location"]) == (303, target)
        cookies = signed_in.headers.get_list("set-cookie")
        assert [cookie.partition("=")[0] for cookie in cookies] == ["__Secure-tuban", "__Secure-tuban-device"]
        assert all("Path=/tuban;" in cookie and "Secure" in cookie for cookie in cookies)
        language = browser.post(f"{PREFIX}/language/en")
        assert "Path=/tuban;" in language.headers["set-cookie"]
    with _browser(shared, "village_a") as browser:
        out = browser.post(f"{PREFIX}/sign-out")
        assert out.headers["hx-redirect"] == "/tuban/sign-in"
        assert "Path=/tuban;" in out.headers["set-cookie"]
        browser.cookies.clear()
        lost = browser.get(f"{PREFIX}/alerts", headers={"accept": "text/html", "hx-request": "true"})
        assert lost.headers["hx-redirect"] == "/tuban/sign-in"


def test_a_page_of_the_list_keeps_the_path_in_the_browsers_history(shared: Context) -> None:
    with _browser(shared, "county") as browser:
        first = browser.get(f"{PREFIX}/alerts")
        assert first.headers["location"].startswith("/tuban/alerts?")
        listed = browser.get(f"{PREFIX}/alerts?sort=gravest", headers={"hx-request": "true"})
        assert listed.headers["hx-push-url"].startswith("/tuban/alerts?")


def test_links_of_the_apis_can_be_followed(shared: Context) -> None:
    client = api_client(shared, make_app(shared), "county")
    seen: set[str] = set()
    begin = ("/api/stac", "/api/ogc", "/api/alerts?limit=1", "/api/scenes?limit=1")
    waiting = [f"{ORIGIN}{PREFIX}{path}" for path in begin]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        assert address.startswith(f"{ORIGIN}{PREFIX}/api/"), address
        response = client.get(address.removeprefix(ORIGIN))
        assert response.status_code == 200, address
        if "json" in response.headers["content-type"] and "openapi" not in address:
            links = [link for link in _links(response.json()) if "{" not in link]  # no templates
            waiting += [link for link in links if ORIGIN in link and "/api/" in link]
    assert len(seen) > 12
    assert client.get(f"{PREFIX}/api/openapi.json").json()["servers"] == [{"url": ORIGIN + PREFIX}]
    number = NUMBERS["a"]
    assert f"{ORIGIN}{PREFIX}/alerts/{number}" in client.get(f"{PREFIX}/api/alerts/{number}").text


def _links(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for name, value in data.items():
            if name in ("href", "next") and isinstance(value, str):
                yield value
            else:
                yield from _links(value)
    elif isinstance(data, list):
        for value in data:
            yield from _links(value)


@pytest.mark.parametrize("asked", [PREFIX, ""], ids=["path kept", "path removed"])
def test_an_upload_is_resumed_at_the_address_that_its_creation_answers(shared: Context, asked: str) -> None:
    client = api_client(shared, make_app(shared), "county")
    batch = client.post(f"{asked}/api/batches", json={"area": CODES["a"]}).json()["id"]
    headers = BYTES | {"upload-length": "5"} | metadata(batch=batch, filename="a.tif")
    at = client.post(f"{asked}/api/uploads", headers=headers).headers["location"]
    assert at.startswith(f"{PREFIX}/api/uploads/")
    path = asked + at.removeprefix(PREFIX)
    assert client.patch(path, content=b"hello", headers=BYTES | {"upload-offset": "0"}).status_code == 204
    assert client.head(path, headers=BYTES).headers["upload-offset"] == "5"


def test_a_path_that_is_also_one_of_the_pages_is_refused(service: Context) -> None:
    for path in ("/alerts", "/static", "/api/v2"):
        with pytest.raises(SettingsError, match="also a path of the pages"):
            make_app(_below_path(service, f"https://bureau.example{path}"))


def test_without_a_path_nothing_is_removed(service: Context) -> None:
    client = TestClient(make_app(service), base_url=ORIGIN, follow_redirects=False)
    assert client.get("/tuban/health/live").status_code == 404
    assert client.get("/").headers["location"] == "/todo"


# --- behind nginx


@contextmanager
def _nginx(folder: Path, locations: str) -> Iterator[str]:
    """Run nginx with locations of one server; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; {folders} limit_conn_zone $binary_remote_addr zone=tuban:1m;\n"
        f"server {{ listen 127.0.0.1:{port};\n{locations}\n}} }}\n"
    )
    assert NGINX is not None
    running = subprocess.Popen([NGINX, "-c", str(configuration), "-e", str(folder / "start.log")])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert running.poll() is None, (folder / "start.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(20)


needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx (Debian's package nginx-light) is not installed")


def _example(address: str, path: str) -> str:
    """Return the locations of the example; ``path``: "/" removes the path, and "" keeps it."""
    example = (DEPLOY / "tuban-path.conf").read_text()
    pages, uploads = ("proxy_pass http://127.0.0.1:8000;",) * 2
    assert example.count(pages) == 2
    example = example.replace(pages, f"proxy_pass {address}{path};", 1)
    return example.replace(uploads, f"proxy_pass {address}{path and '/api/uploads'};", 1)


@pytest.mark.slow
@needs_nginx
@needs_chromium
def test_a_browser_works_through_the_nginx_example(shared: Context, tmp_path: Path) -> None:
    number, secret = NUMBERS["a"], _session(shared, "county")
    below = _below_path(shared, f"http://127.0.0.1{PREFIX}", secure=False)
    with serving(below) as address, _nginx(tmp_path, _example(address, "")) as front, chromium_browser() as chromium:
        window = chromium.new_context(base_url=front, locale="en-US")
        window.add_cookies([{"name": "tuban", "value": secret, "domain": "127.0.0.1", "path": PREFIX}])
        refused: list[str] = []
        asked: list[str] = []
        window.on("response", lambda response: refused.append(response.url) if response.status >= 400 else None)
        window.on("request", lambda request: asked.append(urlsplit(request.url).path))
        with without_script_errors(window.new_page()) as page:
            page.goto(f"{PREFIX}/alerts?sort=gravest")
            page.locator(f".pictures[href*='{number}']").click()
            page.wait_for_selector(".review[data-shown]")
            page.goto(f"{PREFIX}/map")
            page.wait_for_selector("#map[data-loaded]")
            page.goto(f"{PREFIX}/alerts?sort=gravest")
            page.locator("header [hx-post$='/sign-out']").click()
            page.wait_for_url(f"**{PREFIX}/sign-in")
    assert refused == []
    assert [path for path in asked if not path.startswith((PREFIX + "/", "http://"))] == []  # http: blobs
    script = f"{PREFIX}/static/{static_version()}/alert_cache.js"
    assert {f"{PREFIX}/alerts/{number}", f"{PREFIX}/map/alerts", script} <= set(asked)


@needs_nginx
def test_nginx_may_remove_the_path(shared: Context, tmp_path: Path) -> None:
    key = api_client(shared, make_app(shared), "county").headers["authorization"]
    with serving(shared) as address, _nginx(tmp_path, _example(address, "/")) as front:
        assert httpx.get(f"{front}{PREFIX}").headers["location"] == f"{front}{PREFIX}/"
        client = httpx.Client(base_url=front, headers={"authorization": key})
        assert client.get(f"{PREFIX}/").headers["location"] == f"{PREFIX}/todo"
        batch = client.post(f"{PREFIX}/api/batches", json={"area": CODES["a"]}).json()["id"]
        headers = BYTES | {"upload-length": "5"} | metadata(batch=batch, filename="a.tif")
        at = client.post(f"{PREFIX}/api/uploads", headers=headers).headers["location"]
        sent = client.patch(at, content=b"hello", headers=BYTES | {"upload-offset": "0"})
        assert (at.startswith(f"{PREFIX}/api/uploads/"), sent.status_code) == (True, 204)


@needs_nginx
def test_the_nginx_example_of_a_host_of_its_own_is_valid(service: Context, tmp_path: Path) -> None:
    example = (DEPLOY / "tuban.conf").read_text()
    with serving(service) as address:
        locations = example[example.index("  client_max_body_size") : example.rindex("}")]
        with _nginx(tmp_path, locations.replace("http://127.0.0.1:8000", address)) as front:
            assert httpx.get(f"{front}/health/live").json()["live"]
            assert httpx.post(f"{front}/api/batches", content=bytes(3 << 20)).status_code == 413
