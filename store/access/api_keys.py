"""API keys: a program acts for a user within scopes and until a date. Only the SHA-256 of a key is stored."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from errors import SettingsError
from store.access.users import hash_secret
from store.schema.user_tables import ApiToken, User

KEY_PREFIX = "tuban_"

SCOPES = ("read", "upload", "review", "steps", "administer")
"""What a key may do, always within the rights of its user: read; upload images; judge, assign, split and merge alerts;
move alerts to their next states; manage cameras and users' access."""

MAX_DAYS = 365
"""Longest validity of a new key."""


def allowed_scopes(administrator: bool) -> tuple[str, ...]:
    """Return the scopes that a user may give a key: nobody but administrators manages cameras and users."""
    return SCOPES if administrator else SCOPES[:-1]


def add_key(
    session: Session, user: User, name: str, now: dt.datetime, *, days: int | None, scopes: Iterable[str] = ("read",)
) -> str:
    """Create an API key that acts for a user, and return it; only its hash is stored.

    Args:
        session: a writing transaction.
        user: whose rights limit the key.
        name: purpose of the key.
        now: current time.
        days: validity, at most :data:`MAX_DAYS`; None: as long as the user, for programs on this server.
        scopes: of :data:`SCOPES`.

    Raises:
        SettingsError: a scope is unknown or beyond the user's rights, there is none, or the validity is too long.
    """
    wanted, allowed = set(scopes), allowed_scopes(user.administrator)
    if not wanted or not wanted <= set(allowed):
        raise SettingsError(
            f"The scopes of a key of {user.login} must be one or more of {', '.join(allowed)}; "
            f"got {', '.join(sorted(wanted)) or 'none'}.",
            "key.scopes",
        )
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise SettingsError(
            f"A key is valid for 1 to {MAX_DAYS} days; got {days}.", "key.days", given=days, most=MAX_DAYS
        )
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else now + dt.timedelta(days=days)
    session.add(
        ApiToken(
            person_id=user.id,
            name=name[:100],
            token_sha256=hash_secret(key),
            scopes=" ".join(scope for scope in SCOPES if scope in wanted),
            created_at=now,
            expires_at=expires,
        )
    )
    return key


def user_of_key(session: Session, key: str, now: dt.datetime) -> tuple[User, ApiToken] | None:
    """Return the user of an API key; None: the key is unknown, revoked or expired, or the user is inactive."""
    row = session.execute(
        select(User, ApiToken)
        .join(ApiToken, ApiToken.person_id == User.id)
        .where(ApiToken.token_sha256 == hash_secret(key), ApiToken.revoked_at.is_(None), User.active)
    ).first()
    if row is None or (row[1].expires_at is not None and now >= row[1].expires_at):
        return None
    return row[0], row[1]


def keys_of(session: Session, person_id: int) -> Sequence[ApiToken]:
    """List a user's API keys that were not revoked, newest first."""
    query = select(ApiToken).where(ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None))
    return session.scalars(query.order_by(ApiToken.id.desc())).all()


def revoke_key(session: Session, person_id: int, key_id: int, now: dt.datetime) -> bool:
    """Revoke an API key of a user. Return False if the user has no such key."""
    token = session.get(ApiToken, key_id)
    if token is None or token.person_id != person_id or token.revoked_at is not None:
        return False
    token.revoked_at = now
    return True


def revoke_keys(session: Session, person_id: int, now: dt.datetime) -> None:
    """Revoke all API keys of a user, who was deactivated or whose account was taken back by a new password link."""
    session.execute(
        update(ApiToken).where(ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None)).values(revoked_at=now)
    )
