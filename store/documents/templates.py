"""Versions of the templates: every file that was used or uploaded, by its checksum."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from store.schema.chain.document_tables import DocumentTemplateRow
from store.schema.counters import lock_counter

UPLOADED = "uploaded"


@dataclass(frozen=True)
class TemplateFile:
    """A template with its stored bytes.

    Attributes:
        kind: of documents.
        source: shipped, folder or uploaded.
        name: file name, for display.
        sha256, object_key, size: of the bytes.
        notes: findings that refuse nothing, in Chinese and English.
    """

    kind: str
    source: str
    name: str
    sha256: str
    object_key: str
    size: int
    notes: tuple[dict[str, str], ...] = ()


def template_key(sha256: str) -> str:
    """Return the object key of a template."""
    return f"documents/templates/{sha256}.docx"


def record_template(session: Session, file: TemplateFile, *, who: str, now: dt.datetime) -> DocumentTemplateRow:
    """Return the version with these bytes; a new one if there is none. An uploaded one is used from now on."""
    lock_counter(session, f"document template:{file.kind}")
    same = DocumentTemplateRow.kind == file.kind, DocumentTemplateRow.sha256 == file.sha256
    row = session.scalar(select(DocumentTemplateRow).where(*same))
    if row is None:
        last = select(func.max(DocumentTemplateRow.version)).where(DocumentTemplateRow.kind == file.kind)
        notes: list[Any] = list(file.notes)
        row = DocumentTemplateRow(
            kind=file.kind,
            version=(session.scalar(last) or 0) + 1,
            source=file.source,
            name=file.name[:200],
            sha256=file.sha256,
            object_key=file.object_key,
            size=file.size,
            state="kept",
            notes=notes,
            who=who,
            at=now,
        )
        session.add(row)
        session.flush()
    if file.source == UPLOADED:
        use_version(session, row)
    return row


def use_version(session: Session, row: DocumentTemplateRow) -> None:
    """Use a version for new documents, whatever files there are."""
    stop_using(session, row.kind)
    row.state = "used"
    session.flush()


def stop_using(session: Session, kind: str) -> None:
    """Use the file of the working directory, or the shipped one, for new documents again."""
    for row in session.scalars(_of_kind(kind).where(DocumentTemplateRow.state == "used")):
        row.state = "kept"
    session.flush()


def used_version(session: Session, kind: str) -> DocumentTemplateRow | None:
    """Return the version that was chosen on the page; None: the file applies."""
    return session.scalar(_of_kind(kind).where(DocumentTemplateRow.state == "used").limit(1))


def versions_of(session: Session) -> dict[str, Sequence[DocumentTemplateRow]]:
    """Return all versions by kind, newest first."""
    found: dict[str, list[DocumentTemplateRow]] = {}
    query = select(DocumentTemplateRow).order_by(DocumentTemplateRow.kind, DocumentTemplateRow.version.desc())
    for row in session.scalars(query):
        found.setdefault(row.kind, []).append(row)
    return dict(found)


def version(session: Session, kind: str, number: int) -> DocumentTemplateRow | None:
    """Return a version of a kind."""
    return session.scalar(_of_kind(kind).where(DocumentTemplateRow.version == number))


def _of_kind(kind: str) -> Select[DocumentTemplateRow]:
    return select(DocumentTemplateRow).where(DocumentTemplateRow.kind == kind)
