"""The log of deletions: of what class, how much, and a digest that proves which rows without naming anybody."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.audit_log import record_action
from store.schema.chain.retention_tables import PurgeRow


def record_purge(
    session: Session,
    *,
    category: str,
    count: int,
    size: int,
    oldest: dt.datetime | None,
    items: Iterable[str],
    who: str,
    now: dt.datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record a deletion in the transaction that makes it, and in the audit log.

    Args:
        session: a writing transaction.
        category: of :mod:`service.retention.categories`.
        count, size, oldest: of what was deleted; size in bytes.
        items: an id or checksum of each; only their digest is stored.
        who: login, ``command`` or ``system``.
        now: current time.
        detail: further counts.
    """
    digest = hashlib.sha256("\n".join(sorted(items)).encode()).hexdigest()
    session.add(
        PurgeRow(
            at=now, who=who, category=category, count=count, size=size, oldest=oldest, digest=digest,
            detail=dict(detail or {}),
        )
    )  # fmt: skip
    record_action(session, who=who, what="purged", now=now, about=category, detail={"count": count, "size": size})
    session.flush()


def list_purges(session: Session, limit: int = 100) -> list[PurgeRow]:
    """List the deletions, newest first."""
    return list(session.scalars(select(PurgeRow).order_by(PurgeRow.id.desc()).limit(limit)))
