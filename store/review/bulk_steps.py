"""One step of many alerts, and their assignment: each succeeds or is skipped with its reason."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.offered_steps import offered_step, offered_steps
from enforcement.states import NotAllowed, read_states
from errors import Reason
from store.access.rights import Viewer
from store.alerts.transitions import steps_of
from store.chain_settings import read_chain_values
from store.review.bulk_review import apply_to_each
from store.review.review_transaction import ReviewTransaction
from store.schema.tables import AlertRow
from store.schema.user_tables import User

OWN_OFFICER = "*"
"""Assignee that stands for the one village officer of each alert's own village."""


@dataclass(frozen=True)
class BulkSteps:
    """Result of a bulk step.

    Attributes:
        done: numbers of the changed alerts.
        skipped: number → reason of the others.
        token: undoes all of them together; "": nothing can be undone.
    """

    done: tuple[str, ...]
    skipped: dict[str, Reason]
    token: str


def take_step(
    transaction: ReviewTransaction, alert: AlertRow, to: str, evidence: Mapping[str, Any], why: str = ""
) -> None:
    """Take a step, or the steps of a path, that the pages offer to the user.

    Raises:
        NotAllowed: it is not offered, or evidence is missing.
    """
    table, viewer = read_states(), transaction.viewer
    history = [(row.to_state, row.who) for row in steps_of(transaction.session, alert)]
    states = offered_step(table, alert.state, to, viewer.roles, viewer.login, history)
    if states is None:
        role = table.acting_role(alert.state, to, viewer.roles)
        table.check_transition(alert.state, to, role, evidence, who=viewer.login, history=history)  # says why
        raise NotAllowed(f"{alert.number} cannot be moved from {alert.state} to {to} by {viewer.login}.")
    verdict = {"verdict": "true"} if "triaged" in states else {}  # counted as a judgement
    transaction.step(alert, states, why, verdict | dict(evidence))


def step_many(
    session: Session,
    viewer: Viewer,
    numbers: Sequence[str],
    to: str,
    *,
    evidence: Mapping[str, Any] | None = None,
    why: str = "",
    assignee: str | None = None,
    settings: ServiceSettings,
    now: dt.datetime,
) -> BulkSteps:
    """Take the same step on several alerts, and assign them; what is refused for one does not stop the others.

    Args:
        session: a writing transaction.
        viewer: the current user.
        numbers: numbers of the alerts.
        to: state in which the step ends; "": only assign.
        evidence: the same for all of them; a step that needs evidence of its own is refused for more than one alert.
        why: remark.
        assignee: login, "" for nobody, or :data:`OWN_OFFICER`; None: unchanged.
        settings: quota, targets of events, time zone.
        now: current time.

    Raises:
        SettingsError: more alerts than the chain setting ``steps.bulk_most``.
    """
    values = read_chain_values(session)
    table, several = read_states(), len(set(numbers)) > 1
    transaction = ReviewTransaction(session, viewer, settings, now)
    token = secrets.token_hex(8)
    given = {**(evidence or {}), **({"together": token} if to else {})}
    officers = _officers(session) if assignee == OWN_OFFICER else {}
    codes = codes_of(session, [assignee]) if assignee and assignee != OWN_OFFICER else {}

    def act(alert: AlertRow) -> None:
        login = assignee
        if login == OWN_OFFICER:
            login = _own_officer(alert, officers)
        elif login:
            check_assignee(alert, login, codes.get(login))
        if to:
            if several and not _in_bulk(session, alert, to, viewer, judge_first=values.flag("steps.judge_first")):
                raise NotAllowed(
                    f"{alert.number}: this step is taken for one alert at a time.",
                    "step.one_by_one",
                    alert=alert.number,
                )
            take_step(transaction, alert, to, given, why)
        if login is not None:
            alert.assignee = login
            session.flush()

    if to and (to not in table.states or table.category(to) == "gone"):
        raise NotAllowed(f"An alert cannot be moved to {to!r} directly.")
    done, skipped = apply_to_each(session, viewer, numbers, now, act, most=values.whole("steps.bulk_most"))
    transaction.finish()
    return BulkSteps(done, skipped, token if done and to else "")


def codes_of(session: Session, logins: Collection[str]) -> dict[str, str]:
    """Return login → administrative code of the active users among ``logins`` who may change alerts."""
    wanted = User.login.in_(logins), User.active
    rows = session.execute(select(User.login, User.code, User.role, User.other_roles).where(*wanted))
    states = read_states()
    return {row.login: row.code for row in rows if not states.views_only((row.role, *row.other_roles))}


def check_assignee(alert: AlertRow, login: str, code: str | None) -> None:
    """Check that an alert can be assigned to a user.

    Args:
        alert: the alert.
        login: of the user.
        code: administrative code of the user; None: there is no such active user.

    Raises:
        NotAllowed: there is no such user, or they may not see the alert.
    """
    if code is None or not alert.grid_code.startswith(code):
        raise NotAllowed(
            f"{alert.number} cannot be assigned to {login!r}: expected an active user whose code covers "
            f"{alert.grid_code or 'all areas'}.",
            "alert.not_theirs",
            alert=alert.number,
            who=login,
        )


def _in_bulk(session: Session, alert: AlertRow, to: str, viewer: Viewer, *, judge_first: bool) -> bool:
    history = [(row.to_state, row.who) for row in steps_of(session, alert)]
    steps = offered_steps(read_states(), alert.state, viewer.roles, viewer.login, history, judge_first=judge_first)
    return next((step.bulk for step in steps if step.to == to), True)  # not offered: refused with its reason


def _officers(session: Session) -> dict[str, list[str]]:
    """Return village code → logins of its active village officers."""
    rows = session.execute(
        select(User.login, User.code, User.role, User.other_roles).where(User.active, func.length(User.code) == 12)
    )
    found: dict[str, list[str]] = {}
    for login, code, role, others in rows:
        if "village" in (role, *others):
            found.setdefault(code, []).append(login)
    return found


def _own_officer(alert: AlertRow, officers: Mapping[str, list[str]]) -> str:
    """Return the only village officer of an alert's village.

    Raises:
        NotAllowed: there is none, or there are several.
    """
    found = officers.get(alert.grid_code, [])
    if len(found) != 1:
        raise NotAllowed(
            f"{alert.number}: its village {alert.grid_code or '-'} has {len(found)} village officers; expected one. "
            "Choose the person.",
            "alert.no_officer",
            alert=alert.number,
            village=alert.grid_code or "–",
            count=len(found),
        )
    return found[0]
