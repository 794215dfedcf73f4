"""The sheet and the bundle of an alert, as they are taken from the service."""

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
from tests.web.two_villages import NUMBERS, Villages, program
from web.app import make_app

WHERE = f"/alerts/{NUMBERS['a']}"


@pytest.fixture
def village_a(service: Context, villages: Villages) -> TestClient:
    return program(service, make_app(service), "village_a")


def test_a_browser_gets_the_sheet_in_its_language_or_the_one_asked_for(villages: Villages, sign_in: SignIn) -> None:
    browser = sign_in("village_a")
    own, zh, en = (browser.get(f"{WHERE}/sheet.pdf{query}") for query in ("", "?language=zh", "?language=en"))
    assert all(answer.headers["content-type"] == "application/pdf" for answer in (own, zh, en))
    assert own.content[:5] == b"%PDF-"
    assert own.content != en.content, "people of the tests read Chinese"
    assert own.content == zh.content
    assert len(zh.content) > 100_000, "both pictures are in it"
    assert browser.get(f"{WHERE}/sheet.pdf?language=fr").status_code == 422


def test_the_bundle_is_signed_and_can_be_verified(service: Context, village_a: TestClient, tmp_path: Path) -> None:
    answer = village_a.get(f"{WHERE}/bundle.zip")
    assert answer.headers["content-disposition"] == f'attachment; filename="{NUMBERS["a"]}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = set(archive.namelist())
    assert {"alert.geojson", "log.json", "sheet_zh.pdf", "sheet_en.pdf", "before.png", "after.png"} <= names
    place = tmp_path / "bundle.zip"
    place.write_bytes(answer.content)
    signer = fingerprint(load_or_create_signing_key(service.settings.home).public_key())
    report = verify_bundle(place, signer)
    assert report.good, report
    assert report.trusted


def test_an_image_that_is_gone_leaves_its_place_empty(
    service: Context, village_a: TestClient, villages: Villages
) -> None:
    for day in ("2026-05-01", "2026-11-20"):
        service.objects.delete(f"scenes/a-{day}.tif")
    answer = village_a.get(f"{WHERE}/sheet.pdf")
    assert answer.status_code == 200
    assert len(answer.content) < 100_000


def test_taking_evidence_is_in_the_log(service: Context, village_a: TestClient) -> None:
    village_a.get(f"{WHERE}/sheet.pdf")
    village_a.get(f"{WHERE}/bundle.zip")
    with service.database.read() as session:
        rows = session.execute(select(Action.what, Action.who, Action.about).order_by(Action.id)).all()
    assert rows == [("made_sheet", "village_a", NUMBERS["a"]), ("made_bundle", "village_a", NUMBERS["a"])]


def test_strangers_and_neighbours_get_nothing(service: Context, village_a: TestClient, stranger: Browser) -> None:
    for name in ("sheet.pdf", "bundle.zip"):
        assert stranger.get(f"{WHERE}/{name}", headers={"accept": "application/pdf"}).status_code == 401
        assert village_a.get(f"/alerts/{NUMBERS['b']}/{name}").status_code == 404
