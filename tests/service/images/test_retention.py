"""Retention deletes what later images replace, in the order of age, and never what an alert rests on."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from configs.service import read_service
from service.context import Context
from service.images.retention import delete_expired, expired_images
from store.alerts.sighting_chain import append_sighting
from store.objects.folder import FolderObjectStore
from store.schema.outlines import bounds_of
from store.schema.tables import Observation, SceneRow
from store.schema.user_tables import Action
from tests.databases import embedded_database
from tests.store.sample_alerts import add_village_with_alert
from tests.store.sample_rows import NOW, add_scan, add_scene, ground


def service(tmp_path: Path, **retention: Any) -> Context:
    settings = read_service(home=tmp_path, retention=retention)
    return Context(settings, embedded_database(tmp_path / "tuban.db"), clock=lambda: NOW)


def add_images(context: Context, *days_ago: int, east: float = 0) -> list[int]:
    """Add images of one place received some days ago, with objects of 1000 bytes."""
    ids = []
    with context.database.write() as session:
        for days in days_ago:
            at = NOW - dt.timedelta(days=days)
            scene = add_scene(session, at.date(), ground(east, 0, east + 1000, 1000), created_at=at)
            context.objects.put(scene.object_key, b"x" * 1000)
            ids.append(scene.id)
    return ids


def listed(context: Context) -> list[tuple[int, str]]:
    return [(image.scene.scene_id, image.rule) for image in expired_images(context)]


def test_without_limits_nothing_is_listed(tmp_path: Path) -> None:
    context = service(tmp_path)
    add_images(context, 900, 400, 10)
    assert listed(context) == []


def test_images_older_than_the_limit_are_listed_if_a_later_one_shows_their_ground(tmp_path: Path) -> None:
    context = service(tmp_path, days=365)
    oldest, older, _ = add_images(context, 900, 400, 10)
    add_images(context, 800, east=5000)  # the only image of its place
    assert listed(context) == [(oldest, "days"), (older, "days")]


def test_more_images_of_a_place_than_the_limit_are_listed(tmp_path: Path) -> None:
    context = service(tmp_path, per_place=2)
    first, second, _, _ = add_images(context, 40, 30, 20, 10)
    add_images(context, 40, 10, east=5000)
    assert listed(context) == [(first, "per_place"), (second, "per_place")]


def test_a_full_disk_lists_the_oldest_until_enough_is_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = service(tmp_path, disk_share=0.5)
    first, second, *_ = add_images(context, 40, 30, 20, 10)
    usage = type("Usage", (), {"total": 10_000, "used": 6_500, "free": 3_500})
    monkeypatch.setattr("service.images.retention.shutil.disk_usage", lambda _: usage)
    assert listed(context) == [(first, "disk_share"), (second, "disk_share")]


def test_evidence_and_images_of_unfinished_scans_are_never_listed(tmp_path: Path) -> None:
    context = service(tmp_path, per_place=1)
    alert = add_village_with_alert(context.database)
    evidence, waiting, free, latest = add_images(context, 40, 30, 20, 10)
    with context.database.write() as session:
        scenes = {scene.id: scene for scene in session.query(SceneRow)}
        scan = add_scan(session, scenes[evidence], scenes[latest], state="done")
        append_sighting(
            session,
            Observation(
                alert_id=alert,
                scan_id=scan.id,
                change_number=1,
                source="drone",
                kind="ground",
                score=0.9,
                area_m2=400.0,
                created_at=NOW,
                **bounds_of(ground(0, 0, 20, 20)),
            ),
        )
        add_scan(session, scenes[waiting], scenes[latest])
    assert [scene for scene, _ in listed(context) if scene in (evidence, waiting, free, latest)] == [free]


def test_deletions_remove_pixels_keep_the_row_and_are_logged(tmp_path: Path) -> None:
    context = service(tmp_path, per_place=1)
    old, latest = add_images(context, 40, 10)
    assert delete_expired(context, expired_images(context), "command") == 1
    assert isinstance(context.objects, FolderObjectStore)
    with context.database.read() as session:
        rows = {row.id: row for row in session.query(SceneRow)}
        assert (rows[old].state, rows[latest].state) == ("purged", "ready")
        assert [context.objects.exists(rows[each].object_key) for each in (old, latest)] == [False, True]
        (action,) = session.query(Action).all()
        assert (action.what, action.about, action.detail["rule"]) == (
            "deleted_by_retention",
            f"image {old}",
            "per_place",
        )
    assert expired_images(context) == []


def test_an_image_that_became_evidence_after_listing_is_kept(tmp_path: Path) -> None:
    context = service(tmp_path, per_place=1)
    old, latest = add_images(context, 40, 10)
    images = expired_images(context)
    with context.database.write() as session:
        add_scan(session, session.get_one(SceneRow, old), session.get_one(SceneRow, latest))
    assert delete_expired(context, images, "command") == 0
