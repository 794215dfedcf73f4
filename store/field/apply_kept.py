"""Apply findings that were kept, by a decision of the desk: the officer's findings and photos, in the desk's name.

The step is logged under the person who applies it, who therefore cannot approve it; its evidence names the officer.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.chain_settings import ChainValues
from enforcement.field_check.form import read_field_form
from enforcement.states import NotAllowed, read_states
from errors import Reason, SettingsError, TubanError
from store.access.rights import Viewer
from store.alerts.recording import lock_alerts
from store.alerts.transitions import steps_of
from store.evidence.shown_copies import DESK_ROLES
from store.field.announced_steps import APPLIED, FINDINGS, KEPT
from store.field.apply_steps import findings_evidence, settle
from store.review.decisions import move
from store.schema.chain.field_tables import FieldStep
from store.schema.tables import AlertRow
from store.views.alert_view import user_names

MIN_WHY, MAX_WHY = 2, 500


class NotKept(TubanError):  # noqa: N818  (not a malfunction: somebody else applied the findings meanwhile)
    """The check has no kept findings."""


def may_apply_kept(viewer: Viewer, alert: AlertRow) -> bool:
    """Return whether a user may apply kept findings now: an officer of the desk, where the state permits the step."""
    if not set(DESK_ROLES) & set(viewer.roles) or alert.state not in read_field_form().submit_from:
        return False
    from_state = "accepted" if alert.state == "dispatched" else alert.state
    states = read_states()
    accepts = alert.state != "dispatched" or "accepted" in states.allowed_targets("dispatched", viewer.roles)
    return accepts and "field_checked" in states.allowed_targets(from_state, viewer.roles)


def apply_kept_findings(
    session: Session,
    viewer: Viewer,
    alert: AlertRow,
    check_uid: str,
    why: str,
    *,
    settings: ServiceSettings,
    values: ChainValues,
    now: dt.datetime,
) -> FieldStep:
    """Apply the kept findings of a check to its alert.

    Args:
        session: a write transaction.
        viewer: who applies them.
        alert: which the viewer may see.
        check_uid: of the check.
        why: why they are applied, 2 to 500 characters.
        settings: of the service.
        values: chain settings.
        now: current time.

    Raises:
        NotKept: the check has no kept findings, or they were applied meanwhile.
        TubanError: :class:`enforcement.states.NotAllowed`: not in this state or not by this user;
            :class:`store.review.decisions.Conflict`: another user has the alert open; :class:`errors.SettingsError`:
            ``why`` is missing, or the check has too few photos.
    """
    why = why.strip()
    if not MIN_WHY <= len(why) <= MAX_WHY:
        raise SettingsError(
            f"Say why the findings are applied, in {MIN_WHY} to {MAX_WHY} characters.",
            "field.apply_why",
            least=MIN_WHY,
            most=MAX_WHY,
        )
    lock_alerts(session)
    session.refresh(alert)
    query = select(FieldStep).where(
        FieldStep.alert_id == alert.id, FieldStep.check_uid == check_uid, FieldStep.kind == FINDINGS
    )
    kept = session.scalars(
        query.where(FieldStep.state == KEPT)
        .order_by(FieldStep.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).first()
    if kept is None:
        raise NotKept(
            "The check has no kept findings, or they were applied meanwhile. Reload the page.", "field.no_kept"
        )
    if not may_apply_kept(viewer, alert):
        state = read_states().states[alert.state]
        raise NotAllowed(
            f"The findings cannot be applied while the alert is “{state.en}”, or not by your role.",
            "field.apply_state",
            state=state.zh,
        )
    evidence, fault = findings_evidence(session, alert, kept, values)
    if fault is not None:
        raise SettingsError(fault)
    if alert.state == "dispatched":
        alert = move(session, alert, viewer, "accepted", settings=settings, now=now)
    officer = user_names(session, {kept.who}).get(kept.who, kept.who)
    evidence |= {"officer": kept.who, "kept_because": kept.reason}
    words = Reason(f"Findings of {officer}, applied: {why}", "field.applied_findings", who=officer, why=why)
    move(session, alert, viewer, "field_checked", evidence, words, settings=settings, now=now)
    kept.transition_id = steps_of(session, alert)[-1].id
    settle(kept, APPLIED, now, Reason(f"Applied by {viewer.name}: {why}", "field.applied_by", who=viewer.name, why=why))
    session.flush()
    return kept
