"""Restore single damaged objects from a backup."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from store.backup.archive import OBJECTS, extract, verify
from store.integrity.references import Reference, references
from store.objects.object_store import ObjectNotFound, ObjectStore, file_digest
from store.schema.database import Database


def repair_objects(objects: ObjectStore, archive: Path, database: Database, keys: Collection[str]) -> list[str]:
    """Write objects again from a backup, if its copies have the expected checksums.

    Args:
        objects: the store.
        archive: a backup, whose checksums are verified first.
        database: with the rows that refer to the objects.
        keys: of damaged or missing objects.

    Returns:
        The keys of the restored objects.

    Raises:
        ArchiveError: the file is damaged or not a backup.
    """
    verify(archive)
    with database.read() as session:
        wanted = references(session)
    restored = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in extract(archive, Path(folder)):
            key = name.removeprefix(OBJECTS)
            if key == name or key not in keys:
                continue
            sha256 = wanted.get(key, Reference("")).sha256
            expected: tuple[str, ...] = (sha256,) if sha256 else ()
            if not expected:
                with suppress(ObjectNotFound):
                    expected = objects.recorded_digests(key)
            if not expected or file_digest(path) in expected:
                objects.put(key, path)
                restored.append(key)
    return restored
