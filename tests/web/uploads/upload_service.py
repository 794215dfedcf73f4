"""A service that serves its pages on a port of this machine, with images to send to it."""

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
from store.access.users import add_token, add_user, user_by_login
from tests.databases import embedded_database
from tests.workers.ingest.images import CODE, NEIGHBOUR, add_areas
from web.app import make_app

TUS = {"tus-resumable": "1.0.0"}
BYTES = TUS | {"content-type": "application/offset+octet-stream"}
PEOPLE = {"li": CODE, "zhang": CODE, "wang": NEIGHBOUR}
"""Login → code; two of one area, and one of its neighbour."""


@contextmanager
def context_with_people(home: Path, **web: object) -> Iterator[Context]:
    """An embedded service with :data:`PEOPLE` and two areas."""
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
    """An API token."""
    with context.database.write() as session:
        person = user_by_login(session, login)
        assert person is not None
        return add_token(session, person.id, "test", context.clock(), None)


@contextmanager
def serving(context: Context, port: int = 0) -> Iterator[str]:
    """The pages served by a thread; yields their address."""
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
    """A program with a token."""
    return httpx.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=30)


def metadata(**said: object) -> dict[str, str]:
    """Header of tus."""
    pairs = (f"{name} {base64.b64encode(str(value).encode()).decode()}" for name, value in said.items())
    return {"upload-metadata": ",".join(pair.strip() for pair in pairs)}


def begin_batch(client: httpx.Client, area: str = CODE, **more: object) -> int:
    """A batch of the client's person."""
    answer = client.post("/api/batches", json={"area": area} | more)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def begin_file(client: httpx.Client, batch: int, name: str, size: int, **more: object) -> str:
    """An upload that is announced; returns its path."""
    headers = TUS | {"upload-length": str(size)} | metadata(batch=batch, filename=name, **more)
    answer = client.post("/api/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def send(client: httpx.Client, batch: int, name: str, content: bytes, **more: object) -> None:
    """A whole file."""
    at = begin_file(client, batch, name, len(content), **more)
    answer = client.patch(at, content=content, headers=BYTES | {"upload-offset": "0"})
    assert answer.status_code == 204, answer.text


def offset_of(client: httpx.Client, upload: str) -> int:
    """Where an upload stands, as the server says."""
    return int(client.head(upload, headers=TUS).headers["upload-offset"])


def handed_over(client: httpx.Client, batch: int, **given: object) -> dict[str, dict[str, str]]:
    """Complete a batch and wait until its files are received; files by name."""
    assert client.post(f"/api/batches/{batch}/complete", params=given).status_code == 202  # type: ignore[arg-type]
    deadline = time.monotonic() + 30
    while (report := client.get(f"/api/batches/{batch}").json())["state"] == "receiving":
        assert time.monotonic() < deadline, "it is not handed over"
        time.sleep(0.05)
    return {file["name"]: file for file in report["files"]}


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A service with people who upload."""
    with context_with_people(tmp_path / "home") as made:
        yield made


@pytest.fixture
def address(context: Context) -> Iterator[str]:
    """Where its pages are served."""
    with serving(context) as served:
        yield served


@pytest.fixture
def li(context: Context, address: str) -> Iterator[httpx.Client]:
    """A program of Li's."""
    with client_of(address, token_of(context, "li")) as client:
        yield client
