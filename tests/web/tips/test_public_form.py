"""The public form: off by default; limits instead of a captcha; receipt, attachments in quarantine, state by code."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image
from sqlalchemy import select

from service.context import Context
from store.chain_settings import change_chain_setting
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.tip_tables import PublicAttempt, TipRow
from store.schema.user_tables import Action
from store.tips.informant_key import informant_key, signing_key
from tests.web.conftest import NOW, ORIGIN, Browser, SignIn
from tests.web.two_villages import Villages
from web.public_form_tokens import new_token, read_ticket, upload_ticket

REPORT = {"summary": "村口耕地上在建厂房，电话 13812345678", "place": "某村村口", "name": "乙", "phone": "13700001111"}
HEADERS = {"origin": ORIGIN, "accept": "text/html"}


def _open(service: Context, **values: int) -> None:
    with service.database.write() as session:
        change_chain_setting(session, "public.form", True, who="admin", now=NOW)
        for name, value in values.items():
            change_chain_setting(session, f"public.{name}", value, who="admin", now=NOW)


@pytest.fixture
def token(service: Context) -> Callable[[], str]:
    return lambda: new_token(signing_key(service.settings), NOW.timestamp() - 60)


def _send(browser: Browser, token: str, **given: str) -> tuple[int, str]:
    response = browser.post("/report", data=REPORT | {"token": token} | given, headers=HEADERS)
    return response.status_code, response.text


def _receipt(page: str) -> tuple[str, str, str]:
    number, code = re.findall(r'class="receipt"><strong>([^<]+)', page)
    ticket = re.search(r'action="/report/files/([^"]+)"', page)
    assert ticket is not None
    return number, code, ticket[1]


def _photo() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 48), 80).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def test_it_does_not_exist_until_an_administrator_switches_it_on(anonymous: Browser, service: Context) -> None:
    ticket = upload_ticket(signing_key(service.settings), 1, NOW.timestamp())
    for method, path in (("GET", ""), ("POST", ""), ("POST", "/state"), ("POST", f"/files/{ticket}")):
        assert anonymous.request(method, f"/report{path}", headers=HEADERS).status_code == 404
    _open(service)
    page = anonymous.get("/report", headers=HEADERS)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"


def test_a_report_gets_a_receipt_and_its_sender_learns_the_answer_by_number_and_code(
    service: Context, villages: Villages, anonymous: Browser, sign_in: SignIn, token: Callable[[], str]
) -> None:
    _open(service)
    sent = token()
    status, page = _send(anonymous, sent)
    number, code, _ = _receipt(page)
    again, same = _send(anonymous, sent)  # the back button, or a second click
    assert (status, again, _receipt(same)[:2]) == (201, 200, (number, code))
    with service.database.read() as session:
        tip = session.scalars(select(TipRow)).one()
        assert (tip.origin, tip.channel, tip.area_code, tip.created_by) == ("public", "internet", "330199", "")
        assert "13812345678" not in tip.summary
        assert informant_key(service.settings).decrypt(tip.informant).phone == "13700001111"
        logged = session.scalars(select(Action)).all()
        assert [entry.address for entry in logged if entry.what == "reported"] == [""]
        assert {len(row.address_hash) for row in session.scalars(select(PublicAttempt))} == {64}
    county = sign_in("county")
    assert county.post(f"/tips/{tip.id}/informant").status_code == 403  # nobody before somebody handles it
    county.post(f"/tips/{tip.id}/handler", data={"login": "county"})
    assert "13700001111" in county.post(f"/tips/{tip.id}/informant").text
    for step in (
        {"step": "accept", "handling": "forward"},
        {"step": "check", "finding": "true", "words": "已责令停工"},
        {"step": "answer", "words": "感谢反映，已责令停工"},
    ):
        assert county.post(f"/tips/{tip.id}/steps", data=step).status_code == 200

    def ask(number: str, code: str) -> tuple[int, str]:
        response = anonymous.post("/report/state", data={"number": number, "code": code}, headers=HEADERS)
        return response.status_code, response.text

    assert ask(number, "AAAA-AAAA")[0] == 404
    answered = ask(number.lower(), code.lower().replace("-", ""))
    assert answered[0] == 200
    assert "感谢反映，已责令停工" in answered[1]
    assert "13700001111" not in answered[1]


def test_programs_and_floods_are_refused_and_nothing_typed_is_lost(
    service: Context, anonymous: Browser, token: Callable[[], str]
) -> None:
    _open(service, per_address=2, per_day=3)
    fresh = new_token(signing_key(service.settings), NOW.timestamp() - 1)
    old = new_token(signing_key(service.settings), NOW.timestamp() - 5 * 3600)
    for bad, given in ((fresh, {}), (old, {}), ("x.y.z", {}), (token(), {"website": "https://spam.example"})):
        status, page = _send(anonymous, bad, **given)
        assert status == 422
        assert "某村村口" in page
    assert _send(anonymous, token(), summary="x")[0] == 422
    assert [_send(anonymous, token())[0] for _ in range(3)] == [201, 201, 429]
    other = {"origin": "https://evil.example"}
    assert anonymous.post("/report", data=REPORT | {"token": token()}, headers=other).status_code == 422
    with service.database.read() as session:
        numbers = sorted(session.scalars(select(TipRow.number)))
    assert [number[-5:] for number in numbers] == ["00001", "00002"]


def test_attachments_are_checked_by_content_and_wait_until_a_person_released_them(
    service: Context, villages: Villages, anonymous: Browser, sign_in: SignIn, token: Callable[[], str]
) -> None:
    _open(service, files=2)
    _, code, ticket = _receipt(_send(anonymous, token())[1])
    address = f"/report/files/{ticket}"

    def add(name: str, content: bytes, code: str = code, to: str = address) -> int:
        files = {"file": (name, content)}
        return anonymous.post(to, data={"code": code}, files=files, headers=HEADERS).status_code

    assert add("photo.jpg", b"<html><script>alert(1)</script></html>") == 422
    assert add("photo.jpg", _photo(), code="AAAA-AAAA") == 404
    assert add("photo.jpg", _photo(), to="/report/files/abcd") == 404
    assert add("huge.jpg", b"\xff\xd8\xff" + bytes(11 * 2**20)) == 413
    assert add("photo.jpg", _photo()) == 200
    assert add("again.jpg", _photo()) == 200
    assert add("third.jpg", _photo()) == 422
    with service.database.read() as session:
        first, second = session.scalars(select(EvidenceFile).order_by(EvidenceFile.id)).all()
    assert (first.state, first.who, first.owner_kind) == ("quarantine", "", "tip")
    county = sign_in("county")
    files = f"/tips/{first.owner_id}/files"
    assert county.get(f"{files}/{first.uid}?copy=true").headers["content-type"] == "image/jpeg"
    assert county.get(f"{files}/{first.uid}").headers["content-disposition"].startswith("attachment")
    assert county.post(f"{files}/{first.uid}/release").status_code == 200
    assert county.post(f"{files}/{second.uid}/refuse").status_code == 200
    assert county.post(f"{files}/{first.uid}/refuse").status_code == 409
    with service.database.read() as session:
        assert [(file.uid, file.state) for file in session.scalars(select(EvidenceFile))] == [(first.uid, "kept")]
    assert second.object_key not in set(service.objects.keys("files/"))


def test_tickets_and_tokens_of_others_are_refused(service: Context) -> None:
    key = signing_key(service.settings)
    ticket = upload_ticket(key, 7, NOW.timestamp())
    assert read_ticket(key, ticket, NOW.timestamp()) == 7
    assert read_ticket(key, ticket, NOW.timestamp() + 3601) is None
    assert read_ticket(b"another", ticket, NOW.timestamp()) is None
    assert [read_ticket(key, bad, 0.0) for bad in ("", "é", "====", ticket[:-4])] == [None] * 4
