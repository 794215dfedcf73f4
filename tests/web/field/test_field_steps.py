"""Steps of checks as phones send them: once, in order, with the sender's rights; conflicts are kept with a reason."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select

from service.context import Context
from store.alerts.transitions import append_transition, steps_of
from store.evidence.evidence_files import file_by_uid
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.field_tables import FieldStep
from store.schema.tables import AlertRow
from tests.web.conftest import NOW, SignIn
from tests.web.field.field_service import (
    FINDINGS,
    Phone,
    check_in_process,
    create_alerts,
    english,
    numbers,
    photo,
    photo_step,
    place_of_alert,
    step,
)
from tests.workers.messages.running import run_jobs

[FIRST, SECOND, THIRD] = numbers(3)


@pytest.fixture
def phone(service: Context, sign_in: SignIn, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """A phone of ``village_a``, and three alerts for it. Only the test of copies uses the sandbox, which is slow."""
    if "contradiction" not in request.node.name:
        check_in_process(monkeypatch)
    create_alerts(service, 3)
    return Phone(english(sign_in("village_a")))


def _brightness(image: Image.Image) -> int:
    return int(image.convert("L").getpixel((390, 290)))  # type: ignore[arg-type]


def _state(service: Context, number: str) -> str:
    with service.database.read() as session:
        return str(session.scalar(select(AlertRow.state).where(AlertRow.number == number)))


def _check(shots: tuple[str, ...] = ("far", "near", "near")) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Return photos, and the steps accept, photos, findings, report."""
    contents = [photo(seed) for seed in range(len(shots))]
    accept = step("accept", [])
    photos = [photo_step(content, shot) for content, shot in zip(contents, shots, strict=True)]
    findings = step("findings", [accept, *photos], **FINDINGS)
    return contents, [accept, *photos, findings, step("report", [findings])]


def test_a_check_that_arrives_backwards_and_twice_is_applied_once(service: Context, phone: Phone) -> None:
    contents, steps = _check()
    _, *photos, findings, report = steps
    answers = phone.send(FIRST, report, findings)
    assert {answer["state"] for answer in answers.values()} == {"waiting"}
    assert answers[findings["uid"]]["reason"] == "4 earlier steps are missing."
    assert _state(service, FIRST) == "dispatched"
    for _ in range(2):  # the phone lost the answer
        answers = phone.send(FIRST, *reversed(steps))
    assert [answers[one["uid"]]["state"] for one in photos] == ["needs_file"] * 3
    assert _state(service, FIRST) == "accepted"
    desk = phone.browser.get(f"/alerts/{FIRST}/checks").json()["checks"][0]
    assert (desk["arrived"], desk["total"]) == (3, 6)

    half = len(contents[2]) // 2  # the last photo first, in two parts
    assert phone.upload(photos[2]["uid"], contents[2][:half]) == 204
    head = phone.browser.head(f"/api/uploads/field/{photos[2]['uid']}", headers={"tus-resumable": "1.0.0"})
    assert head.headers["upload-offset"] == str(half)
    assert phone.upload(photos[2]["uid"], contents[2][half:], half) == 204
    assert phone.upload(photos[0]["uid"], b"\0" * len(contents[0])) == 204  # other bytes than announced
    answers = phone.send(FIRST, *steps)
    assert answers[photos[0]["uid"]]["state"] == "needs_file"
    assert answers[photos[0]["uid"]]["offset"] == 0
    for one, content in zip(photos[:2], contents[:2], strict=True):
        assert phone.upload(one["uid"], content) == 204
    answers = phone.send(FIRST, *steps)
    assert {answer["state"] for answer in answers.values()} == {"applied"}, answers
    assert [answers[one["uid"]]["sha256"] for one in photos] == [hashlib.sha256(one).hexdigest() for one in contents]
    assert _state(service, FIRST) == "submitted"

    with service.database.read() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == FIRST)).one()
        checked = next(one for one in steps_of(session, alert) if one.to_state == "field_checked")
        assert [one["sha256"] for one in checked.evidence["photos"]] == [one["content"]["sha256"] for one in photos]
        assert checked.evidence["findings"]["cultivated_mu"] == 1.1
        assert [one.to_state for one in steps_of(session, alert)].count("submitted") == 1
        stored = session.scalars(select(EvidenceFile)).all()
        assert sorted(service.objects.read(file.object_key) for file in stored) == sorted(contents)
        assert {file.transition_id for file in stored} == {checked.id}
        assert stored[0].record["heading_source"] == "deviceorientationabsolute"


@pytest.mark.parametrize("change", ["closed", "reassigned", "moved away", "another phone"])
def test_a_conflict_keeps_the_evidence_and_says_why(
    service: Context, phone: Phone, sign_in: SignIn, change: str
) -> None:
    assert phone.take(FIRST).status_code == 200
    contents, steps = _check()
    if change == "another phone":
        other = Phone(english(sign_in("village_a")))
        theirs = _check()
        other.send(FIRST, *theirs[1])
        for one, content in zip(theirs[1][1:4], theirs[0], strict=True):
            other.upload(one["uid"], content)
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == FIRST)).one()
        if change == "closed":
            for to in ("disputed", "returned", "false_change"):
                who, role = ("town", "township") if to == "disputed" else ("county", "county")
                append_transition(session, alert, to, who=who, role=role, why="x", at=NOW, evidence={"reason": "x"})
        elif change == "reassigned":
            alert.assignee = "town"
        elif change == "moved away":
            alert.grid_code = "330199101002"
    phone.send(FIRST, *steps)
    for one, content in zip(steps[1:4], contents, strict=True):
        assert phone.upload(one["uid"], content) == 204
    answers = phone.send(FIRST, *steps)
    states = [answers[one["uid"]]["state"] for one in steps]
    assert states[1:4] == ["applied"] * 3, "the photos are evidence in any case"
    assert states[4:] == ["kept", "kept"]
    expected = {
        "closed": "The alert is “False change” since 2026-11-24 09:00, by county.",
        "reassigned": "The alert was assigned to town meanwhile.",
        "moved away": "The alert belongs to another area now.",
        "another phone": "The alert is “Submitted” since 2026-11-24 09:00, by village_a.",
    }[change]
    assert answers[steps[4]["uid"]]["reason"] == expected
    checks = english(sign_in("county")).get(f"/alerts/{FIRST}/checks").json()["checks"]
    mine = next(check for check in checks if check["uid"] == phone.check)
    assert expected in [one["reason"] for one in mine["steps"]]
    assert len(mine["photos"]) == 3


def test_an_invalid_step_blocks_no_other_and_rights_hold(service: Context, phone: Phone, sign_in: SignIn) -> None:
    contents, steps = _check()
    broken = photo_step(b"this is no picture")
    too_far = photo_step(photo(9, place=(113.0, 31.0)), "near", lon=113.0, lat=31.0, accuracy_m=500.0, fix_age_s=400.0)
    vague = step("findings", [], **(FINDINGS | {"cultivated_mu": 9}))
    answers = phone.send(FIRST, broken, too_far, vague, {"uid": "?"}, *steps)
    assert answers[vague["uid"]]["reason"] == "of which cultivated (mu): 9 is more than Land taken (mu): 2.4."
    assert answers["?"]["state"] == "refused"
    for one, content in zip(steps[1:4], contents, strict=True):
        phone.upload(one["uid"], content)
    phone.upload(broken["uid"], b"this is no picture")
    phone.upload(too_far["uid"], photo(9, place=(113.0, 31.0)))
    answers = phone.send(FIRST, broken, too_far, *steps, device_time="2026-11-23T01:00:00+00:00")
    assert answers[broken["uid"]]["state"] == "refused"
    assert "JPEG, PNG, WebP or HEIC" in answers[broken["uid"]]["reason"]
    assert [note.split(" ")[:3] for note in answers[too_far["uid"]]["notes"]] == [
        ["The", "position", "is"], ["The", "position", "is"], ["The", "position", "is"]
    ]  # fmt: skip
    assert {answers[one["uid"]]["state"] for one in steps} == {"applied"}

    few = _check(("far",))[1]
    few_phone = Phone(phone.browser)
    few_phone.send(SECOND, *few)
    few_phone.upload(few[1]["uid"], photo(0))
    assert few_phone.send(SECOND, *few)[few[2]["uid"]]["reason"].startswith("The check has 1 photos; expected")
    assert _state(service, SECOND) == "accepted"

    neighbour = Phone(english(sign_in("village_b")))
    mine = _check()[1]
    assert {one["state"] for one in neighbour.send(THIRD, *mine).values()} == {"refused"}
    assert neighbour.take(THIRD).status_code == 404
    assert neighbour.upload(steps[1]["uid"], contents[0]) == 404
    assert neighbour.browser.get("/api/field/alerts").json()["alerts"] == []
    stolen = neighbour.send("330199U2026110002", steps[1])
    assert stolen[steps[1]["uid"]]["reason"] == "The id of this step belongs to another check."
    with service.database.read() as session:
        assert session.scalar(select(func.count()).select_from(FieldStep).where(FieldStep.who == "village_b")) == 0


def test_a_contradiction_is_noted_and_copies_leave_the_original(
    service: Context, phone: Phone, sign_in: SignIn
) -> None:
    lon, lat = place_of_alert()
    content = photo(5, side=400, orientation=6, place=(lon + 0.05, lat))
    one = photo_step(content)
    phone.send(FIRST, one, device_time="2026-11-23T01:00:00+00:00")  # the phone's clock is a day behind
    phone.upload(one["uid"], content)
    answer = phone.send(FIRST, one)[one["uid"]]
    assert [note.split(" ")[1] for note in answer["notes"]] == ["clock", "file"], answer["notes"]
    with service.database.read() as session:
        file = file_by_uid(session, one["uid"])
        assert file is not None
        assert file.taken_at is not None
        assert (file.taken_at - NOW).days == 1, "corrected by the offset"
    desk = english(sign_in("town"))
    shown = Image.open(io.BytesIO(desk.get(f"/alerts/{FIRST}/photos/{one['uid']}/shown.jpg").content))
    assert shown.size == (400, 300)  # upright: it was stored as 300 by 400
    stamped = desk.get(f"/alerts/{FIRST}/photos/{one['uid']}/stamped.jpg")
    assert Image.open(io.BytesIO(stamped.content)).size == shown.size
    address = f"/alerts/{FIRST}/photos/{one['uid']}/black-out"
    assert phone.browser.post(address, json={"boxes": []}).status_code == 403
    assert desk.get(address).status_code == 200
    assert desk.post(address, json={"boxes": [[0.5, 0.5, 0.5, 0.5]]}).status_code == 204
    copy = Image.open(io.BytesIO(desk.get(f"/alerts/{FIRST}/photos/{one['uid']}/shown.jpg").content))
    assert _brightness(copy) < 10
    original = f"/api/alerts/{FIRST}/files/{one['uid']}"
    assert phone.browser.get(original).status_code == 403
    assert desk.get(original).content == content
    assert desk.post(address, json={"boxes": []}).status_code == 204
    assert phone.browser.get(original).content == content
    with service.database.read() as session:
        file = file_by_uid(session, one["uid"])
        assert file is not None
        assert service.objects.read(file.object_key) == content
        restored = Image.open(io.BytesIO(service.objects.read(file.shown_key)))
        assert _brightness(restored) > 10


def test_a_check_during_a_correction_is_recorded_and_the_state_stays(service: Context, phone: Phone) -> None:
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == FIRST)).one()
        for to, who, role in (
            ("accepted", "village_a", "village"),
            ("field_checked", "village_a", "village"),
            ("submitted", "village_a", "village"),
            ("reviewed", "town", "township"),
            ("unlawful", "county", "county"),
            ("correcting", "county", "county"),
        ):
            evidence = dict.fromkeys(("photos", "works", "findings", "basis", "stop_notice", "correct_by"), "x")
            append_transition(session, alert, to, who=who, role=role, why="", at=NOW, evidence=evidence)
    listed = phone.browser.get("/api/field/alerts").json()["alerts"]
    assert FIRST in {alert["number"] for alert in listed}
    contents, steps = _check()
    phone.send(FIRST, *steps)
    for one, content in zip(steps[1:4], contents, strict=True):
        phone.upload(one["uid"], content)
    answers = phone.send(FIRST, *steps)
    assert {answer["state"] for answer in answers.values()} == {"applied"}
    assert _state(service, FIRST) == "correcting"
    desk = phone.browser.get(f"/alerts/{FIRST}/checks").json()["checks"][0]
    assert len(desk["photos"]) == 3
    assert ["Party using the land", "张三"] in desk["findings"]


def test_partial_photos_of_phones_that_never_return_are_deleted(service: Context, phone: Phone) -> None:
    content = photo(1)
    kept, abandoned = photo_step(content), photo_step(photo(2))
    phone.send(FIRST, kept, abandoned)
    for one in (kept, abandoned):
        phone.upload(one["uid"], content[:100])
    folder = service.settings.home.resolve() / "uploads" / "field"
    for one, days in ((kept, 80), (abandoned, 100)):
        moment = (NOW - dt.timedelta(days=days)).timestamp()
        os.utime(folder / f"{one['uid']}.part", (moment, moment))
    answers = phone.send(FIRST, kept, abandoned)
    assert {path.stem for path in folder.glob("*.part")} == {kept["uid"]}
    assert answers[kept["uid"]]["offset"] == 100
    assert phone.upload(abandoned["uid"], photo(2)) == 204, "the phone begins again"


@pytest.mark.parametrize("released", [True, False], ids=["released", "expired"])
def test_steps_that_waited_for_the_desk_are_applied_without_the_phone(
    service: Context, phone: Phone, sign_in: SignIn, released: bool
) -> None:
    contents, steps = _check()
    desk = english(sign_in("town"))
    assert desk.post(f"/alerts/{FIRST}/lock", json={}).status_code == 200
    phone.send(FIRST, *steps)
    for one, content in zip(steps[1:4], contents, strict=True):
        assert phone.upload(one["uid"], content) == 204
    answers = phone.send(FIRST, *steps)
    assert {answers[one["uid"]]["state"] for one in (steps[0], *steps[4:])} == {"waiting"}
    if released:
        assert desk.delete(f"/alerts/{FIRST}/lock").status_code == 204
        later = dt.timedelta(0)
    else:
        run_jobs(service)
        assert _state(service, FIRST) == "dispatched"
        later = dt.timedelta(hours=1)
    assert "field.settle" in run_jobs(service, later)
    assert _state(service, FIRST) == "submitted"


def test_kept_findings_are_applied_by_the_desk_with_who_and_why(
    service: Context, phone: Phone, sign_in: SignIn
) -> None:
    assert phone.take(FIRST).status_code == 200
    contents, steps = _check()
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == FIRST)).one()
        alert.assignee = "town"
    phone.send(FIRST, *steps)
    for one, content in zip(steps[1:4], contents, strict=True):
        assert phone.upload(one["uid"], content) == 204
    phone.send(FIRST, *steps)
    town, county = english(sign_in("town")), english(sign_in("county"))
    address = f"/alerts/{FIRST}/checks"

    def offered(browser: Any) -> bool:
        return bool(browser.get(address).json()["checks"][0]["apply"])

    assert [offered(one) for one in (phone.browser, county, town)] == [False, False, True]
    apply = f"{address}/{phone.check}/apply"
    why = {"why": "assigned by mistake"}
    assert county.post(apply, json=why).status_code == 409  # the county takes no such step
    assert phone.browser.post(apply, json=why).status_code == 409
    assert town.post(apply, json={"why": " "}).status_code == 422
    assert town.post(apply, json=why).status_code == 204
    assert town.post(apply, json=why).status_code == 409  # once
    with service.database.read() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == FIRST)).one()
        checked = steps_of(session, alert)[-1]
        assert (alert.state, checked.who, checked.evidence["officer"]) == ("field_checked", "town", "village_a")
        assert checked.why == "Findings of village_a, applied: assigned by mistake"
        assert [one["sha256"] for one in checked.evidence["photos"]] == [one["content"]["sha256"] for one in steps[1:4]]
    assert phone.send(FIRST, *steps)[steps[4]["uid"]]["state"] == "applied"
    assert town.post(f"/alerts/{FIRST}/move", json={"to": "submitted"}).status_code == 200
    refused = town.post(f"/alerts/{FIRST}/move", json={"to": "reviewed"})
    assert refused.status_code == 409  # who applied the findings does not approve them
