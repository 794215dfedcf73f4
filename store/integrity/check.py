"""Check of stored objects against their checksums, of rows, and of hash chains."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from store.alerts.audit import audit_alerts
from store.integrity.damage import Damage, changed_detail, damaged_objects, record_damage, record_intact
from store.integrity.references import Reference, references
from store.objects.object_store import ObjectNotFound, ObjectStore
from store.schema.database import Database
from store.schema.integrity_tables import ObjectCheck
from store.schema.tables import Base

ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class ObjectsResult:
    """Result of a check of objects.

    Attributes:
        objects: number of objects read.
        size: their total size in bytes.
        damaged: what is damaged.
        repaired: keys of objects that were damaged before and are intact now.
        next_key: first key that was not checked; "": all were.
    """

    objects: int
    size: int
    damaged: tuple[Damage, ...]
    repaired: tuple[str, ...]
    next_key: str = ""


def check_objects(
    database: Database,
    objects: ObjectStore,
    *,
    start: str = "",
    max_bytes: float = float("inf"),
    progress: Callable[[int], None] = lambda _: None,
) -> ObjectsResult:
    """Read objects in the order of their keys, and compare each with its checksum.

    Objects of earlier versions without a checksum get one, where the store allows it.

    Args:
        database: with the rows that refer to objects.
        objects: the store.
        start: first key.
        max_bytes: stop after this many bytes.
        progress: called with the number of objects read so far.
    """
    with database.read() as session:
        wanted = references(session)
        known = {row.key for row in damaged_objects(session)}
    damaged: list[Damage] = []
    seen: set[str] = set()
    repaired: list[str] = []
    size, next_key = 0, ""
    for key in objects.keys(""):
        if key < start:
            continue
        if size >= max_bytes:
            next_key = key
            break
        try:
            damage = verify_object(objects, key, wanted.get(key, Reference("")))
            size += objects.size(key)
        except ObjectNotFound:  # deleted meanwhile
            continue
        seen.add(key)
        if damage is not None:
            damaged.append(damage)
        elif key in known:
            repaired.append(key)
        progress(len(seen))
    missing = {key for key in wanted if start <= key and (not next_key or key < next_key)} - seen
    damaged += _confirm_missing(database, objects, missing)
    with database.read() as session:
        still = references(session) if known else {}
    repaired += [key for key in known if key not in still and not objects.exists(key)]  # no longer needed
    return ObjectsResult(len(seen), size, tuple(damaged), tuple(repaired), next_key)


def verify_object(objects: ObjectStore, key: str, reference: Reference) -> Damage | None:
    """Compare an object with the checksum of its row and the one recorded when it was written; None: it is intact.

    Raises:
        ObjectNotFound: there is no such object.
    """
    for _ in range(2):  # a replacement between the two steps looks like damage once
        recorded = objects.recorded_digests(key)
        digest = objects.digest(key)
        expected = (reference.sha256,) if reference.sha256 else recorded
        if not expected:
            objects.record_digest(key, digest)
            return None
        if digest in expected:
            return None
    return Damage(key, "changed", changed_detail(key, reference.owner, expected[-1], digest))


def check_rows(database: Database) -> list[str]:
    """Read all rows of all tables and decode every value; return the problems as sentences."""
    problems = []
    if database.sqlite:
        with database.engine.connect() as connection:
            found = [str(line) for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
            problems += [f"SQLite reports: {line}" for line in found if line != "ok"]
            for violation in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(5):
                problems.append(f"A row of {violation[0]} refers to a missing row of {violation[2]}")
    for table in Base.metadata.sorted_tables:
        try:
            with database.read() as session:
                for _ in session.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE)):
                    pass
        except (SQLAlchemyError, ValueError, TypeError) as error:
            problems.append(f"The table {table.name} cannot be read: {' '.join(str(error).split())[:200]}")
    return problems


def check_chains(database: Database) -> list[str]:
    """Verify the logs of all alerts; return the problems as sentences."""
    return [
        f"The log of alert {chain.number or '(removed)'} is broken: {chain.reason}"
        for chain in audit_alerts(database).listed
    ]


def record_check(
    session: Session,
    result: ObjectsResult,
    problems: list[str],
    *,
    origin: Literal["command", "schedule"],
    begun_at: dt.datetime,
    now: dt.datetime,
) -> None:
    """Store the result, quarantine damaged images, and release those found intact, in the caller's transaction."""
    for damage in result.damaged:
        record_damage(session, damage, now)
    if result.repaired:
        record_intact(session, result.repaired)
    session.add(
        ObjectCheck(
            origin=origin,
            begun_at=begun_at,
            finished_at=now,
            objects=result.objects,
            bytes=result.size,
            damaged=len(result.damaged),
            problems=problems,
            next_key=result.next_key,
        )
    )


def _confirm_missing(database: Database, objects: ObjectStore, keys: set[str]) -> list[Damage]:
    """Return the missing objects among ``keys`` to which rows still refer, as rows and objects change meanwhile."""
    if not keys:
        return []
    with database.read() as session:
        wanted = references(session)
    return [
        Damage(key, "missing", f"The object {key} ({wanted[key].owner}) is missing")
        for key in sorted(keys & set(wanted))
        if not objects.exists(key)
    ]
