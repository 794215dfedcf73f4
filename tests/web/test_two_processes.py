"""The service with two web processes: a change made by one is immediately visible in the other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from service.context import Context
from store.access.sign_in_limits import FREE_ATTEMPTS
from store.access.users import begin_session, user_by_login
from tests.web.review.review_alerts import add_alerts
from tests.web.uploads.upload_service import (
    BYTES,
    client_of,
    context_with_people,
    create_batch,
    create_upload,
    offset_of,
    token_of,
)
from tests.workers.ingest.images import NEIGHBOUR
from web.auth.authentication import csrf_token
from web.uploads.upload_files import find_upload

WAIT = 120.0  # seconds at most


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    home: Path = tmp_path_factory.mktemp("two") / "home"
    with context_with_people(home) as context:
        add_alerts(context, 4)
        with context.database.write() as session:
            li = user_by_login(session, "li")
            assert li is not None
            li.role, li.code = "county", "330199"
        yield context


@pytest.fixture(scope="module")
def both(service: Context) -> Iterator[list[str]]:
    """The URLs of two processes with the same home."""
    settings = {"TUBAN_HOME": str(service.settings.home), "TUBAN_WEB__SECURE_COOKIES": "false"}
    command = [sys.executable, "-m", "web.server", "--listening"]
    with ExitStack() as stack:
        addresses = []
        for _ in range(2):
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            file = listening.fileno()
            process = subprocess.Popen([*command, str(file)], env=os.environ | settings, pass_fds=(file,))
            stack.callback(process.wait, WAIT)
            stack.callback(process.terminate)
            addresses.append(f"http://127.0.0.1:{listening.getsockname()[1]}")
        for address in addresses:  # connections wait until it serves
            assert httpx.get(f"{address}/sign-in", timeout=WAIT).status_code == 200
        yield addresses


@pytest.fixture
def browsers(service: Context, both: list[str]) -> Iterator[list[httpx.Client]]:
    """Two clients with the same session, one for each process."""
    with service.database.write() as session:
        person = user_by_login(session, "li")
        assert person is not None
        secret = begin_session(session, person, service.clock(), 12)
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                httpx.Client(
                    base_url=address,
                    cookies={"tuban": secret},
                    headers={"x-csrf-token": csrf_token(secret), "origin": address},
                    timeout=WAIT,
                )
            )
            for address in both
        ]


def counts(browser: httpx.Client, number: str) -> tuple[int, int, str | None]:
    """Return the number of alerts left, the number on the map, and the next new alert."""
    left = browser.get("/alerts/figures").json()["left"]
    bbox = {"bbox": "120,30,120.1,30.05", "zoom": "3", "states": "new"}
    drawn = sum(mark["count"] for mark in browser.get("/map/alerts", params=bbox).json()["marks"])
    return left, drawn, browser.get(f"/alerts/{number}/data?states=new").json()["next"]


def test_a_decision_is_counted_by_the_next_request_of_either_process(browsers: list[httpx.Client]) -> None:
    first, second, third, fourth = (f"330199U20261{100001 + index}" for index in range(4))
    assert [counts(browser, first) for browser in browsers] == [(5, 5, second)] * 2
    for turn, (number, following) in enumerate(((second, third), (third, fourth))):
        by, other = browsers[turn], browsers[1 - turn]
        by.post(f"/alerts/{number}/judge", json={"verdict": "false", "reason": "shadow"}).raise_for_status()
        assert counts(other, first) == counts(by, first) == (4 - turn, 4 - turn, following)
    browsers[0].post(f"/alerts/{third}/undo").raise_for_status()
    assert [counts(browser, first) for browser in browsers] == [(4, 4, third)] * 2


def test_a_lock_of_one_process_applies_in_the_other(
    service: Context, both: list[str], browsers: list[httpx.Client]
) -> None:
    number = "330199U20261100001"
    assert browsers[0].post(f"/alerts/{number}/lock").json()["lock"] == {"mine": True, "by": ""}
    assert browsers[1].get(f"/alerts/{number}/data").json()["lock"]["mine"]
    assert browsers[1].delete(f"/alerts/{number}/lock").status_code == 204
    assert not browsers[0].get(f"/alerts/{number}/data").json()["lock"]["mine"]


def test_failed_sign_ins_are_counted_across_processes(both: list[str]) -> None:
    form = {"login": "zhang", "password": "wrong"}
    for turn in range(FREE_ATTEMPTS):
        assert httpx.post(f"{both[turn % 2]}/sign-in", data=form, timeout=WAIT).status_code == 401
    assert [httpx.post(f"{address}/sign-in", data=form, timeout=WAIT).status_code for address in both] == [429, 429]


def test_a_hanging_upload_is_taken_over_by_the_other_process(service: Context, both: list[str]) -> None:
    content = os.urandom(3_000_000)
    token = token_of(service, "wang")
    with client_of(both[0], token) as one, client_of(both[1], token) as other:
        upload = create_upload(one, create_batch(one, NEIGHBOUR), "a.tif", len(content))
        head = [
            f"PATCH {upload} HTTP/1.1", f"host: {one.base_url.netloc.decode()}", f"authorization: Bearer {token}",
            "tus-resumable: 1.0.0", "content-type: application/offset+octet-stream", "upload-offset: 0",
            f"content-length: {len(content)}",
        ]  # fmt: skip
        with socket.create_connection((one.base_url.host, one.base_url.port or 0)) as hanging:
            hanging.sendall("\r\n".join([*head, "", ""]).encode() + content[:2_000_000])
            found = find_upload(service.settings, upload.rpartition("/")[2])
            assert found is not None
            deadline = time.monotonic() + WAIT
            while found.offset < 2**20:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            at = offset_of(other, upload)
            assert 2**20 <= at <= 2_000_000
            headers = BYTES | {"upload-offset": str(at)}
            other.patch(upload, content=content[at:], headers=headers).raise_for_status()
            assert found.part.read_bytes() == content
