"""Many sign-ins at once: few are verified at a time, the others are refused before they reach the database."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import event

from service.context import Context
from store.access.sign_in_limits import FREE_ATTEMPTS, begin_attempt, remember_device
from store.access.users import user_by_login
from tests.web.conftest import NOW, ORIGIN, Browser
from web.app import make_app
from web.auth import passwords, sign_in_routes
from web.auth.device_cookie import KEY_FILE, sign_device
from web.auth.passwords import HashingBusy, HashQueue, hash_password, is_password

PASSWORD = "long enough 密码"
BUSY = {"origin": ORIGIN, "accept": "text/html"}


@pytest.fixture
def device(service: Context) -> str:
    """The cookie of a browser with which ``village_a``, who has a password, has signed in before."""
    with service.database.write() as session:
        user = user_by_login(session, "village_a")
        assert user is not None
        user.password_hash = hash_password(PASSWORD)
        return f"__Host-tuban-device={sign_device(service.settings.home, remember_device(session, user, NOW))}"


def _form(login: str, password: str = "wrong") -> dict[str, str]:
    return {"login": login, "password": password}


def test_sixty_wrong_passwords_at_once_neither_break_the_service_nor_stop_a_known_device(
    service: Context, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_was_full = threading.Event()

    def verify(stored: str, password: str, *, known_device: bool) -> bool:
        assert known_device == bool(stored)
        if not stored:  # of an invented name: it keeps its place until the queue has been full
            assert queue_was_full.wait(60)
        return is_password(stored, password, known_device=known_device)

    async def post(client: httpx.AsyncClient, form: dict[str, str], cookie: str = "") -> httpx.Response:
        response = await client.post("/sign-in", data=form, headers={"cookie": cookie})
        if response.status_code == 503:
            queue_was_full.set()
        return response

    async def send() -> tuple[list[httpx.Response], httpx.Response]:
        transport = httpx.ASGITransport(make_app(service), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=BUSY) as client:
            names = ["intruder"] * 30 + [f"intruder{number}" for number in range(30)]
            wrong = [post(client, _form(name)) for name in names]
            right = post(client, _form("village_a", PASSWORD), device)
            *refused, accepted = await asyncio.gather(*wrong, right)
            return refused, accepted

    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_DUMMY_HASH", cheap.hash("a password that no user has"))
    monkeypatch.setattr(sign_in_routes, "is_password", verify)
    refused, accepted = asyncio.run(send())
    statuses = Counter(response.status_code for response in refused)
    assert set(statuses) <= {401, 429, 503}, statuses
    assert statuses[401] > 0
    assert statuses[503] > 0, statuses
    assert all(int(response.headers["retry-after"]) > 0 for response in refused if response.status_code != 401)
    assert accepted.status_code == 303


def test_without_a_free_place_the_database_is_not_touched(
    service: Context, anonymous: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_routes, "password_queue", HashQueue(parallel=0, queued=0))
    connections: list[object] = []
    event.listen(service.database.engine, "checkout", lambda *given: connections.append(given))
    response = anonymous.post("/sign-in", data=_form("town"), headers=BUSY)
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert anonymous.post("/welcome/invented", data={"password": PASSWORD, "again": PASSWORD}).status_code == 503
    assert connections == []


def test_no_connection_is_held_while_a_password_is_hashed(
    service: Context, anonymous: Browser, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def count(_stored: str, _password: str, *, known_device: bool) -> bool:
        assert known_device
        held.append(service.database.engine.pool.checkedout())  # type: ignore[attr-defined]
        return True

    monkeypatch.setattr(sign_in_routes, "is_password", count)
    response = anonymous.post("/sign-in", data=_form("village_a"), headers=BUSY | {"cookie": device})
    assert (response.status_code, held) == (303, [0])


def test_a_delayed_name_is_answered_while_another_process_writes(service: Context, anonymous: Browser) -> None:
    for _ in range(FREE_ATTEMPTS):
        with service.database.write() as session:
            begin_attempt(session, "intruder", "address:testclient", NOW)
    with service.database.write():  # an attempt that had to write would wait for the end of this transaction
        response = anonymous.post("/sign-in", data=_form("intruder"), headers=BUSY)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


@pytest.mark.parametrize(
    ("cookie", "status"),
    [
        ("", 503),
        ("invented", 503),
        ("invented.invented", 503),
        ("invented.0123", 503),
        ("{device}", 303),
        ("{secret}", 503),  # as versions before signatures have set it
        ("x{device}", 503),
        ("{device}0", 503),
        ("{of_another_user}", 503),
    ],
)
def test_reserved_places_are_for_known_devices_only(
    service: Context, anonymous: Browser, device: str, monkeypatch: pytest.MonkeyPatch, cookie: str, status: int
) -> None:
    queue = HashQueue(parallel=1, queued=0, reserved=1)
    monkeypatch.setattr(sign_in_routes, "password_queue", queue)
    name, _, value = device.partition("=")
    with service.database.write() as session:
        other = user_by_login(session, "village_b")
        assert other is not None
        of_another = sign_device(service.settings.home, remember_device(session, other, NOW))
    value = cookie.format(device=value, secret=value.partition(".")[0], of_another_user=of_another)
    with queue.place():
        sent = BUSY | {"cookie": f"{name}={value}"}
        assert anonymous.post("/sign-in", data=_form("village_a", PASSWORD), headers=sent).status_code == status


def test_an_invented_cookie_occupies_no_reserved_place_even_for_a_moment(
    service: Context, anonymous: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_routes, "password_queue", HashQueue(parallel=0, queued=0, reserved=1))
    connections: list[object] = []
    event.listen(service.database.engine, "checkout", lambda *given: connections.append(given))
    for value in ("invented", "invented.invented"):
        sent = BUSY | {"cookie": f"__Host-tuban-device={value}"}
        assert anonymous.post("/sign-in", data=_form("town"), headers=sent).status_code == 503
    assert connections == [], "a reserved place would have led to the database"


def test_a_cookie_without_a_signature_keeps_its_device_and_is_signed_at_the_next_sign_in(
    service: Context, anonymous: Browser, device: str
) -> None:
    name, _, value = device.partition("=")
    secret = value.partition(".")[0]
    sent = BUSY | {"cookie": f"{name}={secret}"}
    response = anonymous.post("/sign-in", data=_form("village_a", PASSWORD), headers=sent)
    assert f"{name}={value};" in "".join(response.headers.get_list("set-cookie"))
    assert (service.settings.home / KEY_FILE).stat().st_mode & 0o077 == 0


def test_a_known_device_never_waits_for_hashes_of_strangers() -> None:
    queue, begun, finish = HashQueue(parallel=2, queued=8), threading.Semaphore(0), threading.Event()

    def hash_slowly() -> None:
        with queue.turn():
            begun.release()
            assert finish.wait(60)

    with ThreadPoolExecutor(4) as pool:
        strangers = [pool.submit(hash_slowly) for _ in range(3)]
        assert begun.acquire(timeout=60)
        with queue.turn(known_device=True):
            assert not any(stranger.done() for stranger in strangers)
            assert not begun.acquire(blocking=False), "strangers leave one turn free"
        finish.set()


def test_hashing_is_bounded_and_the_rest_is_asked_to_try_again() -> None:
    queue, running, finish = HashQueue(parallel=2, queued=0, reserved=1), threading.Event(), threading.Event()
    order: list[str] = []

    def hash_once(name: str) -> None:
        with queue.turn():
            running.set()
            assert finish.wait(10)
            order.append(name)

    with ThreadPoolExecutor(2) as pool, ExitStack() as places:
        assert not places.enter_context(queue.place())
        first = pool.submit(hash_once, "first")
        assert running.wait(10)
        assert not places.enter_context(queue.place(known_device=True)), "reserved places are taken last"
        second = pool.submit(hash_once, "second")
        with pytest.raises(HashingBusy), queue.place():
            pass
        assert places.enter_context(queue.place(known_device=True))
        with pytest.raises(HashingBusy), queue.place(known_device=True):
            pass
        assert order == []
        finish.set()
        first.result(10)
        second.result(10)
    assert order == ["first", "second"]
    with queue.place(), pytest.raises(ValueError, match="given back"), queue.place():
        raise ValueError("given back")
    with queue.place() as reserved:
        assert not reserved
