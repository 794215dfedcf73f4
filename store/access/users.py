"""Users, their browser sessions, API keys and invitations. Only the SHA-256 of each secret is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from enforcement.states import read_states
from errors import SettingsError
from store.access.rights import Viewer
from store.schema.user_tables import ApiToken, FailedSignIn, Invitation, User, WebSession

CODE_DIGITS = {"village": 12, "township": 9, "county": 6}
"""Number of digits in the administrative code of each role; codes of cities and provinces are shorter."""

TOKEN_PREFIX = "tuban_"


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a secret. Secrets are long and random, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def viewer_of(user: User) -> Viewer:
    """Return the user's access rights."""
    return Viewer(user.login, user.name or user.login, user.role, user.code, user.administrator, user.id)


def check_user(login: str, role: str, code: str) -> None:
    """Check the fields of a new user.

    Raises:
        SettingsError: names the invalid value and what was expected.
    """
    if not (0 < len(login) <= 100) or login != login.strip() or not login.isprintable() or login == "system":
        raise SettingsError(
            f"The sign-in name {login!r} is invalid; expected 1 to 100 characters without leading or trailing spaces.",
            "person.login",
            login=login,
        )
    roles = [name for name in read_states().roles if name != "system"]
    if role not in roles:
        raise SettingsError(
            f"The role {role!r} is unknown; expected one of {', '.join(roles)}.", "person.role", given=role
        )
    if code and not (code.isascii() and code.isdigit() and len(code) in (2, 4, 6, 9, 12)):
        raise SettingsError(
            f"{code!r} is not an administrative code; expected 2, 4, 6, 9 or 12 digits, or none for all areas.",
            "person.code",
            given=code,
        )
    expected = CODE_DIGITS.get(role)
    if expected is not None and len(code) != expected:
        raise SettingsError(
            f"The role {role} needs a code of {expected} digits; got {code!r}.",
            "person.digits",
            role=read_states().roles[role].zh,
            digits=expected,
            given=code,
        )


def add_user(
    session: Session,
    *,
    login: str,
    name: str,
    role: str,
    code: str,
    now: dt.datetime,
    administrator: bool = False,
    password_hash: str = "",
    subject: str | None = None,
) -> User:
    """Add a user.

    Args:
        session: a writing transaction.
        login: sign-in name.
        name: display name.
        role: one of ``configs/states.yaml``.
        code: administrative code; grants access to everything whose code begins with it.
        now: current time.
        administrator: may manage users under their code.
        password_hash: argon2id; "": none yet.
        subject: OpenID Connect subject, ``issuer|subject``.

    Raises:
        SettingsError: a value is invalid, or the login is taken.
    """
    check_user(login, role, code)
    if session.scalar(select(User.id).where(func.lower(User.login) == login.lower())) is not None:
        raise SettingsError(f"The sign-in name {login!r} is taken.", "person.taken", login=login)
    user = User(
        login=login,
        name=name[:200],
        role=role,
        code=code,
        administrator=administrator,
        password_hash=password_hash,
        subject=subject,
        created_at=now,
    )
    session.add(user)
    session.flush()
    return user


def user_by_login(session: Session, login: str) -> User | None:
    """Return the user with this sign-in name, active or not."""
    return session.scalar(select(User).where(func.lower(User.login) == login.lower()))


def user_by_id(session: Session, person_id: int) -> User | None:
    """Return the user with this id, active or not."""
    return session.get(User, person_id)


def user_by_subject(session: Session, subject: str, login: str) -> User | None:
    """Return the user of an OpenID Connect subject; at the first sign-in, the user with this login.

    Args:
        session: a writing transaction. The first sign-in stores the subject; later ones ignore the login, which the
            identity provider may have reassigned to someone else.
        subject: ``issuer|subject``.
        login: as the identity provider reports it; "": not reported.
    """
    found = session.scalar(select(User).where(User.subject == subject))
    if found is not None or not login:
        return found
    user = user_by_login(session, login)
    if user is None or user.subject is not None:
        return None
    user.subject = subject
    return user


def users_under(session: Session, viewer: Viewer) -> Sequence[User]:
    """List the users whose code begins with the viewer's, by code and login."""
    query = select(User).where(User.code.startswith(viewer.code, autoescape=True))
    return session.scalars(query.order_by(User.code, User.login)).all()


def has_administrator(session: Session) -> bool:
    """Return whether there is an active administrator of all areas."""
    query = select(User.id).where(User.administrator, User.active, User.code == "")
    return session.scalar(query.limit(1)) is not None


def begin_session(session: Session, user: User, now: dt.datetime, hours: float) -> str:
    """Start a browser session and return the secret for its cookie."""
    secret = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_sha256=hash_secret(secret),
            person_id=user.id,
            created_at=now,
            seen_at=now,
            expires_at=now + dt.timedelta(hours=hours),
        )
    )
    user.signed_in_at = now
    session.execute(delete(WebSession).where(WebSession.expires_at < now))
    return secret


def user_of_session(session: Session, secret: str, now: dt.datetime, idle_minutes: float) -> tuple[User, bool] | None:
    """Return the session's user and whether ``seen_at`` is stale; None: signed out, expired or idle for too long."""
    row = session.execute(
        select(WebSession.seen_at, WebSession.expires_at, User)
        .join(User, User.id == WebSession.person_id)
        .where(WebSession.token_sha256 == hash_secret(secret), User.active)
    ).first()
    if row is None:
        return None
    seen, expires, user = row
    if now >= expires or now - seen > dt.timedelta(minutes=idle_minutes):
        return None
    return user, now - seen > dt.timedelta(minutes=1)


def touch_session(session: Session, secret: str, now: dt.datetime) -> None:
    """Set the time at which a browser session was last seen."""
    session.execute(update(WebSession).where(WebSession.token_sha256 == hash_secret(secret)).values(seen_at=now))


def end_session(session: Session, secret: str) -> None:
    """End a browser session."""
    session.execute(delete(WebSession).where(WebSession.token_sha256 == hash_secret(secret)))


def end_sessions(session: Session, person_id: int) -> None:
    """End all browser sessions of a user."""
    session.execute(delete(WebSession).where(WebSession.person_id == person_id))


def add_token(session: Session, person_id: int, name: str, now: dt.datetime, days: int | None) -> str:
    """Create an API key that acts for a user, and return it; only its hash is stored."""
    key = TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else now + dt.timedelta(days=days)
    session.add(
        ApiToken(
            person_id=person_id, name=name[:100], token_sha256=hash_secret(key), created_at=now, expires_at=expires
        )
    )
    return key


def user_of_token(session: Session, key: str, now: dt.datetime) -> tuple[User, ApiToken] | None:
    """Return the user of an API key; None: the key is unknown, revoked or expired, or the user is inactive."""
    row = session.execute(
        select(User, ApiToken)
        .join(ApiToken, ApiToken.person_id == User.id)
        .where(ApiToken.token_sha256 == hash_secret(key), ApiToken.revoked_at.is_(None), User.active)
    ).first()
    if row is None or (row[1].expires_at is not None and now >= row[1].expires_at):
        return None
    return row[0], row[1]


def tokens_of(session: Session, person_id: int) -> Sequence[ApiToken]:
    """List a user's API keys that were not revoked, newest first."""
    query = select(ApiToken).where(ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None))
    return session.scalars(query.order_by(ApiToken.id.desc())).all()


def revoke_token(session: Session, person_id: int, token_id: int, now: dt.datetime) -> bool:
    """Revoke an API key of a user. Return False if the user has no such key."""
    token = session.get(ApiToken, token_id)
    if token is None or token.person_id != person_id or token.revoked_at is not None:
        return False
    token.revoked_at = now
    return True


def invite(session: Session, person_id: int | None, now: dt.datetime, hours: float = 72) -> str:
    """Create the secret of a one-time link for setting a password; earlier links of the same user are revoked.

    Args:
        session: a writing transaction.
        person_id: the user; None: the first administrator, who is created when the link is used.
        now: current time.
        hours: validity.
    """
    session.execute(
        delete(Invitation).where(Invitation.person_id == person_id if person_id else Invitation.person_id.is_(None))
    )
    secret = secrets.token_urlsafe(24)
    session.add(
        Invitation(
            token_sha256=hash_secret(secret),
            person_id=person_id,
            created_at=now,
            expires_at=now + dt.timedelta(hours=hours),
        )
    )
    return secret


def find_invitation(session: Session, secret: str, now: dt.datetime, *, consume: bool = False) -> Invitation | None:
    """Return the valid invitation of a link, or None; ``consume`` locks it and marks it as used."""
    query = select(Invitation).where(Invitation.token_sha256 == hash_secret(secret))
    found = session.scalar(query.with_for_update() if consume else query)
    if found is None or found.used_at is not None or now >= found.expires_at:
        return None
    if consume:
        found.used_at = now
    return found


def record_failed_sign_in(session: Session, subjects: Sequence[str], now: dt.datetime) -> None:
    """Record a wrong password, for the login and for the address. Entries older than a day are deleted."""
    session.add_all(FailedSignIn(subject=subject[:110], at=now) for subject in subjects)
    session.execute(delete(FailedSignIn).where(FailedSignIn.at < now - dt.timedelta(days=1)))


def clear_failed_sign_ins(session: Session, subject: str) -> None:
    """Delete the failed sign-ins of a login or an address, after a successful one."""
    session.execute(delete(FailedSignIn).where(FailedSignIn.subject == subject[:110]))


def sign_in_delay(session: Session, subject: str, now: dt.datetime, free: int) -> int:
    """Return the seconds until the next attempt: 0 below ``free`` failures, then 30 s, doubling up to an hour."""
    failures, last = session.execute(
        select(func.count(), func.max(FailedSignIn.at)).where(
            FailedSignIn.subject == subject[:110], FailedSignIn.at > now - dt.timedelta(hours=2)
        )
    ).one()
    if failures < free:
        return 0
    pause = min(3600, 30 * 2 ** min(failures - free, 10))
    return max(0, int(pause - (now - last).total_seconds()) + 1) if (now - last).total_seconds() < pause else 0
