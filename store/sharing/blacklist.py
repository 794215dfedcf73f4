"""The credit blacklist (信用惩戒名单): entries, removals, and what leaves the bureau."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.sharing.blacklist_files import BlacklistEntry
from enforcement.sharing.identity import mask_identity, parse_identity
from errors import SettingsError
from store.access.rights import Viewer, visible_to
from store.schema.chain.sharing_tables import BlacklistRow


def identity_digest(key: bytes, number: str) -> str:
    """Return the keyed digest of an identity number; without the key, numbers cannot be tried out."""
    return hmac.new(key, b"identity:" + number.encode(), "sha256").hexdigest()


def add_entry(
    session: Session,
    *,
    code: str,
    alert_id: int | None,
    subject: str,
    identity_kind: str,
    identity: str,
    key: bytes,
    representative: str,
    facts: str,
    place: str,
    area_m2: float | None,
    document: str,
    listed_on: dt.date,
    until: dt.date | None,
    measures: str,
    removal_condition: str,
    authority: str,
    who: str,
    now: dt.datetime,
) -> BlacklistRow:
    """List a subject; of the identity number only its masked form and a keyed digest are stored.

    Args:
        session: a writing transaction.
        identity: the number as entered; it is in no message and no log.
        key: secret of this installation for the digest.
        document: number of the document by which a person determined the facts.
        code, alert_id, subject, identity_kind, representative, facts, place, area_m2, listed_on, until, measures,
            removal_condition, authority, who, now: columns of the row.

    Raises:
        SettingsError: the number is invalid, something required is missing, or the subject is listed by this document.
    """
    number = parse_identity(identity_kind, identity)
    required = (subject, facts, document, authority, removal_condition)
    if not all(text.strip() for text in required) or (until is not None and until < listed_on):
        raise SettingsError(
            "An entry needs subject, facts, determining document, authority and condition of removal, and no last day "
            "before the first.",
            "blacklist.missing",
        )
    digest = identity_digest(key, number)
    same = (BlacklistRow.identity_digest == digest, BlacklistRow.document == document.strip())
    if session.scalar(select(BlacklistRow.id).where(*same, BlacklistRow.removed_on.is_(None))) is not None:
        raise SettingsError(f"The subject is listed by {document} already.", "blacklist.twice", document=document)
    row = BlacklistRow(
        code=code,
        alert_id=alert_id,
        subject=subject.strip()[:200],
        identity_kind=identity_kind,
        identity_masked=mask_identity(identity_kind, number),
        identity_digest=digest,
        representative=representative.strip()[:100],
        facts=facts.strip()[:2000],
        place=place.strip()[:400],
        area_m2=area_m2,
        document=document.strip()[:100],
        listed_on=listed_on,
        until=until,
        measures=measures.strip()[:1000],
        removal_condition=removal_condition.strip()[:1000],
        authority=authority.strip()[:200],
        entered_by=who,
        entered_at=now,
    )
    session.add(row)
    session.flush()
    return row


def remove_entry(
    session: Session, row: BlacklistRow, *, on: dt.date, document: str, why: str, who: str
) -> None:  # fmt: skip
    """Remove a subject from the list; the row stays with its removal.

    Raises:
        SettingsError: it is removed already, no reason is given, or the day lies before the entry.
    """
    if row.removed_on is not None or not why.strip() or on < row.listed_on:
        raise SettingsError(
            "A removal needs a reason and a day not before the entry, and the entry must still be listed.",
            "blacklist.removal",
        )
    row.removed_on, row.removed_document = on, document.strip()[:100]
    row.removed_why, row.removed_by = why.strip()[:1000], who
    session.flush()


def visible_entries(session: Session, viewer: Viewer, *, limit: int = 2000) -> list[BlacklistRow]:
    """List the entries of the viewer's area, listed ones first, the latest first."""
    query = select(BlacklistRow).where(visible_to(BlacklistRow.code, viewer))
    order = (BlacklistRow.removed_on.is_not(None), BlacklistRow.listed_on.desc(), BlacklistRow.id.desc())
    return list(session.scalars(query.order_by(*order).limit(limit)))


def visible_entry(session: Session, viewer: Viewer, entry_id: int) -> BlacklistRow | None:
    """Return one entry of the viewer's area, or None."""
    return session.scalar(
        select(BlacklistRow).where(BlacklistRow.id == entry_id, visible_to(BlacklistRow.code, viewer))
    )


def exported(rows: Sequence[BlacklistRow]) -> list[BlacklistEntry]:
    """Return entries as they leave the bureau, numbered from 1."""
    return [
        BlacklistEntry(
            number=str(number),
            subject=row.subject,
            identity_kind=row.identity_kind,
            identity=row.identity_masked,
            representative=row.representative,
            facts=row.facts,
            place=row.place,
            area_m2=row.area_m2,
            document=row.document,
            listed_on=row.listed_on,
            until=row.until,
            measures=row.measures,
            removal_condition=row.removal_condition,
            authority=row.authority,
            removed_on=row.removed_on,
            removed_document=row.removed_document,
        )
        for number, row in enumerate(rows, 1)
    ]
