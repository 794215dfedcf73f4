"""Reports by the public form: their rate limits, the code with which an informant asks, and the default area."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from enforcement.chain_settings import ChainValues
from errors import TubanError
from store.schema.chain.tip_tables import PublicAttempt, TipRow
from store.schema.counters import lock_counter
from store.schema.tables import Area

ASKS_PER_HOUR = 30
"""Questions for the state of a report per address and hour: a code has 40 bits."""


class TooManyReports(TubanError):  # noqa: N818  (an expected condition that callers handle)
    """The limit of public reports is reached; ``seconds`` until the next one is possible."""

    seconds = 3600


def count_attempt(
    session: Session, kind: str, address: str, secret: bytes, values: ChainValues, now: dt.datetime
) -> None:
    """Count a report or a question against the limits, per address and in total.

    Addresses are stored only as a keyed hash, and forgotten after a day.

    Args:
        session: a write transaction.
        kind: report or ask.
        address: IP address of the sender.
        secret: key of the hash.
        values: limits.
        now: current time.

    Raises:
        TooManyReports: a limit is reached.
    """
    lock_counter(session, "public form")  # two concurrent senders are counted one after the other
    session.execute(delete(PublicAttempt).where(PublicAttempt.at < now - dt.timedelta(days=1)))
    hashed = hmac.new(secret, _network(address).encode(), hashlib.sha256).hexdigest()
    of_kind = select(func.count()).select_from(PublicAttempt).where(PublicAttempt.kind == kind)
    mine = of_kind.where(PublicAttempt.address_hash == hashed, PublicAttempt.at > now - dt.timedelta(hours=1))
    most = values.whole("public.per_address") if kind == "report" else ASKS_PER_HOUR
    if (session.scalar(mine) or 0) >= most:
        raise TooManyReports(f"At most {most} per hour are possible; try again in an hour.", "report.hour", most=most)
    if kind == "report" and (session.scalar(of_kind) or 0) >= values.whole("public.per_day"):
        raise TooManyReports(
            "The form has received too many reports today. Call the hotline 12336, or try again tomorrow.", "report.day"
        )
    session.add(PublicAttempt(kind=kind, address_hash=hashed, at=now))
    session.flush()


def hash_code(code: str) -> str:
    """Return the stored checksum of an informant's code."""
    return hashlib.sha256(code.strip().upper().replace("-", "").encode()).hexdigest()


def report_by_code(session: Session, code: str) -> TipRow | None:
    """Return the public report with a code, as when the same form is sent twice."""
    return session.scalar(select(TipRow).where(TipRow.code_sha256 == hash_code(code)))


def asked_report(session: Session, number: str, code: str) -> TipRow | None:
    """Return the report with this receipt number and code; None: there is none."""
    found = session.scalar(select(TipRow).where(TipRow.number == number.strip().upper()[:40]))
    stored = found.code_sha256 if found is not None and found.code_sha256 else "0" * 64
    same = hmac.compare_digest(stored, hash_code(code))
    return found if found is not None and same else None


def public_area(session: Session, values: ChainValues) -> str:
    """Return the area of reports without a known place: the setting, else what all loaded areas have in common."""
    configured = values.text("public.area")
    return configured or common_code(list(session.scalars(select(Area.code).where(Area.level == "county"))))


def common_code(codes: Sequence[str]) -> str:
    """Return the area that contains all codes: 6, 4 or 2 digits; "": none."""
    starts = ({code[:digits] for code in codes} for digits in (6, 4, 2))
    return next((start.pop() for start in starts if len(start) == 1), "")


def _network(address: str) -> str:
    """Return an IPv4 address, or the first half of an IPv6 address, which one household has to itself."""
    return ":".join(address.split(":")[:4]) if ":" in address else address
