"""Apply the steps of checks to their alerts: in order, once, with the rights of the sender.

A step that the alert no longer allows, because it was closed, checked by somebody else or assigned to another person
meanwhile, is kept with its reason; the photos are evidence of the alert in any case. It never blocks another step.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.chain_settings import ChainValues
from enforcement.field_check.form import read_field_form
from enforcement.states import NotAllowed, read_states
from errors import Reason, TubanError
from store.access.rights import Viewer, may_see
from store.alerts.locks import lock_holder
from store.alerts.transitions import steps_of
from store.field.announced_steps import (
    ACCEPT,
    APPLIED,
    FINDINGS,
    KEPT,
    PHOTO,
    REFUSED,
    REPORT,
    SETTLED,
    WAITING,
    steps_of_check,
)
from store.field.settlement import settle_when_free
from store.field.takes import take_of
from store.review.decisions import move
from store.schema.chain.field_tables import FieldStep
from store.schema.tables import AlertRow
from store.views.alert_view import user_names

_OPEN_ELSEWHERE = "alert.open_with"


def settle_steps(
    session: Session,
    viewer: Viewer,
    alert: AlertRow,
    *,
    settings: ServiceSettings,
    values: ChainValues,
    now: dt.datetime,
) -> None:
    """Apply all waiting steps of the viewer on an alert whose predecessors are settled.

    Args:
        session: a write transaction.
        viewer: the sender; steps of other people are left alone.
        alert: the alert.
        settings: of the service.
        values: chain settings.
        now: server time.
    """
    mine = FieldStep.alert_id == alert.id, FieldStep.who == viewer.login
    steps = list(session.scalars(select(FieldStep).where(*mine).order_by(FieldStep.id)))
    states = {step.uid: step.state for step in steps}
    progressed = True
    while progressed:
        progressed = False
        for step in steps:
            if step.state != WAITING:
                continue
            missing = [uid for uid in step.after if states.get(uid) not in SETTLED]
            if missing:
                _set_reason(
                    step, Reason(f"{len(missing)} earlier steps are missing.", "field.early", count=len(missing))
                )
                continue
            _apply(session, viewer, alert, step, settings, values, now)
            states[step.uid] = step.state
            progressed = progressed or step.state in SETTLED
    session.flush()


def settle(step: FieldStep, state: str, now: dt.datetime, reason: str = "") -> None:
    """Finish a step with a state of :data:`store.field.announced_steps.SETTLED`."""
    step.state, step.settled_at = state, now
    _set_reason(step, reason)


def _set_reason(step: FieldStep, reason: str) -> None:
    step.reason, step.why = str(reason), Reason.json_of(reason)


def _apply(
    session: Session,
    viewer: Viewer,
    alert: AlertRow,
    step: FieldStep,
    settings: ServiceSettings,
    values: ChainValues,
    now: dt.datetime,
) -> None:
    apply = {ACCEPT: _accept, FINDINGS: _submit, REPORT: _report}[step.kind]
    try:
        obstacle = _changed_hands(session, viewer, alert)
        if obstacle is not None:
            settle(step, KEPT, now, obstacle)
            return
        apply(session, viewer, alert, step, settings, values, now)
    except TubanError as error:
        if error.reason.code == _OPEN_ELSEWHERE:  # applied by a job afterwards, or when the phone asks again
            _set_reason(step, error.reason)
            lock = lock_holder(session, alert, now)
            if lock is not None:
                settle_when_free(session, alert.id, lock.until, now)
        else:
            settle(step, KEPT, now, error.reason)


def _changed_hands(session: Session, viewer: Viewer, alert: AlertRow) -> Reason | None:
    """Return why the alert is no longer the viewer's to check; None: it still is."""
    if not may_see(viewer, alert.grid_code):
        return Reason("The alert belongs to another area now.", "field.moved_away")
    if alert.assignee in ("", viewer.login):
        return None
    take = take_of(session, viewer, alert.id)
    if take is not None and take.assignee == alert.assignee:
        return None
    name = user_names(session, {alert.assignee}).get(alert.assignee, alert.assignee)
    return Reason(f"The alert was assigned to {name} meanwhile.", "field.reassigned", who=name)


def _accept(
    session: Session,
    viewer: Viewer,
    alert: AlertRow,
    step: FieldStep,
    settings: ServiceSettings,
    values: ChainValues,
    now: dt.datetime,
) -> None:
    if alert.state == "dispatched":
        move(session, alert, viewer, "accepted", settings=settings, now=now)
        step.transition_id = steps_of(session, alert)[-1].id
    elif alert.state not in read_field_form().states:
        settle(step, KEPT, now, _passed(session, alert, settings.zone))
        return
    settle(step, APPLIED, now)


def _submit(
    session: Session,
    viewer: Viewer,
    alert: AlertRow,
    step: FieldStep,
    settings: ServiceSettings,
    values: ChainValues,
    now: dt.datetime,
) -> None:
    form = read_field_form()
    evidence, fault = findings_evidence(session, alert, step, values)
    if fault is not None:
        settle(step, REFUSED, now, fault)
        return
    if alert.state not in form.submit_from:
        if alert.state in form.states:  # being corrected: recorded with the alert, whose state stays
            settle(step, APPLIED, now)
        else:
            settle(step, KEPT, now, _passed(session, alert, settings.zone))
        return
    if "field_checked" not in read_states().allowed_targets("accepted", viewer.roles):
        raise NotAllowed("Your roles cannot submit findings.", "field.no_role")
    if alert.state == "dispatched":
        move(session, alert, viewer, "accepted", settings=settings, now=now)
    remarks = str(step.content.get("remarks", ""))
    move(session, alert, viewer, "field_checked", evidence, remarks, settings=settings, now=now)
    step.transition_id = steps_of(session, alert)[-1].id
    settle(step, APPLIED, now)


def findings_evidence(
    session: Session, alert: AlertRow, step: FieldStep, values: ChainValues
) -> tuple[dict[str, Any], Reason | None]:
    """Return the evidence of a step ``field_checked`` by findings, and a reason if the check has too few photos.

    Args:
        session: a transaction.
        alert: of the check.
        step: the findings.
        values: chain settings.
    """
    photos = [other for other in steps_of_check(session, step.check_uid, alert.id) if other.kind == PHOTO]
    photos = [photo for photo in photos if photo.who == step.who]
    fault = _too_few(photos, values)
    order = {uid: place for place, uid in enumerate(step.after)}  # as they were taken, however they arrived
    photos.sort(key=lambda photo: order.get(photo.uid, len(order)))
    stored = [photo.uid for photo in photos if photo.state == APPLIED]
    stored = stored[: values.whole("evidence.files_most")]  # the others are files of the alert as well
    findings = dict(step.content)
    return {"photos": stored, "works": findings["works"], "findings": findings, "check": step.check_uid}, fault


def _too_few(photos: list[FieldStep], values: ChainValues) -> Reason | None:
    """Return a reason if the check has fewer photos than the settings require; refused ones do not count."""
    shots = [photo.content.get("record", {}).get("shot") for photo in photos if photo.state != REFUSED]
    for found, least in (
        (len(shots), values.whole("field.photos_least")),
        (shots.count("far"), values.whole("field.photos_far")),
        (shots.count("near"), values.whole("field.photos_near")),
    ):
        if found < least:
            overview, close = values.whole("field.photos_far"), values.whole("field.photos_near")
            return Reason(
                f"The check has {len(shots)} photos; expected at least {values.whole('field.photos_least')}, of which "
                f"{overview} overviews and {close} close-ups.",
                "field.too_few",
                count=len(shots),
                least=values.whole("field.photos_least"),
                far=overview,
                near=close,
            )
    return None


def _report(
    session: Session,
    viewer: Viewer,
    alert: AlertRow,
    step: FieldStep,
    settings: ServiceSettings,
    values: ChainValues,
    now: dt.datetime,
) -> None:
    own = [other for other in steps_of_check(session, step.check_uid, alert.id) if other.who == viewer.login]
    submitted = next((other for other in own if other.kind == FINDINGS and other.state == APPLIED), None)
    if submitted is None:
        settle(step, KEPT, now, Reason("The findings were not submitted.", "field.not_submitted"))
    elif submitted.transition_id is None:  # recorded only: there is nothing to report
        settle(step, APPLIED, now)
    elif alert.state != "field_checked" or steps_of(session, alert)[-1].id != submitted.transition_id:
        settle(step, KEPT, now, _passed(session, alert, settings.zone))
    else:
        move(session, alert, viewer, "submitted", settings=settings, now=now)
        step.transition_id = steps_of(session, alert)[-1].id
        settle(step, APPLIED, now)


def _passed(session: Session, alert: AlertRow, zone: dt.tzinfo) -> Reason:
    """Return the reason that the alert is in a later state: who brought it there, and when."""
    last = steps_of(session, alert)[-1]
    name = user_names(session, {last.who}).get(last.who, last.who)
    state, at = read_states().states.get(alert.state), last.at.astimezone(zone)
    return Reason(
        f"The alert is “{state.en if state else alert.state}” since {at:%Y-%m-%d %H:%M}, by {name}.",
        "field.passed",
        state=state.zh if state else alert.state,
        who=name,
        time=f"{at:%Y-%m-%d %H:%M}",
    )
