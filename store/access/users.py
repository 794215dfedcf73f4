"""People who sign in, their sessions, keys and invitations. Of every secret only its SHA-256 is kept."""

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
"""Digits of the code of each role; a city's and a province's are shorter."""

TOKEN_PREFIX = "tuban_"


def checksum(secret: str) -> str:
    """What is kept of a secret: it is random and long, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def viewer_of(person: User) -> Viewer:
    """The person, as rights are asked for."""
    return Viewer(person.login, person.name or person.login, person.role, person.code, person.administrator, person.id)


def check_user(login: str, role: str, code: str) -> None:
    """Refuse what cannot be a person.

    Raises:
        SettingsError: says which value, and what was expected.
    """
    if not (0 < len(login) <= 100) or login != login.strip() or not login.isprintable() or login == "system":
        raise SettingsError(
            f"The sign-in name {login!r} cannot be used; expected 1 to 100 letters without spaces around.",
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
            f"{code!r} is no administrative code; expected 2, 4, 6, 9 or 12 digits, or none for all.",
            "person.code",
            given=code,
        )
    expected = CODE_DIGITS.get(role)
    if expected is not None and len(code) != expected:
        raise SettingsError(
            f"A person of the role {role} needs a code of {expected} digits; {code!r} was given.",
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
    """Add a person.

    Args:
        session: of a transaction that writes.
        login: by which they sign in.
        name: for people.
        role: of ``configs/states.yaml``.
        code: rights on whatever lies under it.
        now: this moment.
        administrator: may manage people under their code.
        password_hash: argon2id; "": none yet.
        subject: of OpenID Connect, ``issuer|subject``.

    Raises:
        SettingsError: a value cannot be used, or the login is taken.
    """
    check_user(login, role, code)
    if session.scalar(select(User.id).where(func.lower(User.login) == login.lower())) is not None:
        raise SettingsError(f"The sign-in name {login!r} is taken.", "person.taken", login=login)
    person = User(
        login=login,
        name=name[:200],
        role=role,
        code=code,
        administrator=administrator,
        password_hash=password_hash,
        subject=subject,
        created_at=now,
    )
    session.add(person)
    session.flush()
    return person


def user_by_login(session: Session, login: str) -> User | None:
    """The person of that sign-in name, active or not."""
    return session.scalar(select(User).where(func.lower(User.login) == login.lower()))


def user_by_id(session: Session, person_id: int) -> User | None:
    """The person of that row, active or not."""
    return session.get(User, person_id)


def user_by_subject(session: Session, subject: str, login: str) -> User | None:
    """Whom another server vouches for: the person of that subject; at their first time the one of that login.

    Args:
        session: of a transaction that writes: the subject is kept from the first time on, and the login not asked for
            again: logins may be given to other people there.
        subject: ``issuer|subject``.
        login: as that server tells it; "": it tells none.
    """
    found = session.scalar(select(User).where(User.subject == subject))
    if found is not None or not login:
        return found
    person = user_by_login(session, login)
    if person is None or person.subject is not None:
        return None
    person.subject = subject
    return person


def users_under(session: Session, viewer: Viewer) -> Sequence[User]:
    """Everybody whose code lies under the viewer's, by code and login."""
    wanted = select(User).where(User.code.startswith(viewer.code, autoescape=True))
    return session.scalars(wanted.order_by(User.code, User.login)).all()


def has_administrator(session: Session) -> bool:
    """Whether somebody active manages everything."""
    wanted = select(User.id).where(User.administrator, User.active, User.code == "")
    return session.scalar(wanted.limit(1)) is not None


def begin_session(session: Session, person: User, now: dt.datetime, hours: float) -> str:
    """Sign a browser in; returns the secret that its cookie is to hold."""
    secret = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_sha256=checksum(secret),
            person_id=person.id,
            created_at=now,
            seen_at=now,
            expires_at=now + dt.timedelta(hours=hours),
        )
    )
    person.signed_in_at = now
    session.execute(delete(WebSession).where(WebSession.expires_at < now))
    return secret


def user_of_session(session: Session, secret: str, now: dt.datetime, idle_minutes: float) -> tuple[User, bool] | None:
    """Whose browser that is, and whether it is time to note that it was seen; None: signed out, or too long silent."""
    row = session.execute(
        select(WebSession.seen_at, WebSession.expires_at, User)
        .join(User, User.id == WebSession.person_id)
        .where(WebSession.token_sha256 == checksum(secret), User.active)
    ).first()
    if row is None:
        return None
    seen, expires, person = row
    if now >= expires or now - seen > dt.timedelta(minutes=idle_minutes):
        return None
    return person, now - seen > dt.timedelta(minutes=1)


def touch_session(session: Session, secret: str, now: dt.datetime) -> None:
    """Note that a browser is in use."""
    session.execute(update(WebSession).where(WebSession.token_sha256 == checksum(secret)).values(seen_at=now))


def end_session(session: Session, secret: str) -> None:
    """Sign a browser out."""
    session.execute(delete(WebSession).where(WebSession.token_sha256 == checksum(secret)))


def end_sessions(session: Session, person_id: int) -> None:
    """Sign a person out everywhere."""
    session.execute(delete(WebSession).where(WebSession.person_id == person_id))


def add_token(session: Session, person_id: int, name: str, now: dt.datetime, days: int | None) -> str:
    """Make a key by which a program acts for a person; returns the key, which is shown once."""
    key = TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else now + dt.timedelta(days=days)
    session.add(
        ApiToken(person_id=person_id, name=name[:100], token_sha256=checksum(key), created_at=now, expires_at=expires)
    )
    return key


def user_of_token(session: Session, key: str, now: dt.datetime) -> tuple[User, ApiToken] | None:
    """For whom a key acts; None: it is unknown, revoked or expired, or the person may no longer sign in."""
    row = session.execute(
        select(User, ApiToken)
        .join(ApiToken, ApiToken.person_id == User.id)
        .where(ApiToken.token_sha256 == checksum(key), ApiToken.revoked_at.is_(None), User.active)
    ).first()
    if row is None or (row[1].expires_at is not None and now >= row[1].expires_at):
        return None
    return row[0], row[1]


def tokens_of(session: Session, person_id: int) -> Sequence[ApiToken]:
    """A person's keys that were not revoked, the newest first."""
    wanted = select(ApiToken).where(ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None))
    return session.scalars(wanted.order_by(ApiToken.id.desc())).all()


def revoke_token(session: Session, person_id: int, token_id: int, now: dt.datetime) -> bool:
    """Make a key of that person useless. False: they have no such key."""
    token = session.get(ApiToken, token_id)
    if token is None or token.person_id != person_id or token.revoked_at is not None:
        return False
    token.revoked_at = now
    return True


def invite(session: Session, person_id: int | None, now: dt.datetime, hours: float = 72) -> str:
    """Make a link's secret by which a password is set once; of earlier ones for the same, none works any more.

    Args:
        session: of a transaction that writes.
        person_id: whose password; None: the first administrator's, who is made with it.
        now: this moment.
        hours: how long it works.
    """
    session.execute(
        delete(Invitation).where(Invitation.person_id == person_id if person_id else Invitation.person_id.is_(None))
    )
    secret = secrets.token_urlsafe(24)
    session.add(
        Invitation(
            token_sha256=checksum(secret),
            person_id=person_id,
            created_at=now,
            expires_at=now + dt.timedelta(hours=hours),
        )
    )
    return secret


def invitation(session: Session, secret: str, now: dt.datetime, *, take: bool = False) -> Invitation | None:
    """The invitation of a link, if it works; with ``take`` it is used up, and two who take it at once cannot both."""
    wanted = select(Invitation).where(Invitation.token_sha256 == checksum(secret))
    found = session.scalar(wanted.with_for_update() if take else wanted)
    if found is None or found.used_at is not None or now >= found.expires_at:
        return None
    if take:
        found.used_at = now
    return found


def record_failed_sign_in(session: Session, subjects: Sequence[str], now: dt.datetime) -> None:
    """Note a wrong password, for the login and the address."""
    session.add_all(FailedSignIn(subject=subject[:110], at=now) for subject in subjects)
    session.execute(delete(FailedSignIn).where(FailedSignIn.at < now - dt.timedelta(days=1)))


def clear_failed_sign_ins(session: Session, subject: str) -> None:
    """A right password was given."""
    session.execute(delete(FailedSignIn).where(FailedSignIn.subject == subject[:110]))


def wait_seconds(session: Session, subject: str, now: dt.datetime, free: int) -> int:
    """How long one has to wait after wrong passwords: nothing after ``free`` of them, then 30 s doubling to an hour."""
    failures, last = session.execute(
        select(func.count(), func.max(FailedSignIn.at)).where(
            FailedSignIn.subject == subject[:110], FailedSignIn.at > now - dt.timedelta(hours=2)
        )
    ).one()
    if failures < free:
        return 0
    pause = min(3600, 30 * 2 ** min(failures - free, 10))
    return max(0, int(pause - (now - last).total_seconds()) + 1) if (now - last).total_seconds() < pause else 0
