"""Users, their browser sessions and invitations. Only the SHA-256 of each secret is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from enforcement.states import read_states
from errors import SettingsError, TubanError
from store.access.rights import Viewer, may_see
from store.schema.user_tables import Invitation, User, WebSession

CODE_DIGITS = {"village": (12,), "township": (9,), "county": (6,), "city": (0, 2, 4)}
"""Numbers of digits that the administrative code of each role may have."""


class GrantError(TubanError):
    """An administrator tried to grant, or to manage a user with, more rights than their own."""


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a secret. Secrets are long and random, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def viewer_of(user: User) -> Viewer:
    """Return the user's access rights. The roles and the code decide together: see :func:`effective_role`."""
    role, *others = dict.fromkeys(effective_role(role, user.code) for role in (user.role, *user.other_roles))
    return Viewer(user.login, user.name or user.login, role, user.code, user.administrator, user.id, tuple(others))


def order_roles(roles: Collection[str]) -> list[str]:
    """Return roles without duplicates, the highest first: the one whose level the code has to fit.

    Raises:
        SettingsError: there is none, or one is unknown.
    """
    known = [name for name in read_states().roles if name != "system"]
    for role in roles or [""]:
        if role not in known:
            raise SettingsError(
                f"The role {role!r} is unknown; expected one of {', '.join(known)}.", "person.role", given=role
            )
    return sorted(set(roles), key=known.index, reverse=True)


def effective_role(role: str, code: str) -> str:
    """Return the role in which a user with this code acts: a city's role in a township is that of a township.

    New users always have a code that fits their role (:func:`check_user`); earlier versions accepted others.
    """
    if role not in CODE_DIGITS or len(code) <= max(CODE_DIGITS[role]):
        return role
    return next((lower for lower, digits in CODE_DIGITS.items() if len(code) in digits), "village")


def check_grant(granter: Viewer, role: str, code: str, other_roles: Collection[str] = ()) -> None:
    """Check that a user may grant roles in an area, and manage a user who has them.

    Raises:
        GrantError: the granter is no administrator, the area is beyond theirs, or a role is above theirs.
    """
    roles = list(read_states().roles)  # from the lowest level up
    own = max(roles.index(name) for name in granter.roles)
    above = any(name not in roles or name == "system" or roles.index(name) > own for name in (role, *other_roles))
    if not granter.administrator or not may_see(granter, code) or above:
        raise GrantError(
            f"{granter.login} ({', '.join(granter.roles)}, {granter.code or 'all areas'}) cannot grant or manage the "
            f"role {', '.join((role, *other_roles))} "
            f"in {code or 'all areas'}: nobody grants more rights than they have. Ask a higher administrator.",
            "person.grant",
        )


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
    order_roles([role])
    if code and not (code.isascii() and code.isdigit() and len(code) in (2, 4, 6, 9, 12)):
        raise SettingsError(
            f"{code!r} is not an administrative code; expected 2, 4, 6, 9 or 12 digits, or none for all areas.",
            "person.code",
            given=code,
        )
    expected = CODE_DIGITS.get(role)
    if expected is not None and len(code) not in expected:
        digits = " / ".join(map(str, expected))
        raise SettingsError(
            f"The role {role} needs a code of {digits} digits; got {code!r}.",
            "person.digits",
            role=read_states().roles[role].zh,
            digits=digits,
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
    other_roles: Collection[str] = (),
    administrator: bool = False,
    password_hash: str = "",
    subject: str | None = None,
) -> User:
    """Add a user.

    Args:
        session: a writing transaction.
        login: sign-in name.
        name: display name.
        role: one of ``configs/states.yaml``; the highest, whose level the code has to fit.
        code: administrative code; grants access to everything whose code begins with it.
        now: current time.
        other_roles: further roles in the same area; a higher one takes the place of ``role``.
        administrator: may manage users under their code.
        password_hash: argon2id; "": none yet.
        subject: OpenID Connect subject, ``issuer|subject``.

    Raises:
        SettingsError: a value is invalid, or the login is taken.
    """
    role, *others = order_roles([role, *other_roles])
    check_user(login, role, code)
    check_administrator([role, *others], administrator)
    if session.scalar(select(User.id).where(func.lower(User.login) == login.lower())) is not None:
        raise SettingsError(f"The sign-in name {login!r} is taken.", "person.taken", login=login)
    user = User(
        login=login,
        name=name[:200],
        role=role,
        other_roles=others,
        code=code,
        administrator=administrator,
        password_hash=password_hash,
        subject=subject,
        created_at=now,
    )
    session.add(user)
    session.flush()
    return user


def set_roles(session: Session, user: User, roles: Collection[str], code: str, *, administrator: bool) -> None:
    """Change the roles and the area of a user, from their next request on.

    Raises:
        SettingsError: a role is unknown, or the code does not fit the highest one.
    """
    role, *others = order_roles(roles)
    check_user(user.login, role, code)
    check_administrator([role, *others], administrator)
    user.role, user.other_roles, user.code, user.administrator = role, others, code, administrator
    session.flush()


def check_administrator(roles: Collection[str], administrator: bool) -> None:
    """Check that a user who only views is no administrator.

    Raises:
        SettingsError: they would be.
    """
    if administrator and read_states().views_only(roles):
        raise SettingsError(
            f"A user with only the role {', '.join(roles)} changes nothing and cannot be an administrator; "
            "add another role, or leave the administrator's rights out.",
            "person.views_only",
        )


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


def has_active_user(session: Session) -> bool:
    """Return whether anybody can sign in."""
    return session.scalar(select(User.id).where(User.active).limit(1)) is not None


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


def end_sessions(session: Session, person_id: int, except_secret: str = "") -> None:
    """End all browser sessions of a user, except the one with ``except_secret``."""
    others = WebSession.token_sha256 != hash_secret(except_secret)
    session.execute(delete(WebSession).where(WebSession.person_id == person_id, others))


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
