"""A service on a local port, and functions to upload files to it."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from configs.service import ServiceSettings, WebSettings
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from store.access.api_keys import add_key, allowed_scopes
from store.access.users import add_user, user_by_login
from tests.databases import embedded_database
from tests.workers.ingest.images import CODE, NEIGHBOUR, add_areas
from web.app import make_app

TUS = {"tus-resumable": "1.0.0"}
BYTES = TUS | {"content-type": "application/offset+octet-stream"}
PEOPLE = {"li": CODE, "zhang": CODE, "wang": NEIGHBOUR}
"""Login → administrative code; two users of one area, and one of the neighbouring area."""


@contextmanager
def context_with_people(home: Path, **web: object) -> Iterator[Context]:
    """Create an embedded service with the users :data:`PEOPLE` and two areas."""
    settings = ServiceSettings(home=home, web=WebSettings.model_validate({"secure_cookies": False} | web))
    prepare_home(settings)
    check_broker(settings)
    context = Context(settings, embedded_database(home / "tuban.db"))
    add_areas(context.database)
    with context.database.write() as session:
        for login, code in PEOPLE.items():
            add_user(session, login=login, name=login, role="county", code=code, now=context.clock())
    try:
        yield context
    finally:
        context.database.close()


def token_of(context: Context, login: str) -> str:
    """Create an API key."""
    with context.database.write() as session:
        person = user_by_login(session, login)
        assert person is not None
        return add_key(session, person, "test", context.clock(), days=None, scopes=allowed_scopes(False))


@contextmanager
def serving(context: Context, port: int = 0) -> Iterator[str]:
    """Serve in a thread; yields the URL."""
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(
        uvicorn.Config(make_app(context), log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


def client_of(address: str, token: str) -> httpx.Client:
    """Return a client with an API key."""
    return httpx.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=30)


def metadata(**values: object) -> dict[str, str]:
    """Return the metadata header of tus."""
    pairs = (f"{name} {base64.b64encode(str(value).encode()).decode()}" for name, value in values.items())
    return {"upload-metadata": ",".join(pair.strip() for pair in pairs)}


def create_batch(client: httpx.Client, area: str = CODE, **more: object) -> int:
    """Create a batch, and return its id."""
    response = client.post("/api/batches", json={"area": area} | more)
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


def create_upload(client: httpx.Client, batch: int, name: str, size: int, **more: object) -> str:
    """Create an upload, and return its path."""
    headers = TUS | {"upload-length": str(size)} | metadata(batch=batch, filename=name, **more)
    response = client.post("/api/uploads", headers=headers)
    assert response.status_code == 201, response.text
    return str(response.headers["location"])


def send_file(client: httpx.Client, batch: int, name: str, content: bytes, **more: object) -> None:
    """Upload a complete file."""
    at = create_upload(client, batch, name, len(content), **more)
    response = client.patch(at, content=content, headers=BYTES | {"upload-offset": "0"})
    assert response.status_code == 204, response.text


def offset_of(client: httpx.Client, upload: str) -> int:
    """Return the server's offset of an upload."""
    return int(client.head(upload, headers=TUS).headers["upload-offset"])


def complete_batch(client: httpx.Client, batch: int, **params: object) -> dict[str, dict[str, str]]:
    """Complete a batch, wait until it is submitted, and return its files by name."""
    assert client.post(f"/api/batches/{batch}/complete", params=params).status_code == 202  # type: ignore[arg-type]
    deadline = time.monotonic() + 30
    while (report := client.get(f"/api/batches/{batch}").json())["state"] == "receiving":
        assert time.monotonic() < deadline, "the batch was not submitted"
        time.sleep(0.05)
    return {file["name"]: file for file in report["files"]}


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A service with users who upload."""
    with context_with_people(tmp_path / "home") as context:
        yield context


@pytest.fixture
def address(context: Context) -> Iterator[str]:
    """URL of the running service."""
    with serving(context) as served:
        yield served


@pytest.fixture
def li(context: Context, address: str) -> Iterator[httpx.Client]:
    """An API client of the user Li."""
    with client_of(address, token_of(context, "li")) as client:
        yield client
