"""Images can be corrected, withdrawn, restored and purged; what rests on them is found, marked and planned again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest

from enforcement.states import read_states
from service.images.correct import Correction, correct_images
from service.images.requests import Actor, ImageOutcome, ImageRequestError
from service.images.withdraw import purge_images, restore_images, withdraw_images
from store.alerts.sighting_chain import append_sighting
from store.alerts.transitions import append_transition, steps_of
from store.alerts.withdrawal import withdrawn_basis
from store.objects.object_store import ObjectNotFound
from store.schema.tables import AlertRow, Delivery, Observation, Scan, SceneRow, UncomparedGround
from store.schema.user_tables import Action
from tests.inference.scenes import textured
from tests.workers.scan_service import AUTUMN, DAY, SPRING, VILLAGE, ScanService, after_image, before_image
from workers.runtime.job_runner import run_job

OPERATOR = Actor("root")


@pytest.fixture
def service(tmp_path: Path) -> ScanService:
    return ScanService(tmp_path)


@pytest.fixture
def compared(service: ScanService) -> ScanService:
    """A night that found two alerts between two images."""
    service.add_image(before_image(), SPRING)
    service.add_image(after_image(), AUTUMN)
    service.run_night()
    return service


def codes(outcomes: Sequence[ImageOutcome]) -> list[tuple[bool, str]]:
    return [(outcome.done, outcome.message.code) for outcome in outcomes]


def test_an_image_without_a_day_gets_one_and_the_next_night_compares_it(service: ScanService) -> None:
    service.add_image(before_image(), SPRING)
    undated = service.add_image(after_image(), None, "scan0001.tif")
    assert service.run_night().summary["scans"] == 0
    [outcome] = correct_images(service.context, OPERATOR, [undated], Correction(date=AUTUMN))
    assert outcome.done
    night = service.run_night(DAY + dt.timedelta(days=1))
    assert night.summary["alerts"] == {"new": 2}
    assert {alert.first_date for alert in service.rows(AlertRow)} == {AUTUMN}


def test_a_corrected_day_withdraws_the_comparisons_which_are_planned_again(compared: ScanService) -> None:
    scenes = compared.scenes()
    later = scenes[f"{AUTUMN}.tif"].id
    correct_images(compared.context, OPERATOR, [later], Correction(date=dt.date(2026, 10, 2)))
    [scan] = compared.rows(Scan)
    assert (scan.state, scan.withdrawn_at is not None, scan.why["code"]) == ("done", True, "image.date_corrected")
    alerts = compared.rows(AlertRow)
    assert {(alert.state, alert.first_date) for alert in alerts} == {("new", dt.date(2026, 10, 2))}
    assert {one.after_date for one in compared.rows(Observation)} == {dt.date(2026, 10, 2)}
    with compared.context.database.read() as session:
        assert all(withdrawn_basis(session, alert.id) for alert in alerts)  # told on their pages
    night = compared.run_night(DAY + dt.timedelta(days=1))
    assert night.summary["states"] == {"done": 1}
    assert len(compared.rows(AlertRow)) == 2  # seen again, not doubled
    with compared.context.database.read() as session:
        assert not any(withdrawn_basis(session, alert.id) for alert in alerts)
    [action] = [action for action in compared.rows(Action) if action.what == "corrected_image"]
    assert (action.who, action.about) == ("root", f"image {later}")
    assert action.detail["date"] == [AUTUMN.isoformat(), "2026-10-02"]


def test_a_day_that_reverses_the_pair_plans_the_other_direction(compared: ScanService) -> None:
    later = compared.scenes()[f"{AUTUMN}.tif"].id
    correct_images(compared.context, OPERATOR, [later], Correction(date=SPRING - dt.timedelta(days=200)))
    compared.run_night(DAY + dt.timedelta(days=1))
    first, second = compared.rows(Scan)
    assert (second.before_id, second.after_id) == (first.after_id, first.before_id)


def test_many_images_are_corrected_at_once_and_each_refusal_is_told(compared: ScanService) -> None:
    first, second = (scene.id for scene in compared.scenes().values())
    withdraw_images(compared.context, OPERATOR, [second], "blurred")
    outcomes = correct_images(compared.context, OPERATOR, [first, second, 999], Correction(source="satellite"))
    assert codes(outcomes) == [(True, "image.source_set"), (False, "image.not_ready"), (False, "image.unknown")]
    assert {scene.source for scene in compared.rows(SceneRow) if scene.id == first} == {"satellite"}


@pytest.mark.parametrize(
    "correction", [Correction(), Correction(date=dt.date(2031, 1, 1)), Correction(source="balloon")]
)
def test_a_correction_that_says_nothing_or_nonsense_is_refused(service: ScanService, correction: Correction) -> None:
    with pytest.raises(ImageRequestError):
        correct_images(service.context, OPERATOR, [1], correction)


def test_a_withdrawn_image_takes_the_alerts_with_it_that_rest_on_it_alone(compared: ScanService) -> None:
    later = compared.scenes()[f"{AUTUMN}.tif"].id
    assert codes(withdraw_images(compared.context, OPERATOR, [later], "wrong county")) == [(True, "image.withdrawn")]
    alerts = compared.rows(AlertRow)
    assert {alert.state for alert in alerts} == {"withdrawn"}
    assert all("wrong county" in alert.state_reason for alert in alerts)
    with compared.context.database.read() as session:
        last = steps_of(session, alerts[0])[-1]
    assert (last.who, last.role, last.to_state) == ("root", "system", "withdrawn")
    assert [one.event["type"] for one in compared.rows(Delivery)][-2:] == ["tuban.alert.state_changed"] * 2
    night = compared.run_night(DAY + dt.timedelta(days=1))
    assert (night.summary["scans"], night.summary["uncompared"]) == (0, [])  # the image takes no part any more
    # restored, it is compared again
    assert codes(restore_images(compared.context, OPERATOR, [later])) == [(True, "image.restored")]
    assert compared.run_night(DAY + dt.timedelta(days=2)).summary["states"] == {"done": 1}


def test_alerts_that_people_checked_or_that_another_image_shows_stay(compared: ScanService) -> None:
    context, later = compared.context, compared.scenes()[f"{AUTUMN}.tif"].id
    with context.database.write() as session:
        checked, seen_again = (session.get_one(AlertRow, alert.id) for alert in compared.rows(AlertRow))
        for state, role in (
            ("triaged", "county"), ("published", "county"), ("dispatched", "county"), ("accepted", "village"),
            ("field_checked", "village"),
        ):  # fmt: skip
            evidence = {"photos": ["a"], "works": "b", "findings": {"use": "c"}} if state == "field_checked" else {}
            append_transition(
                session, checked, state, who="wang", role=role, why="", at=context.clock(), evidence=evidence
            )
        scan = session.get_one(Scan, 1)
        copy = Scan(
            unique_key="other", area_code=VILLAGE, before_id=scan.before_id, after_id=scan.before_id, state="done",
            created_at=context.clock(),
        )  # fmt: skip
        session.add(copy)
        session.flush()
        one = session.query(Observation).filter_by(alert_id=seen_again.id).one()
        values = {name.key: getattr(one, name.key) for name in Observation.__table__.columns if name.key != "id"}
        append_sighting(session, Observation(**(values | {"scan_id": copy.id})))
    withdraw_images(context, OPERATOR, [later], "wrong county")
    states = {alert.id: alert.state for alert in compared.rows(AlertRow)}
    assert states == {checked.id: "field_checked", seen_again.id: "new"}
    # the image that a checked alert needs cannot be purged
    assert codes(purge_images(context, OPERATOR, [later])) == [(False, "image.evidence")]


def test_only_withdrawn_images_are_purged_and_their_pixels_are_gone(compared: ScanService) -> None:
    context, scene = compared.context, compared.scenes()[f"{AUTUMN}.tif"]
    assert codes(purge_images(context, OPERATOR, [scene.id])) == [(False, "image.in_use")]
    withdraw_images(context, OPERATOR, [scene.id], "wrong county")
    assert codes(purge_images(context, OPERATOR, [scene.id])) == [(True, "image.purged")]
    with pytest.raises(ObjectNotFound), context.objects.local(scene.object_key):
        pass
    assert codes(restore_images(context, OPERATOR, [scene.id])) == [(False, "image.purged_before")]
    [action] = [action for action in compared.rows(Action) if action.what == "purged_image"]
    assert action.detail["object_sha256"] == scene.object_sha256


@pytest.mark.parametrize(
    ("actor", "allowed"),
    [
        (Actor("zhang", VILLAGE[:6], "county", False), True),
        (Actor("li", VILLAGE, "village", True), True),  # administrator of the village
        (Actor("li", VILLAGE, "village", False), False),
        (Actor("li", "330106", "county", True), False),  # of another county
    ],
)
def test_only_people_of_the_area_with_the_right_correct_images(
    compared: ScanService, actor: Actor, allowed: bool
) -> None:
    scene = compared.scenes()[f"{AUTUMN}.tif"].id
    [outcome] = correct_images(compared.context, actor, [scene], Correction(source="satellite"))
    assert outcome.done is allowed
    withdraw_images(compared.context, OPERATOR, [scene], "x")
    assert purge_images(compared.context, actor, [scene])[0].done is (allowed and actor.administrator)


def test_bands_are_exchanged_and_those_that_are_not_stored_are_named(compared: ScanService) -> None:
    context, later = compared.context, compared.scenes()[f"{AUTUMN}.tif"].id
    [outcome] = correct_images(context, OPERATOR, [later], Correction(bands=(3, 2, 1)))
    assert outcome.job_id is not None
    assert run_job(context, outcome.job_id) == "done"
    scene = {scene.id: scene for scene in compared.rows(SceneRow)}[later]
    assert (list(scene.bands), scene.date) == ([3, 2, 1], AUTUMN)
    assert compared.rows(Scan)[0].withdrawn_at is not None
    assert {alert.state for alert in compared.rows(AlertRow)} == {"new"}
    [outcome] = correct_images(context, OPERATOR, [later], Correction(bands=(4, 3, 2)))
    assert (outcome.done, outcome.message.code) == (False, "image.bands_missing")
    assert "--bands 4,3,2" in outcome.message


def test_a_corrected_coordinate_system_moves_the_image_and_withdraws_its_alerts(compared: ScanService) -> None:
    context, scene = compared.context, compared.scenes()[f"{AUTUMN}.tif"]
    assert scene.crs == "EPSG:32650"
    [outcome] = correct_images(context, OPERATOR, [scene.id], Correction(crs="EPSG:32651"))
    assert outcome.job_id is not None
    run_job(context, outcome.job_id)
    moved = {one.id: one for one in compared.rows(SceneRow)}[scene.id]
    assert moved.crs == "EPSG:32651"
    assert moved.west - scene.west == pytest.approx(6, abs=0.01)  # the next zone
    assert {alert.state for alert in compared.rows(AlertRow)} == {"withdrawn"}
    with pytest.raises(ObjectNotFound), context.objects.local(scene.object_key):
        pass


def test_ground_of_a_corrected_image_is_reported_again(service: ScanService) -> None:
    undated = service.add_image(textured(300, 300), None, "scan0001.tif")
    service.run_night()
    correct_images(service.context, OPERATOR, [undated], Correction(date=AUTUMN))
    night = service.run_night(DAY + dt.timedelta(days=1))
    [reported] = night.summary["uncompared"]
    assert reported["why"]["code"] == "plan.first"
    assert [ground.superseded for ground in service.rows(UncomparedGround)] == [True, False]


def test_no_person_moves_an_alert_to_withdrawn_by_hand() -> None:
    states = read_states()
    by_people = [role for role in states.roles if role != "system"]
    assert not any("withdrawn" in states.allowed_targets(state, role) for state in states.states for role in by_people)
