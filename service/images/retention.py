"""Retention of images by age, count for each place and share of the disk; evidence is never deleted."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from errors import TubanError
from service.context import Context
from store.access.audit_log import record_action
from store.jobs.queue import add_job
from store.objects.object_store import ObjectNotFound
from store.retention.holds import Held
from store.scenes.corrections import PURGED, READY, locked_scene, object_in_use
from store.scenes.retention import ReplacedScene, replaced_scenes
from store.schema.database import Session

Rule = Literal["days", "per_place", "disk_share"]

logger = structlog.get_logger("tuban.retention")


@dataclass(frozen=True)
class ExpiredImage:
    """An image whose pixels may be deleted, its size in bytes, and the rule that it exceeds."""

    scene: ReplacedScene
    size: int
    rule: Rule


def expired_images(context: Context) -> list[ExpiredImage]:
    """List the images that exceed the limits of the settings, oldest first; nothing is deleted."""
    limits, now = context.settings.retention, context.clock()
    with context.database.read() as session:
        replaced = _free_scenes(session)
    expired, excess = [], _excess_bytes(context)
    for scene in replaced:
        rule: Rule | None = None
        if limits.days and now - scene.received_at > dt.timedelta(days=limits.days):
            rule = "days"
        elif limits.per_place and scene.newer >= limits.per_place:
            rule = "per_place"
        elif excess > 0:
            rule = "disk_share"
        if rule is not None:
            size = _size(context, scene.object_key)
            expired.append(ExpiredImage(scene, size, rule))
            excess -= size
    return expired


def delete_expired(context: Context, images: Sequence[ExpiredImage], who: str) -> int:
    """Delete the pixels of listed images and return their number; each is in the audit log.

    An image that became evidence since the list was made is kept.
    """
    deleted = 0
    for image in images:
        with context.database.write() as session:
            scene = locked_scene(session, image.scene.scene_id)
            still = {one.scene_id for one in _free_scenes(session)}
            if scene is None or scene.state != READY or scene.id not in still:
                continue
            scene.state = PURGED
            session.flush()
            key = "" if object_in_use(session, scene.object_key) else scene.object_key
            record_action(
                session,
                who=who,
                what="deleted_by_retention",
                now=context.clock(),
                about=f"image {scene.id}",
                code=scene.area_code,
                detail={"name": scene.name, "rule": image.rule, "object_sha256": scene.object_sha256},
            )
        deleted += 1
        try:
            if key:
                context.objects.delete(key)
        except TubanError as error:
            logger.warning("an object could not be deleted", key=key, error=str(error))
        logger.info("image deleted by retention", image=image.scene.scene_id, name=image.scene.name, rule=image.rule)
    return deleted


def _free_scenes(session: Session) -> list[ReplacedScene]:
    """Return the replaced images that show no ground of an area on hold."""
    held = Held(session)
    return [scene for scene in replaced_scenes(session) if not held.covers_ground(scene.area_code)]


def add_retention_job(session: Session, day: dt.date, now: dt.datetime) -> int | None:
    """Add the job that deletes images beyond the limits; there is one per day."""
    key = f"images:retention:{day}"
    return add_job(session, kind="images.retention", queue="ingest", payload={}, unique_key=key, now=now)


def _excess_bytes(context: Context) -> float:
    """Return how much must be deleted until the objects' disk is used to at most ``retention.disk_share``."""
    share, folder = context.settings.retention.disk_share, context.settings.objects_url
    if not share or "://" in folder or not Path(folder).is_dir():
        return 0
    usage = shutil.disk_usage(folder)
    return usage.used - share * usage.total


def _size(context: Context, key: str) -> int:
    try:
        return context.objects.size(key)
    except ObjectNotFound:
        return 0
