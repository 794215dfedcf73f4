"""Receiving bodies (共享单位) and the users who act for them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.sharing.fields import DEFAULT_FIELDS, check_fields
from enforcement.sharing.matters import BODY_KINDS, Matters
from enforcement.states import read_states
from errors import SettingsError
from store.access.rights import Viewer, visible_to
from store.schema.chain.sharing_tables import BodyMemberRow, BodyRow
from store.schema.user_tables import User

SUPPLIER = "supplier"


def save_body(
    session: Session,
    *,
    key: str,
    name: str,
    kind: str,
    code: str,
    matters: Mapping[str, Any],
    fields: Sequence[str] | None,
    by_rule: bool,
    contact: str,
    active: bool,
    who: str,
    now: dt.datetime,
) -> BodyRow:
    """Add a body, or change the one with this key. The caller checks that ``who`` may do so in ``code``.

    Args:
        session: a writing transaction.
        key: 2 to 40 of a-z, 0-9 and hyphen; names its folder and its hook.
        name: as people know it.
        kind: of :data:`enforcement.sharing.matters.BODY_KINDS`.
        code: administrative code; "": all areas.
        matters: as :meth:`enforcement.sharing.matters.Matters.from_json` reads them.
        fields: names of fields that it may see; None: the usual ones.
        by_rule: share every alert of its matters without a letter.
        contact: person or office, for display.
        active: False ends every view of the body.
        who: login.
        now: current time.

    Raises:
        SettingsError: a value is invalid.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,39}", key):
        raise SettingsError(
            f"The key {key!r} is invalid; expected 2 to 40 of a-z, 0-9 and hyphen.",
            "sharing.value",
            name="key",
            value=key,
        )
    if kind not in BODY_KINDS:
        raise SettingsError(
            f"The kind {kind!r} is unknown; expected one of {', '.join(BODY_KINDS)}.",
            "sharing.value",
            name="kind",
            value=kind,
        )
    if not name.strip() or (code and not (code.isascii() and code.isdigit() and len(code) <= 12)):
        raise SettingsError(
            f"A body needs a name and an administrative code; got {name!r} and {code!r}.",
            "sharing.value",
            name="code",
            value=code,
        )
    row = body_by_key(session, key)
    if row is None:
        row = BodyRow(key=key, created_by=who, created_at=now)
        session.add(row)
    row.name, row.kind, row.code, row.contact = name.strip()[:200], kind, code, contact.strip()[:300]
    row.matters = Matters.from_json(matters).to_json()
    row.fields = [] if kind == SUPPLIER else check_fields(DEFAULT_FIELDS if fields is None else fields)
    row.by_rule, row.active, row.changed_at = by_rule and kind != SUPPLIER, active, now
    session.flush()
    return row


def body_by_key(session: Session, key: str) -> BodyRow | None:
    """Return the body with this key, or None."""
    return session.scalar(select(BodyRow).where(BodyRow.key == key))


def visible_bodies(session: Session, viewer: Viewer) -> list[BodyRow]:
    """List the bodies of the viewer's area, by name."""
    return list(session.scalars(select(BodyRow).where(visible_to(BodyRow.code, viewer)).order_by(BodyRow.name)))


def active_bodies(session: Session, *, suppliers: bool = False) -> list[BodyRow]:
    """List the active bodies, by id; without suppliers unless they are wanted, then only those."""
    kind = BodyRow.kind == SUPPLIER if suppliers else BodyRow.kind != SUPPLIER
    return list(session.scalars(select(BodyRow).where(BodyRow.active, kind).order_by(BodyRow.id)))


def body_of(session: Session, viewer: Viewer) -> BodyRow | None:
    """Return the active body for which the viewer acts; None: they act for none, or it is no longer active."""
    if not viewer.shared_only:
        return None
    query = select(BodyRow).join(BodyMemberRow, BodyMemberRow.body_id == BodyRow.id)
    return session.scalar(query.where(BodyMemberRow.person_id == viewer.person_id, BodyRow.active))


def members_of(session: Session, body_ids: Sequence[int]) -> dict[int, list[User]]:
    """Return the users of each body, by its id."""
    rows = session.execute(
        select(BodyMemberRow.body_id, User)
        .join(User, User.id == BodyMemberRow.person_id)
        .where(BodyMemberRow.body_id.in_(body_ids))
        .order_by(User.login)
    )
    found: dict[int, list[User]] = {body_id: [] for body_id in body_ids}
    for body_id, user in rows:
        found[body_id].append(user)
    return found


def set_member(session: Session, body: BodyRow, login: str) -> User:
    """Let a user act for a body instead of any other one.

    Raises:
        SettingsError: there is no such user, or their role does not belong to a receiving body.
    """
    user = session.scalar(select(User).where(User.login == login.strip()))
    if user is None or not read_states().shared_only((user.role, *user.other_roles)):
        raise SettingsError(
            f"{login!r} is no user with the role of a receiving body; add them with that role first.",
            "sharing.member",
            login=login,
        )
    row = session.get(BodyMemberRow, user.id)
    if row is None:
        session.add(BodyMemberRow(person_id=user.id, body_id=body.id))
    else:
        row.body_id = body.id
    session.flush()
    return user
