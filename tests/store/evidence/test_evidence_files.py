"""Evidence files are added once, belong to one owner, and are fixed once a step uses them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sqlalchemy import select

from store.evidence.evidence_files import (
    EvidenceConflict,
    Owner,
    ReceivedFile,
    abandoned_files,
    add_file,
    attach_to_transition,
    files_of_alert,
    link_to_alert,
    new_uid,
    object_key,
    pending_files,
    remove_file,
    visible_file,
)
from store.integrity.references import references
from store.schema.chain.field_tables import FieldStep
from store.schema.database import Database
from store.schema.tables import Transition
from tests.store.review.review_setup import ReviewSetup, later

UID = "0f8fad5b-d9cb-469f-a165-70867728950e"
PHOTO = ReceivedFile(UID, "photo", object_key(UID, "a" * 64, "jpg"), "a" * 64, 1234, "image/jpeg", "现场.jpg")


@pytest.fixture
def review(database: Database, tmp_path: Path) -> ReviewSetup:
    setup = ReviewSetup.create(database, tmp_path)
    setup.add()
    return setup


def test_a_file_sent_twice_is_added_once_and_other_bytes_under_its_id_are_refused(review: ReviewSetup) -> None:
    owner = Owner(review.alert().id)
    with review.database.write() as session:
        first = add_file(session, PHOTO, owner, who="wang", now=later(), evidence_field="photos")
        assert add_file(session, PHOTO, owner, who="wang", now=later(9)).id == first.id
        with pytest.raises(EvidenceConflict, match="belongs to another file"):
            add_file(session, dataclasses.replace(PHOTO, sha256="b" * 64), owner, who="wang", now=later())
        with pytest.raises(EvidenceConflict, match="belongs to another file"):
            add_file(session, PHOTO, Owner(kind="tip", id=1), who="wang", now=later())
        assert [file.name for file in pending_files(session, first.alert_id or 0, "wang")] == ["现场.jpg"]
        assert references(session)[PHOTO.object_key].sha256 == "a" * 64


def test_only_who_sees_the_alert_sees_its_files(review: ReviewSetup) -> None:
    with review.database.write() as session:
        add_file(session, PHOTO, Owner(review.alert().id), who="wang", now=later())
    with review.database.read() as session:
        for login, seen in (("wang", True), ("chen", True), ("sun", True), ("qian", False)):
            assert (visible_file(session, review.viewer(login), UID) is not None) == seen
        assert visible_file(session, review.viewer("sun"), "../x") is None
        assert visible_file(session, review.viewer("sun"), new_uid()) is None


def test_a_file_of_a_step_belongs_to_it_for_good(review: ReviewSetup) -> None:
    other = review.alert(review.add("330106U2026110002")).id
    review.judge("330106U2026110001", "true")
    with review.database.write() as session:
        alert = review.alert().id
        file = add_file(session, PHOTO, Owner(alert), who="wang", now=later())
        steps = session.scalars(select(Transition.id).where(Transition.alert_id == alert)).all()
        with pytest.raises(EvidenceConflict, match="No file"):
            attach_to_transition(session, [UID], other, steps[0], "triaged")
        attach_to_transition(session, [UID], alert, steps[0], "triaged")
        with pytest.raises(EvidenceConflict, match="evidence of a step"):
            remove_file(session, file)
        if len(steps) > 1:
            with pytest.raises(EvidenceConflict, match="another step"):
                attach_to_transition(session, [UID], alert, steps[1], "published")


def test_files_of_a_tip_are_shown_by_its_alert_but_not_those_in_quarantine(review: ReviewSetup) -> None:
    with review.database.write() as session:
        add_file(session, PHOTO, Owner(kind="tip", id=7), who="chen", now=later())
        suspect = dataclasses.replace(PHOTO, uid=new_uid(), name="x.pdf", kind="document")
        add_file(session, suspect, Owner(kind="tip", id=7), who="", now=later(), state="quarantine")
        link_to_alert(session, "tip", 7, review.alert().id)
        assert [file.name for file in files_of_alert(session, review.alert().id)] == ["现场.jpg"]


def test_only_files_that_nothing_uses_are_abandoned(review: ReviewSetup) -> None:
    with review.database.write() as session:
        alert = review.alert().id
        for name, record in (("left.jpg", {}), ("check.jpg", {"check": "c"})):
            uid = new_uid()
            file = dataclasses.replace(PHOTO, uid=uid, name=name, record=record)
            add_file(session, file, Owner(alert), who="wang", now=later())
            if record:
                session.add(
                    FieldStep(
                        uid=uid, check_uid="c", alert_id=alert, who="wang", kind="photo", state="applied",
                        received_at=later(), after=[], content={}, clock_offset_s=0.0,
                    )
                )  # fmt: skip
        session.flush()
        assert [file.name for file in abandoned_files(session, later(5))] == ["left.jpg"]
        assert abandoned_files(session, later(0)) == []
        with pytest.raises(EvidenceConflict):
            remove_file(session, files_of_alert(session, alert)[1])
