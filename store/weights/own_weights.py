"""Versions of own weights and the log of their uses. Files are objects, so they are in backups and on every machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from errors import SettingsError
from store.schema.insert import insert_new
from store.schema.weights_tables import WeightsRow, WeightsUse

SHIPPED = "shipped"
"""Name of the weights that ``profiles.yaml`` names, in commands and messages."""


def object_key(sha256: str) -> str:
    """Return the object key of the weights file with this checksum."""
    return f"weights/{sha256}.safetensors"


def add_weights(
    session: Session, *, name: str, sha256: str, entry: Mapping[str, Any], card: str, who: str, now: dt.datetime
) -> int:
    """Add a version of own weights, whose object exists already; return its number.

    Raises:
        SettingsError: these weights were added before; the message names the version.
    """
    values = {
        "name": name,
        "sha256": sha256,
        "object_key": object_key(sha256),
        "entry": dict(entry),
        "card": card,
        "added_at": now,
        "added_by": who,
    }
    added = insert_new(session, WeightsRow, values, WeightsRow.id)
    if added is None:
        existing = session.scalar(select(WeightsRow.id).where(WeightsRow.sha256 == sha256))
        raise SettingsError(f"These weights are version {existing} already; `tuban weights use {existing}` uses them.")
    return added


def all_weights(session: Session) -> list[WeightsRow]:
    """Return all versions, oldest first."""
    return list(session.scalars(select(WeightsRow).order_by(WeightsRow.id)))


def weights_version(session: Session, version: int) -> WeightsRow:
    """Return one version.

    Raises:
        SettingsError: there is no such version.
    """
    row = session.get(WeightsRow, version)
    if row is None:
        known = ", ".join(str(each.id) for each in all_weights(session)) or "none"
        raise SettingsError(
            f"There is no version {version} of own weights; there are: {known}.", "weights.unknown", version=version
        )
    return row


def weights_of_sha256(session: Session, sha256: str) -> WeightsRow | None:
    """Return the version with this checksum; None: these are not own weights."""
    return session.scalar(select(WeightsRow).where(WeightsRow.sha256 == sha256))


def weights_in_use(session: Session) -> WeightsRow | None:
    """Return the version in use; None: the shipped weights."""
    use = session.scalar(select(WeightsUse).order_by(WeightsUse.id.desc()).limit(1))
    return None if use is None or use.weights_id is None else session.get_one(WeightsRow, use.weights_id)


def uses(session: Session) -> list[WeightsUse]:
    """Return the log of uses, newest first."""
    return list(session.scalars(select(WeightsUse).order_by(WeightsUse.id.desc())))


def record_use(
    session: Session,
    version: int | None,
    *,
    who: str,
    now: dt.datetime,
    forced: bool = False,
    comparison: Mapping[str, Any] | None = None,
) -> None:
    """Take a version into use; None: the shipped weights."""
    session.add(WeightsUse(weights_id=version, used_at=now, who=who, forced=forced, comparison=dict(comparison or {})))
    session.flush()


def version_before(session: Session) -> int | None:
    """Return the version that was in use before the current one; None: the shipped weights.

    Going back twice returns to the version before that, and not to the one just left.

    Raises:
        SettingsError: nothing was in use before.
    """
    stack: list[int | None] = [None]
    for use in reversed(uses(session)):
        if len(stack) > 1 and use.weights_id == stack[-2] and use.comparison.get("back"):
            stack.pop()
        elif use.weights_id != stack[-1]:
            stack.append(use.weights_id)
    if len(stack) < 2:
        raise SettingsError("The shipped weights are in use, and no others were before them: see `tuban weights list`.")
    return stack[-2]
