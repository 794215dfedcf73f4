"""Local files of images whose checksum was verified; a damaged image is quarantined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from service.context import Context
from store.integrity.damage import DamagedObjectError, record_damage
from store.schema.tables import SceneRow

logger = structlog.get_logger("tuban.integrity")


@contextmanager
def intact_image(context: Context, scene: SceneRow) -> Iterator[Path]:
    """Give a local file with the pixels of a scene.

    Raises:
        DamagedObjectError: its object is missing or damaged; it was recorded, and the scene quarantined.
    """
    try:
        with context.verified_objects.local(scene.object_key, scene.object_sha256, f"image {scene.name}") as path:
            yield path
    except DamagedObjectError as error:
        logger.error("an image is damaged", scene=scene.id, key=error.damage.key, fault=error.damage.fault)
        with context.database.write() as session:
            record_damage(session, error.damage, context.clock())
        raise
