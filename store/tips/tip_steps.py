"""Register tips and take their steps: accept or decline, check, answer, extend, hand to a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.chain_settings import ChainValues
from enforcement.tips.masking import mask_contacts
from enforcement.tips.tip_settings import read_tip_settings
from enforcement.tips.tip_states import STEPS, TARGETS, ReplyClock, at_least, reply_dates
from errors import Reason, SettingsError, TubanError
from store.access.rights import Viewer, may_see
from store.access.users import user_by_login, viewer_of
from store.chain_settings import read_chain_values
from store.deadlines.calendar import calendar_of
from store.messages.writing import write_message
from store.schema.chain.tip_tables import TipRow, TipStep
from store.schema.counters import next_number
from store.tips.informant_key import Informant, InformantKey

MAX_SUMMARY, MAX_WORDS = 5000, 2000


class TipNotAllowed(TubanError):  # noqa: N818  (an expected condition that callers handle)
    """A step that the state of the tip, or the role of the user, does not allow."""


@dataclass(frozen=True)
class NewTip:
    """Fields of the register (违规违法线索登记表); names as in :class:`store.schema.chain.tip_tables.TipRow`."""

    channel: str
    summary: str
    area_code: str
    place: str = ""
    lon: float | None = None
    lat: float | None = None
    radius_m: float = 0.0
    happened: str = ""
    reported_party: str = ""
    seriousness: str = "ordinary"
    handling: str = ""
    assignment: Mapping[str, str] = field(default_factory=dict)
    received_on: dt.date | None = None
    anonymous: bool = False
    remarks: str = ""
    alert_id: int | None = None
    duplicate_of: int | None = None


def check_tip(tip: NewTip, today: dt.date) -> None:
    """Check the fields of a tip.

    Raises:
        SettingsError: names the field, what was found and what is expected.
    """
    table = read_tip_settings()
    for name, value, known in (
        ("channel", tip.channel, table.channels),
        ("seriousness", tip.seriousness, table.seriousness),
        ("handling", tip.handling or next(iter(table.handling)), table.handling),
    ):
        if value not in known:
            raise SettingsError(
                f"{name}: {value[:40]!r} is unknown; expected one of {', '.join(known)}.",
                "tip.choice",
                field=name,
                given=value[:40],
                expected="、".join(entry.zh for entry in known.values()),
            )
    if not 5 <= len(tip.summary.strip()) <= MAX_SUMMARY:
        raise SettingsError(
            f"The summary has {len(tip.summary.strip())} characters; expected 5 to {MAX_SUMMARY}.",
            "tip.summary",
            count=len(tip.summary.strip()),
            most=MAX_SUMMARY,
        )
    if tip.lon is None and tip.lat is None and not tip.place.strip() and tip.alert_id is None:
        raise SettingsError(
            "Where is it? Click on the map, type coordinates or the address, or choose an alert.", "tip.place"
        )
    if (tip.lon is None) != (tip.lat is None) or not (
        -180 <= (tip.lon or 0) <= 180 and -90 <= (tip.lat or 0) <= 90 and 0 <= tip.radius_m <= 5000
    ):
        raise SettingsError("The position is no longitude and latitude with a radius up to 5,000 m.", "tip.position")
    if tip.received_on is not None and not today - dt.timedelta(days=366) <= tip.received_on <= today:
        raise SettingsError(
            f"Received on {tip.received_on}: expected a day of the last year, at most today.",
            "tip.received",
            day=tip.received_on.isoformat(),
        )


def reply_clock(values: ChainValues) -> ReplyClock:
    """Return the reply clock in effect."""
    return ReplyClock(*(values.whole(f"tips.{name}_days") for name in ("judge", "check", "answer", "extension")))


def add_tip(
    session: Session,
    tip: NewTip,
    informant: Informant,
    key: InformantKey,
    *,
    origin: str,
    who: str,
    now: dt.datetime,
    settings: ServiceSettings,
    code_sha256: str = "",
) -> TipRow:
    """Register a tip under the next receipt number of its county and year; a rollback releases the number.

    Args:
        session: a write transaction.
        tip: checked here.
        informant: who reported it; stored encrypted.
        key: encrypts the informant.
        origin: desk, api or public.
        who: login of the registrar; "": the public form.
        now: current time.
        settings: time zone.
        code_sha256: of the code with which the informant asks for the state; "": none.

    Raises:
        SettingsError: a field is invalid.
    """
    today = now.astimezone(settings.zone).date()
    check_tip(tip, today)
    received = tip.received_on or today
    dates = reply_dates(received, reply_clock(read_chain_values(session)), calendar_of(session))
    summary = mask_contacts(tip.summary.strip())
    hidden = informant if summary == tip.summary.strip() else replace(informant, words=tip.summary.strip())
    county = (tip.area_code[:6] or "0").ljust(6, "0")
    serial = next_number(session, f"tip:{county}:{today:%Y}")
    row = TipRow(
        number=f"{county}XS{today:%Y}{serial:05d}",
        origin=origin,
        channel=tip.channel,
        seriousness=tip.seriousness,
        handling=tip.handling,
        assignment={name: str(value)[:200] for name, value in tip.assignment.items() if str(value).strip()},
        state="received",
        area_code=tip.area_code,
        place=mask_contacts(tip.place.strip())[:500],
        lon=tip.lon,
        lat=tip.lat,
        radius_m=tip.radius_m,
        happened=tip.happened.strip()[:100],
        reported_party=mask_contacts(tip.reported_party.strip())[:300],
        summary=summary,
        anonymous=tip.anonymous or not informant,
        informant=key.encrypt(hidden),
        code_sha256=code_sha256,
        received_on=received,
        judge_by=dates.judge_by,
        check_by=dates.check_by,
        answer_by=dates.answer_by,
        remarks=mask_contacts(tip.remarks.strip())[:MAX_WORDS],
        alert_id=tip.alert_id,
        duplicate_of=tip.duplicate_of,
        created_by=who,
        created_at=now,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    add_step(session, row, "registered", who, now)
    return row


def add_step(session: Session, tip: TipRow, what: str, who: str, now: dt.datetime, note: str = "") -> None:
    """Append a step to the log of a tip."""
    tip.changed_at = now
    session.add(TipStep(tip_id=tip.id, at=now, who=who, what=what, note=note))
    session.flush()


def may_register(viewer: Viewer, values: ChainValues) -> bool:
    """Return whether a user may register tips and take their steps."""
    return not viewer.views_only and at_least(viewer.roles, values.text("tips.registrar"))


def may_read_tips(viewer: Viewer, values: ChainValues) -> bool:
    """Return whether a user reads tips: from the level that registers them on, and leaders."""
    return at_least(viewer.roles, values.text("tips.registrar")) or viewer.views_only


def may_see_informant(viewer: Viewer, tip: TipRow, values: ChainValues) -> bool:
    """Return whether the informant concerns a user: the registrar and the handler, from a level on."""
    return viewer.login in (tip.created_by, tip.handler) and at_least(viewer.roles, values.text("tips.informant"))


@dataclass(frozen=True)
class StepInput:
    """What a step needs: ``reason`` of declining or extending; finding, unit, words and case of the feedback."""

    reason: str = ""
    words: str = ""
    handling: str = ""
    finding: str = ""
    unit: str = ""
    case_filed: bool = False


def take_step(
    session: Session,
    tip: TipRow,
    step: str,
    given: StepInput,
    viewer: Viewer,
    *,
    now: dt.datetime,
    settings: ServiceSettings,
) -> None:
    """Take a step of a tip.

    Args:
        session: a write transaction that holds the row.
        tip: the tip, which the user may see.
        step: accept, decline, check, answer or extend.
        given: what the step needs.
        viewer: the current user.
        now: current time.
        settings: time zone.

    Raises:
        TipNotAllowed: not in this state, not by this user, or extended before.
        SettingsError: something is missing for the step.
    """
    values = read_chain_values(session)
    if not may_register(viewer, values):
        raise TipNotAllowed("Your role does not handle tips.", "tip.role")
    if step not in STEPS.get(tip.state, ()):
        raise TipNotAllowed(f"{tip.number} is {tip.state}: {step} is not possible now.", "tip.state", tip=tip.number)
    words = mask_contacts(given.words.strip())[:MAX_WORDS]
    table = read_tip_settings()
    if step == "accept":
        if given.handling not in table.handling:
            raise SettingsError("Choose how the tip is handled.", "tip.handling")
        tip.handling, tip.judged_at = given.handling, now
    elif step == "decline":
        if given.reason not in table.declined:
            raise SettingsError("Choose why the tip is not accepted.", "tip.declined")
        tip.judged_at = now
        words = "：".join(part for part in (table.declined[given.reason].zh, words) if part)
    elif step == "check":
        if given.finding not in table.findings or len(words) < 2:
            raise SettingsError("Choose a finding and say what was found.", "tip.finding")
        tip.finding, tip.feedback, tip.case_filed = given.finding, words, given.case_filed
        tip.feedback_unit, tip.checked_at = given.unit.strip()[:200], now
    elif step == "answer":
        if len(words) < 2:
            raise SettingsError("Say what the informant was answered, or why there is none to answer.", "tip.answer")
        tip.answered_at = now
    elif step == "extend":
        if tip.extended_at is not None:
            raise TipNotAllowed(
                f"{tip.number} was extended before; one extension is possible.", "tip.extended", tip=tip.number
            )
        if len(words) < 2:
            raise SettingsError("Say why the tip needs more time.", "tip.why")
        _extend(session, tip, values, now)
    tip.state = TARGETS.get(step, tip.state)
    add_step(session, tip, step, viewer.login, now, words)


def _extend(session: Session, tip: TipRow, values: ChainValues, now: dt.datetime) -> None:
    dates = reply_dates(tip.received_on, reply_clock(values), calendar_of(session), extended=True)
    tip.check_by, tip.answer_by, tip.extended_at = dates.check_by, dates.answer_by, now


def set_handler(session: Session, tip: TipRow, login: str, viewer: Viewer, now: dt.datetime) -> None:
    """Hand a tip to a person, or take it over.

    Whoever handles a tip may see its informant: below the county, only registrar and handler pass on a tip that
    somebody handles.

    Raises:
        TipNotAllowed: the current user, or the chosen one, may not handle this tip.
    """
    values = read_chain_values(session)
    user = user_by_login(session, login)
    chosen = viewer_of(user) if user is not None and user.active else None
    if not may_register(viewer, values):
        raise TipNotAllowed("Your role does not handle tips.", "tip.role")
    if tip.handler and viewer.login not in (tip.handler, tip.created_by) and not at_least(viewer.roles, "county"):
        message = f"{tip.handler} handles {tip.number}; ask them to hand it over."
        raise TipNotAllowed(message, "tip.taken", who=tip.handler)
    if chosen is None or not may_see(chosen, tip.area_code) or not may_register(chosen, values):
        raise TipNotAllowed(
            f"{login[:100]} cannot handle this tip: no such user, another area, or a role that handles no tips.",
            "tip.handler",
            who=login[:100],
        )
    tip.handler = chosen.login
    add_step(session, tip, "handed", viewer.login, now, chosen.name)
    if user is not None and chosen.login != viewer.login:
        content = {"tip": tip.number, "why": "", "address": f"/tips/{tip.id}"}
        event = f"tip:{tip.id}:{now.isoformat()}"
        write_message(session, [user], "tip_assigned", event=event, now=now, content=content, code=tip.area_code)


def steps_of_tip(session: Session, tip_id: int) -> list[TipStep]:
    """List the steps of a tip, oldest first."""
    return list(session.scalars(select(TipStep).where(TipStep.tip_id == tip_id).order_by(TipStep.id)))


def why_of(tip: TipRow) -> Reason:
    """Return why an alert exists that a tip has become; it says nothing of the informant."""
    return Reason(f"registered as tip {tip.number}", "alert.from_tip", tip=tip.number)


def tip_source(tip: TipRow) -> str:
    """Return the source of an alert that a tip becomes."""
    channel = read_tip_settings().channels.get(tip.channel)
    return channel.source if channel else "report"


def evidence_of(tip: TipRow) -> dict[str, Any]:
    """Return the facts of a tip for the log of its alert."""
    return {"tip": tip.number}
