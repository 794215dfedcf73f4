"""Evidence of steps: files are uploaded and fixed, values are checked, and what was entered is seen in the log."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from service.context import Context
from store.schema.tables import SceneRow
from tests.service.evidence.test_intake import docx, pdf, photo
from tests.store.review.review_setup import FINDINGS
from tests.web.conftest import Browser, SignIn
from tests.web.two_villages import NUMBERS, Villages, create_villages

A = NUMBERS["a"]
UID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def created(service: Context) -> Villages:
    return create_villages(service)


def upload(browser: Browser, data: bytes, field: str = "photos", number: str = A, **query: str) -> Any:
    return browser.post(
        f"/api/alerts/{number}/files", params={"name": "现场 1.jpg", "field": field} | query, content=data
    )


def photos_of(browser: Browser) -> list[str]:
    """Upload as many photos as a check needs; return their ids."""
    return [upload(browser, photo((400 + more, 300))).json()["file"] for more in range(3)]


def move(browser: Browser, to: str, evidence: dict[str, Any] | None = None, number: str = A) -> Any:
    return browser.post(f"/alerts/{number}/move", json={"to": to, "evidence": evidence or {}})


def bring_to(sign_in: SignIn, state: str) -> None:
    """Move the alert of village A along the ordinary way up to a state."""
    county, town, village = sign_in("county"), sign_in("town"), sign_in("village_a")
    judged = county.post(f"/alerts/{A}/judge", json={"verdict": "true"})
    assert judged.status_code == 200, judged.text
    for browser, to, evidence in (
        (town, "dispatched", {}),
        (village, "accepted", {}),
        (village, "field_checked", {"works": "built", "findings": FINDINGS, "photos": None}),
        (village, "submitted", {}),
        (town, "reviewed", {}),
        (county, "unlawful", {"basis": "未取得用地批准"}),
        (town, "correcting", {"stop_notice": "责停〔2026〕17号", "correct_by": "2026-12-24"}),
    ):
        if "photos" in evidence:
            evidence = evidence | {"photos": photos_of(browser)}
        response = move(browser, to, evidence)
        assert response.status_code == 200, response.text
        if to == state:
            return


@pytest.mark.usefixtures("created")
def test_photos_of_a_check_are_uploaded_fixed_and_seen(sign_in: SignIn, service: Context) -> None:
    bring_to(sign_in, "accepted")
    village = sign_in("village_a")
    sent = upload(village, photo(), file=UID)
    assert sent.status_code == 201
    assert upload(village, photo(), file=UID).json() == sent.json()
    form = village.get(f"/alerts/{A}/form", params={"to": "field_checked"}).json()
    assert [file["file"] for file in form["pending"]] == [UID]
    assert form["fields"][0]["least"] == 3
    photos = [UID, *photos_of(village)[:2]]
    card = {"works": "built", "findings": FINDINGS}
    assert move(village, "field_checked", card | {"photos": ["DSC_1.jpg"]}).status_code == 409
    assert move(village, "field_checked", card | {"photos": photos, "works": "不知道"}).status_code == 409
    assert move(village, "field_checked", card | {"photos": photos[:2]}).status_code == 409
    assert move(village, "field_checked", {"works": "built", "photos": photos}).status_code == 409
    done = move(village, "field_checked", card | {"photos": photos})
    assert done.status_code == 200, done.text
    entries = done.json()["log"][-1]["evidence"]
    shown = [(entry["label"], entry["words"]) for entry in entries]
    assert shown[:2] == [("现场照片", ""), ("建设现状", "全部建成")]
    assert ("占地面积（亩）", "0.6") in shown
    shot, *_ = entries[0]["files"]
    assert village.get(shot["shown"]).headers["content-type"] == "image/jpeg"
    original = village.get(shot["address"])
    assert original.content == photo()
    assert original.headers["content-disposition"].startswith("attachment")
    assert village.delete(shot["address"]).status_code == 409
    assert sign_in("village_b").get(shot["address"]).status_code == 404
    assert sign_in("village_b").get(shot["shown"]).status_code == 404


@pytest.mark.usefixtures("created")
def test_a_photo_of_an_undone_step_is_submitted_again_but_never_for_two_steps(sign_in: SignIn) -> None:
    bring_to(sign_in, "field_checked")
    village = sign_in("village_a")
    files = village.get(f"/api/alerts/{A}/files").json()["files"]
    assert all(file["submitted"] for file in files)
    assert village.post(f"/alerts/{A}/undo").status_code == 200
    again = {"photos": [file["file"] for file in files], "works": "built", "findings": FINDINGS}
    assert move(village, "field_checked", again).status_code == 200
    assert move(village, "submitted", {"attachments": [files[0]["file"]]}).status_code == 409


@pytest.mark.parametrize(
    ("field", "data", "status"),
    [
        ("attachments", pdf(), 201),
        ("attachments", docx(), 201),
        ("photos", pdf(), 422),
        ("attachments", b"#!/bin/sh", 422),
        ("basis", photo(), 422),
        ("nonsense", photo(), 422),
    ],
)
@pytest.mark.usefixtures("created")
def test_uploads_are_checked_by_content(sign_in: SignIn, field: str, data: bytes, status: int) -> None:
    response = upload(sign_in("county"), data, field)
    assert response.status_code == status, response.text
    assert upload(sign_in("village_b"), data, field).status_code in (404, 422)


NUMBER, SOON = "责停〔2026〕17号", "2026-12-24"
NOTICES = (
    ({"stop_notice": "不知道", "correct_by": SOON}, "通知书文号"),
    ({"stop_notice": "无文号", "correct_by": SOON}, "没有数字"),
    ({"stop_notice": NUMBER, "correct_by": "2026-11-23"}, "不能早于今天"),
    ({"stop_notice": NUMBER, "correct_by": "next week"}, "不是日期"),
    ({"stop_notice": NUMBER, "correct_by": "2036-12-24"}, "整改期限"),
    ({"stop_notice": NUMBER, "correct_by": SOON, "notice_on": "2026-12-01"}, "通知书日期"),
)


@pytest.mark.usefixtures("created")
def test_a_notice_needs_its_number_and_a_deadline_in_the_future(sign_in: SignIn) -> None:
    bring_to(sign_in, "unlawful")
    town = sign_in("town")
    for evidence, words in NOTICES:
        response = move(town, "correcting", evidence)
        assert response.status_code == 409
        assert words in response.json()["detail"]
    by_key = town.post(f"/api/alerts/{A}/transitions", json={"to": "correcting", "evidence": NOTICES[0][0]})
    assert by_key.status_code == 409


def test_a_recheck_chooses_an_image_after_the_correction_and_areas_balance(
    sign_in: SignIn, service: Context, created: Villages
) -> None:
    bring_to(sign_in, "correcting")
    county, town = sign_in("county"), sign_in("town")
    form = town.get(f"/alerts/{A}/form", params={"to": "rechecked"}).json()
    assert (form["images"], form["fields"][0]["kind"]) == ([], "photos")
    earlier = move(town, "rechecked", {"later_image": created.after["a"]})
    assert earlier.status_code == 409  # an image before the notice
    with service.database.write() as session:
        scene = session.get_one(SceneRow, created.after["a"])
        scene.date = dt.date(2026, 12, 1)
    form = town.get(f"/alerts/{A}/form", params={"to": "rechecked"}).json()
    assert [image["image"] for image in form["images"]] == [created.after["a"]]
    assert town.get(form["images"][0]["picture"]).headers["content-type"] == "image/jpeg"
    done = move(town, "rechecked", {"later_image": created.after["a"]})
    assert done.status_code == 200, done.text
    assert done.json()["log"][-1]["evidence"][0]["picture"]
    areas = {"total_m2": 1600, "demolished_m2": 1000, "regularised_m2": 700, "agreed": True}
    too_much = move(county, "closed", areas)
    assert too_much.status_code == 409
    assert "已整改面积合计 1700" in too_much.json()["detail"]
    assert move(county, "closed", areas | {"demolished_m2": -900}).status_code == 409
    assert move(county, "closed", areas | {"total_m2": 9e6, "demolished_m2": 9e6 - 700}).status_code == 409
    assert move(county, "closed", areas | {"regularised_m2": 600}).status_code == 200


def test_every_image_of_the_place_is_listed_with_the_area_of_its_day(sign_in: SignIn, created: Villages) -> None:
    village = sign_in("village_a")
    found = village.get(f"/alerts/{A}/images").json()
    assert [image["date"] for image in found["images"]] == ["2026-05-01", "2026-11-20"]
    assert [image["mu"] for image in found["images"]] == [0.0, pytest.approx(2.4, abs=0.01)]
    for image in found["images"]:
        assert village.get(image["picture"]).status_code == 200
        assert sign_in("village_b").get(image["picture"]).status_code == 404
    assert village.get(f"/alerts/{A}/images/{created.after['b']}/picture").status_code == 404
    assert village.get(f"/tiles/alerts/{A}/images/{created.after['b']}/18/1/1").status_code == 404
