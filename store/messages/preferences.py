"""How each person is notified."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from enforcement.chain_settings import ChainValues
from enforcement.messages.message_kinds import read_message_kinds
from errors import SettingsError
from store.schema.chain.message_tables import MessagePreferenceRow

CHANNELS = ("mail", "dingtalk", "wecom", "hook")

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
"""One address in ASCII; a list of addresses would notify people who did not ask for it."""

_MOBILE = re.compile(r"\+?[0-9]{6,15}")


@dataclass(frozen=True)
class Preferences:
    """Preferences of one person.

    Attributes:
        email: address; "": none.
        mobile: number by which robots mention the person; "": none.
        channels: of :data:`CHANNELS`; where a channel is not configured it has no effect.
        muted: kinds of messages that stay in the inbox; urgent kinds are sent nevertheless.
        once_a_day: whether all but urgent messages wait for the digest.
        quiet_from, quiet_to: local times; "": those of the bureau.
    """

    email: str = ""
    mobile: str = ""
    channels: tuple[str, ...] = CHANNELS
    muted: tuple[str, ...] = ()
    once_a_day: bool = False
    quiet_from: str = ""
    quiet_to: str = ""

    def quiet_hours(self, values: ChainValues) -> tuple[str, str]:
        """Return begin and end of the quiet hours: the person's own, or those of the bureau."""
        if self.quiet_from and self.quiet_to:
            return self.quiet_from, self.quiet_to
        return values.text("messages.quiet_from"), values.text("messages.quiet_to")


def preferences_of(session: Session, person_id: int) -> Preferences:
    """Return a person's preferences."""
    row = session.get(MessagePreferenceRow, person_id)
    if row is None:
        return Preferences()
    return Preferences(
        row.email,
        row.mobile,
        tuple(row.channels),
        tuple(row.muted),
        row.once_a_day,
        row.quiet_from,
        row.quiet_to,
    )


def check_preferences(given: Preferences) -> Preferences:
    """Return valid preferences, without unknown channels and kinds that cannot be muted.

    Raises:
        SettingsError: an address, a number or a time is invalid.
    """
    email, mobile = given.email.strip(), given.mobile.strip().replace(" ", "")
    if email and (len(email) > 200 or not _EMAIL.fullmatch(email)):
        raise SettingsError(
            f"{email[:60]!r} is not an e-mail address; expected one like zhang@bureau.example.",
            "message.email",
            given=email[:60],
        )
    if mobile and not _MOBILE.fullmatch(mobile):
        raise SettingsError(
            f"{mobile[:30]!r} is not a mobile number; expected 6 to 15 digits.", "message.mobile", given=mobile[:30]
        )
    for time in (given.quiet_from, given.quiet_to):
        if time and not _TIME.fullmatch(time):
            raise SettingsError(f"{time[:20]!r} is not a time like 22:00.", "message.time", given=time[:20])
    if bool(given.quiet_from) != bool(given.quiet_to):
        raise SettingsError(
            "Quiet hours need a beginning and an end; fill in both, or neither for those of the bureau.",
            "message.quiet",
        )
    channels, muted = _known(given.channels, CHANNELS), _known(given.muted, read_message_kinds().mutable)
    return Preferences(email, mobile, channels, muted, given.once_a_day, given.quiet_from, given.quiet_to)


def save_preferences(session: Session, person_id: int, given: Preferences, now: dt.datetime) -> None:
    """Store a person's preferences.

    Raises:
        SettingsError: as :func:`check_preferences`.
    """
    valid = check_preferences(given)
    row = session.get(MessagePreferenceRow, person_id)
    if row is None:
        row = MessagePreferenceRow(person_id=person_id)
        session.add(row)
    row.email, row.mobile, row.once_a_day = valid.email, valid.mobile, valid.once_a_day
    row.channels, row.muted = list(valid.channels), list(valid.muted)
    row.quiet_from, row.quiet_to, row.changed_at = valid.quiet_from, valid.quiet_to, now
    session.flush()


def _known(given: Collection[str], allowed: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in allowed if name in given)
