"""Downloads of the evidence sheet and the evidence bundle."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from enforcement.evidence.bundle_check import verify_bundle
from enforcement.evidence.signing_key import fingerprint, load_or_create_signing_key
from service.context import Context
from store.schema.user_tables import Action
from tests.web.conftest import Browser, SignIn
from tests.web.two_villages import NUMBERS, Villages, api_client
from web.app import make_app

WHERE = f"/alerts/{NUMBERS['a']}"


@pytest.fixture
def village_a(service: Context, villages: Villages) -> TestClient:
    return api_client(service, make_app(service), "village_a")


def test_the_sheet_is_in_the_users_or_the_requested_language(villages: Villages, sign_in: SignIn) -> None:
    browser = sign_in("village_a")
    own, zh, en = (browser.get(f"{WHERE}/sheet.pdf{query}") for query in ("", "?language=zh", "?language=en"))
    assert all(response.headers["content-type"] == "application/pdf" for response in (own, zh, en))
    assert own.content[:5] == b"%PDF-"
    assert own.content != en.content, "people of the tests read Chinese"
    assert own.content == zh.content
    assert len(zh.content) > 100_000, "both pictures are in it"
    assert browser.get(f"{WHERE}/sheet.pdf?language=fr").status_code == 400


def test_the_bundle_is_signed_and_can_be_verified(service: Context, village_a: TestClient, tmp_path: Path) -> None:
    response = village_a.get(f"{WHERE}/bundle.zip")
    assert response.headers["content-disposition"] == f'attachment; filename="{NUMBERS["a"]}.zip"'
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        names = set(archive.namelist())
    assert {"alert.geojson", "log.json", "sheet_zh.pdf", "sheet_en.pdf", "before.png", "after.png"} <= names
    place = tmp_path / "bundle.zip"
    place.write_bytes(response.content)
    signer = fingerprint(load_or_create_signing_key(service.settings.home).public_key())
    report = verify_bundle(place, signer)
    assert report.good, report
    assert report.trusted


def test_a_missing_image_leaves_its_place_empty(service: Context, village_a: TestClient, villages: Villages) -> None:
    for day in ("2026-05-01", "2026-11-20"):
        service.objects.delete(f"scenes/a-{day}.tif")
    response = village_a.get(f"{WHERE}/sheet.pdf")
    assert response.status_code == 200
    assert len(response.content) < 100_000


def test_downloads_of_evidence_are_in_the_audit_log(service: Context, village_a: TestClient) -> None:
    village_a.get(f"{WHERE}/sheet.pdf")
    village_a.get(f"{WHERE}/bundle.zip")
    with service.database.read() as session:
        rows = session.execute(select(Action.what, Action.who, Action.about).order_by(Action.id)).all()
    assert rows == [("made_sheet", "village_a", NUMBERS["a"]), ("made_bundle", "village_a", NUMBERS["a"])]


def test_evidence_needs_authentication_and_rights(service: Context, village_a: TestClient, anonymous: Browser) -> None:
    for name in ("sheet.pdf", "bundle.zip"):
        assert anonymous.get(f"{WHERE}/{name}", headers={"accept": "application/pdf"}).status_code == 401
        assert village_a.get(f"/alerts/{NUMBERS['b']}/{name}").status_code == 404
