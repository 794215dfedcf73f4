"""Listed supervision (挂牌督办): a county or city lists an alert with duty unit, requirements and a limit.

The duty unit reports progress every week until the result. The limit is extended on a written request with its reason.
Entries are only ever added; messages tell those who follow and those who have to act.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.chain_settings import ChainValues
from enforcement.states import read_states
from errors import SettingsError, TubanError
from store.access.rights import Viewer, visible_to
from store.messages.recipients import People
from store.messages.writing import write_message
from store.schema.chain.deadline_tables import SupervisionEntryRow, SupervisionRow
from store.schema.tables import AlertRow
from store.schema.user_tables import User

MAX_TEXT = 2000
LISTING_ROLES = ("county", "city")
"""Roles that list alerts, decide on extensions and end the supervision."""

REPORTING_ROLES = ("village", "township", "county", "city")
"""Roles that report progress and request extensions."""


class SupervisionError(TubanError):
    """The supervision does not allow this."""


@dataclass(frozen=True)
class Supervision:
    """A listed supervision with its alert.

    Attributes:
        row: the supervision.
        alert: what is supervised.
        entries: oldest first.
        request: the extension request that is not decided yet; None: there is none.
    """

    row: SupervisionRow
    alert: AlertRow
    entries: tuple[SupervisionEntryRow, ...] = ()

    @property
    def request(self) -> SupervisionEntryRow | None:
        """The extension request that is not decided yet."""
        relevant = [entry for entry in self.entries if entry.kind in ("request", "granted", "refused")]
        return relevant[-1] if relevant and relevant[-1].kind == "request" else None

    def lacks_progress(self, today: dt.date) -> bool:
        """Whether a progress report is overdue."""
        return self.row.state == "open" and self.row.progress_due < today

    def is_late(self, today: dt.date) -> bool:
        """Whether the limit has passed."""
        return self.row.state == "open" and self.row.due_on < today


def list_for_supervision(
    session: Session,
    alert: AlertRow,
    viewer: Viewer,
    *,
    duty_unit: str,
    requirements: str,
    due_on: dt.date,
    values: ChainValues,
    today: dt.date,
    now: dt.datetime,
) -> SupervisionRow:
    """List an open alert.

    Raises:
        SupervisionError: the role may not, the alert is closed or listed already.
        SettingsError: a field is empty or too long, or the limit is not allowed.
    """
    level = _listing_role(viewer)
    session.execute(select(AlertRow.id).where(AlertRow.id == alert.id).with_for_update(key_share=True))
    if alert.state not in read_states().open:
        raise SupervisionError(f"{alert.number} is closed.", "supervision.closed", alert=alert.number)
    if supervision_of(session, alert.id) is not None:
        raise SupervisionError(f"{alert.number} is listed already.", "supervision.listed", alert=alert.number)
    unit = check_text(duty_unit, "duty unit", "责任单位", 200)
    required = check_text(requirements, "requirements", "要求")
    longest = values.whole("supervision.limit_days")
    if not today < due_on <= today + dt.timedelta(days=longest):
        raise SettingsError(
            f"The limit {due_on} is not allowed; expected a day from tomorrow to {today + dt.timedelta(days=longest)} "
            f"({longest} days).",
            "supervision.limit",
            day=due_on.isoformat(),
            last=(today + dt.timedelta(days=longest)).isoformat(),
            days=longest,
        )
    row = SupervisionRow(
        alert_id=alert.id,
        listed_by=viewer.login,
        level=level,
        listed_at=now,
        listed_on=today,
        duty_unit=unit,
        requirements=required,
        due_on=due_on,
        progress_due=_next_progress(today, due_on, values),
        state="open",
    )
    session.add(row)
    session.flush()
    entry = _add_entry(session, row, viewer.login, "listed", required, now, due_on)
    people = People(session)
    _, owners = people.owners(alert)
    townships = people.of_role("township", alert.township_code or alert.grid_code)
    write_message(
        session,
        {p.id: p for p in (*owners, *townships) if p.login != viewer.login}.values(),
        "supervision_listed",
        event=f"supervision:{entry.id}",
        now=now,
        content={
            "alert": alert.number,
            "unit": unit,
            "due": due_on.isoformat(),
            "why": required,
            "supervision": row.id,
        },
        alerts=[alert],
        code=alert.grid_code,
    )
    return row


def report_progress(
    session: Session,
    found: Supervision,
    viewer: Viewer,
    text: str,
    values: ChainValues,
    today: dt.date,
    now: dt.datetime,
) -> None:
    """Add a progress report; the next one is due after the interval of the settings.

    Raises:
        SupervisionError: it has ended, or the role may not.
        SettingsError: the text is empty or too long.
    """
    _require_open(found)
    _require_role(viewer, REPORTING_ROLES)
    entry = _add_entry(session, found.row, viewer.login, "progress", check_text(text, "report", "进展"), now)
    found.row.progress_due = _next_progress(today, found.row.due_on, values)
    _tell_followers(session, found, entry)


def request_extension(
    session: Session,
    found: Supervision,
    viewer: Viewer,
    day: dt.date,
    reason: str,
    values: ChainValues,
    now: dt.datetime,
) -> None:
    """Request a later limit in writing.

    Raises:
        SupervisionError: it has ended, a request is undecided, or the role may not.
        SettingsError: the day is not later than the limit or too late, or the reason is missing.
    """
    _require_open(found)
    _require_role(viewer, REPORTING_ROLES)
    if found.request is not None:
        raise SupervisionError("A request is waiting for its decision.", "supervision.undecided")
    longest = values.whole("supervision.extension_days")
    last = found.row.due_on + dt.timedelta(days=longest)
    if not found.row.due_on < day <= last:
        raise SettingsError(
            f"The requested limit {day} is not allowed; expected a day after {found.row.due_on}, up to {last}.",
            "supervision.extension",
            day=day.isoformat(),
            due=found.row.due_on.isoformat(),
            last=last.isoformat(),
        )
    entry = _add_entry(session, found.row, viewer.login, "request", check_text(reason, "reason", "理由"), now, day)
    _tell_followers(session, found, entry)


def decide_extension(
    session: Session,
    found: Supervision,
    viewer: Viewer,
    *,
    granted: bool,
    text: str,
    values: ChainValues,
    today: dt.date,
    now: dt.datetime,
) -> None:
    """Grant or refuse the undecided request; not by the person who made it.

    Raises:
        SupervisionError: there is none, it is the viewer's own, or the role may not.
        SettingsError: a refusal without a reason.
    """
    _require_open(found)
    _listing_role(viewer)
    request = found.request
    if request is None:
        raise SupervisionError("There is no request to decide on.", "supervision.no_request")
    if request.who == viewer.login:
        raise SupervisionError("The request is your own; another person decides.", "supervision.own_request")
    words = text.strip()[:MAX_TEXT] if granted else check_text(text, "reason", "理由")
    kind = "granted" if granted else "refused"
    entry = _add_entry(session, found.row, viewer.login, kind, words, now, request.day)
    if granted and request.day is not None:
        found.row.due_on = request.day
        found.row.progress_due = _next_progress(today, request.day, values)
    _tell_followers(session, found, entry)


def end_supervision(session: Session, found: Supervision, viewer: Viewer, result: str, now: dt.datetime) -> None:
    """End it with its result.

    Raises:
        SupervisionError: it has ended, or the role may not.
        SettingsError: the result is empty or too long.
    """
    _require_open(found)
    _listing_role(viewer)
    words = check_text(result, "result", "结果")
    entry = _add_entry(session, found.row, viewer.login, "result", words, now)
    found.row.state, found.row.result, found.row.ended_at = "ended", words, now
    _tell_followers(session, found, entry)


def supervision_of(session: Session, alert_id: int) -> SupervisionRow | None:
    """Return the open supervision of an alert."""
    query = select(SupervisionRow).where(SupervisionRow.alert_id == alert_id, SupervisionRow.state == "open")
    return session.scalar(query)


def visible_supervisions(session: Session, viewer: Viewer, *, state: str = "", limit: int = 200) -> list[Supervision]:
    """List supervisions of alerts that the viewer may see: open ones by limit, then ended ones, newest first."""
    query = (
        select(SupervisionRow, AlertRow)
        .join(AlertRow, AlertRow.id == SupervisionRow.alert_id)
        .where(visible_to(AlertRow.grid_code, viewer))
        .order_by(SupervisionRow.state.desc(), SupervisionRow.due_on, SupervisionRow.id)
        .limit(limit)
    )
    if state:
        query = query.where(SupervisionRow.state == state)
    return [Supervision(row, alert, _entries(session, row.id)) for row, alert in session.execute(query)]


def visible_supervision(
    session: Session, viewer: Viewer, supervision_id: int, *, lock: bool = False
) -> Supervision | None:
    """Return a supervision if the viewer may see its alert; ``lock`` it to change it."""
    if lock:
        held = select(SupervisionRow.id).where(SupervisionRow.id == supervision_id)
        session.execute(held.with_for_update())
    query = (
        select(SupervisionRow, AlertRow)
        .join(AlertRow, AlertRow.id == SupervisionRow.alert_id)
        .where(SupervisionRow.id == supervision_id, visible_to(AlertRow.grid_code, viewer))
    )
    found = session.execute(query).one_or_none()
    return None if found is None else Supervision(found[0], found[1], _entries(session, found[0].id))


def supervisions_of(session: Session, alert_id: int) -> list[SupervisionRow]:
    """List all supervisions of an alert, newest first."""
    query = select(SupervisionRow).where(SupervisionRow.alert_id == alert_id).order_by(SupervisionRow.id.desc())
    return list(session.scalars(query))


def open_supervisions(session: Session) -> list[tuple[SupervisionRow, AlertRow]]:
    """List all open supervisions with their alerts."""
    query = (
        select(SupervisionRow, AlertRow)
        .join(AlertRow, AlertRow.id == SupervisionRow.alert_id)
        .where(SupervisionRow.state == "open")
        .order_by(SupervisionRow.id)
    )
    return [(row, alert) for row, alert in session.execute(query)]


def check_text(text: str, name: str, chinese: str, longest: int = MAX_TEXT) -> str:
    """Return a text without surrounding space.

    Raises:
        SettingsError: it is empty, too long, or has a character that cannot be stored.
    """
    words = text.strip()
    if not 0 < len(words) <= longest or "\x00" in words:
        raise SettingsError(
            f"The {name} has {len(words)} characters; expected 1 to {longest}.",
            "supervision.text",
            name=chinese,
            letters=len(words),
            most=longest,
        )
    return words


def _add_entry(
    session: Session, row: SupervisionRow, who: str, kind: str, text: str, now: dt.datetime, day: dt.date | None = None
) -> SupervisionEntryRow:
    entry = SupervisionEntryRow(supervision_id=row.id, at=now, who=who, kind=kind, day=day, text=text)
    session.add(entry)
    session.flush()
    return entry


def _tell_followers(session: Session, found: Supervision, entry: SupervisionEntryRow) -> None:
    """Tell who listed it, and all who reported, of an entry of somebody else."""
    logins = {found.row.listed_by, *(other.who for other in found.entries)} - {entry.who}
    people = [
        user
        for user in session.scalars(select(User).where(User.login.in_(logins), User.active).order_by(User.id))
        if found.alert.grid_code.startswith(user.code)
    ]
    write_message(
        session,
        people,
        "supervision_answer",
        event=f"supervision:{entry.id}",
        now=entry.at,
        content={
            "alert": found.alert.number,
            "what": entry.kind,
            "why": entry.text,
            "supervision": found.row.id,
        },
        alerts=[found.alert],
        code=found.alert.grid_code,
    )


def _entries(session: Session, supervision_id: int) -> tuple[SupervisionEntryRow, ...]:
    query = select(SupervisionEntryRow).where(SupervisionEntryRow.supervision_id == supervision_id)
    return tuple(session.scalars(query.order_by(SupervisionEntryRow.id)))


def _next_progress(today: dt.date, due_on: dt.date, values: ChainValues) -> dt.date:
    return min(today + dt.timedelta(days=values.whole("supervision.progress_days")), max(due_on, today))


def _require_open(found: Supervision) -> None:
    if found.row.state != "open":
        raise SupervisionError("This supervision has ended.", "supervision.ended")


def _listing_role(viewer: Viewer) -> str:
    _require_role(viewer, LISTING_ROLES)
    return next(role for role in viewer.roles if role in LISTING_ROLES)


def _require_role(viewer: Viewer, roles: tuple[str, ...]) -> None:
    if not any(role in roles for role in viewer.roles):
        raise SupervisionError("Your role may not do this.", "supervision.role")
