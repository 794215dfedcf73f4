"""Delays after failed sign-ins, by name and origin, so that wrong passwords of one person never shut out another.

The origin of an attempt is its network address, or the device if the same user has signed in from it before. After
:data:`FREE_ATTEMPTS` failures of a name from one origin, further attempts are verified only at intervals that grow to
:data:`MAX_PAUSE_SECONDS`: the right password is accepted at the latest after that time. Failures of one name from many
addresses delay that name in the same way after :data:`FREE_ATTEMPTS_OF_A_NAME`, except on known devices.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from store.access.users import hash_secret
from store.schema.counters import lock_counter
from store.schema.user_tables import FailedSignIn, KnownDevice, User

FREE_ATTEMPTS, FREE_ATTEMPTS_OF_A_NAME = 5, 50
"""Failures within :data:`WINDOW` without a delay: of one name from one origin, and of one name from all addresses."""

MAX_PAUSE_SECONDS = 60
"""Longest time between two verified attempts."""

WINDOW = dt.timedelta(hours=1)
DEVICE_DAYS = 400
MAX_DEVICES = 20
"""Known devices of one user; the least recently used ones are forgotten."""


@dataclass(frozen=True)
class Attempt:
    """An attempt to sign in. It counts as failed until :func:`confirm_attempt`.

    Attributes:
        wait_seconds: time until the next attempt is verified; 0: verify this one.
        attempt_id: of the recorded attempt; None if it must wait.
    """

    wait_seconds: int
    attempt_id: int | None


def origin_of(address: str, device_secret: str = "", *, session: Session, login: str) -> str:
    """Return the origin of an attempt: ``device:…`` if the user has signed in from it before, else ``address:…``.

    Hosts get a whole /64 network of IPv6, so its addresses count as one.
    """
    if device_secret:
        known = session.scalar(
            select(KnownDevice.token_sha256)
            .join(User, User.id == KnownDevice.person_id)
            .where(KnownDevice.token_sha256 == hash_secret(device_secret), func.lower(User.login) == login.lower())
        )
        if known is not None:
            return f"device:{known}"
    return f"address:{network_of(address)}"


def is_address(origin: str) -> bool:
    """Return whether an origin is a network address, which strangers share, and not a known device or an account."""
    return origin.startswith("address:")


def network_of(address: str) -> str:
    """Return an IPv4 address unchanged, the /64 network of an IPv6 address, and any other text cut to 64 letters."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or ip_network((int(parsed), 64), strict=False).network_address)
    return str(parsed)


def seconds_to_wait(session: Session, login: str, origin: str, now: dt.datetime) -> int:
    """Return the time until the next attempt of a name from an origin is verified; 0: now. It records nothing."""
    name, place = login.lower()[:100], origin[:100]
    of_name = FailedSignIn.login == name
    wait = _wait_seconds(session, now, FREE_ATTEMPTS, of_name, FailedSignIn.origin == place)
    if is_address(place):
        from_addresses = FailedSignIn.origin.startswith("address:")
        wait = max(wait, _wait_seconds(session, now, FREE_ATTEMPTS_OF_A_NAME, of_name, from_addresses))
    return wait


def begin_attempt(session: Session, login: str, origin: str, now: dt.datetime) -> Attempt:
    """Record an attempt before its password is verified, or return how long to wait.

    Attempts that arrive at the same time are counted one after the other, so a burst does not exceed the limit. Ask
    :func:`seconds_to_wait` first: most attempts of a burst must wait, and need no write transaction to learn it.

    Args:
        session: a writing transaction, which must end before the password is verified.
        login: name that was entered, of a user or not.
        origin: from :func:`origin_of`.
        now: current time.
    """
    lock_counter(session, "sign-in")
    session.execute(delete(FailedSignIn).where(FailedSignIn.at < now - dt.timedelta(days=1)))
    wait = seconds_to_wait(session, login, origin, now)
    if wait > 0:
        return Attempt(wait, None)
    row = FailedSignIn(login=login.lower()[:100], origin=origin[:100], at=now)
    session.add(row)
    session.flush()
    return Attempt(0, row.id)


def confirm_attempt(session: Session, attempt: Attempt) -> None:
    """Forget the failures of an attempt's name and origin, because its password was right."""
    row = session.get(FailedSignIn, attempt.attempt_id) if attempt.attempt_id is not None else None
    if row is not None:
        session.execute(delete(FailedSignIn).where(FailedSignIn.login == row.login, FailedSignIn.origin == row.origin))


def unlock(session: Session, login: str) -> int:
    """Forget all failures of a name, and return their number."""
    of_name = FailedSignIn.login == login.lower()[:100]
    count = session.scalar(select(func.count()).select_from(FailedSignIn).where(of_name)) or 0
    session.execute(delete(FailedSignIn).where(of_name))
    return count


def delayed_logins(session: Session, now: dt.datetime) -> Sequence[str]:
    """List the names, in lower case, whose attempts are delayed from at least one origin."""
    query = (
        select(FailedSignIn.login)
        .where(FailedSignIn.at > now - WINDOW)
        .group_by(FailedSignIn.login, FailedSignIn.origin)
        .having(func.count() >= FREE_ATTEMPTS)
    )
    return sorted(set(session.scalars(query)))


def remember_device(session: Session, user: User, now: dt.datetime, secret: str = "") -> str:
    """Record that a user has signed in from a device, and return the secret for its cookie.

    Args:
        session: a writing transaction.
        user: who signed in.
        now: current time.
        secret: from the device's cookie; kept if it is a known device of this user.
    """
    known = session.get(KnownDevice, hash_secret(secret)) if secret else None
    if known is not None and known.person_id == user.id:
        known.seen_at = now
        return secret
    fresh = secrets.token_urlsafe(32)
    session.add(KnownDevice(token_sha256=hash_secret(fresh), person_id=user.id, seen_at=now))
    session.flush()
    of_user = KnownDevice.person_id == user.id
    newest = (
        select(KnownDevice.token_sha256)
        .where(of_user, KnownDevice.seen_at > now - dt.timedelta(days=DEVICE_DAYS))
        .order_by(KnownDevice.seen_at.desc())
        .limit(MAX_DEVICES)
    )
    kept = session.scalars(newest).all()
    session.execute(delete(KnownDevice).where(of_user, KnownDevice.token_sha256.not_in(kept)))
    return fresh


def forget_devices(session: Session, person_id: int) -> None:
    """Forget all known devices of a user."""
    session.execute(delete(KnownDevice).where(KnownDevice.person_id == person_id))


def _wait_seconds(session: Session, now: dt.datetime, free: int, *conditions: ColumnElement[bool]) -> int:
    query = select(func.count(), func.max(FailedSignIn.at)).where(FailedSignIn.at > now - WINDOW, *conditions)
    failures, last = session.execute(query).one()
    if failures < free:
        return 0
    pause = min(2 ** min(failures - free, 10), MAX_PAUSE_SECONDS)
    waited = (now - last).total_seconds()
    return 0 if waited >= pause else max(1, int(pause - waited + 0.999))
