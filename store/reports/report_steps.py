"""Life of a report: filled, corrected, signed off by two people, submitted, returned, locked.

Every step is a hash-chained row and an entry of the audit log. The one who approves is not the one who prepared.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.hash_chain import GENESIS_HASH, row_hash
from enforcement.reports.checks import CheckResult, run_checks
from enforcement.reports.content import Content, parse_correction, sha256_of
from enforcement.reports.layout import read_layout
from enforcement.reports.schedule import ReportRule, read_schedule
from enforcement.typesetting.printable import verify_printable
from errors import TubanError
from store.access.audit_log import record_action
from store.access.rights import Viewer, may_see
from store.deadlines.supervision import check_text
from store.reports.filling import SUBMITTED, fill_lower
from store.reports.report_messages import tell_returned
from store.reports.report_rows import corrected_content, report_at, reports_below, step_fields
from store.schema.chain.report_tables import ReportCorrectionRow, ReportRow, ReportStepRow

EDITABLE = ("draft", "returned")
SYSTEM = "system"
MAX_REASON = 500


class ReportError(TubanError):
    """The report does not allow this step."""


def may_prepare(viewer: Viewer, row: ReportRow) -> bool:
    """Whether the viewer may correct and sign a report (填报人)."""
    return _holds(viewer, row, _rule(row).prepares)


def may_approve(viewer: Viewer, row: ReportRow) -> bool:
    """Whether the viewer may approve and submit a report (审核人); not the one who prepared it."""
    return _holds(viewer, row, _rule(row).approves) and viewer.login != row.prepared_by


def may_take(viewer: Viewer, row: ReportRow) -> bool:
    """Whether the viewer may return or lock a submitted report."""
    return _holds(viewer, row, _rule(row).takes)


def store_content(session: Session, row: ReportRow, content: Content, until: dt.datetime, now: dt.datetime) -> None:
    """Store what a report was filled with; corrections stay in effect. A planned report becomes a draft.

    Raises:
        ReportError: it is signed already.
    """
    if row.state not in ("planned", *EDITABLE):
        raise _not_now(row)
    layout = read_layout(row.kind)
    row.content = content.to_json()
    row.layout_sha256 = layout.sha256
    row.filled_at, row.filled_until = now, until
    row.state = "draft" if row.state == "planned" else row.state
    _set_checks(session, row)
    add_step(session, row, SYSTEM, "filled", now, detail={"sha256": sha256_of(content)})


def correct(
    session: Session,
    row: ReportRow,
    viewer: Viewer,
    *,
    address: str,
    field: str,
    words: str | None,
    reason: str,
    now: dt.datetime,
) -> None:
    """Correct a cell; the original value stays.

    Args:
        session: a writing transaction.
        row: locked.
        viewer: who corrects.
        address: ``table/key`` of the row.
        field: of the row.
        words: the new value; None: back to the original.
        reason: why; may be empty.
        now: current time.

    Raises:
        ReportError: the role may not, or the report is signed already.
        SettingsError: there is no such cell, or the value does not fit it.
    """
    _require(may_prepare(viewer, row))
    if row.state not in EDITABLE:
        raise _not_now(row)
    table, found = Content.from_json(row.content).row(address)
    value = None if words is None else parse_correction(table, field, words)
    session.add(
        ReportCorrectionRow(
            report_id=row.id,
            sheet_row=address,
            field=field,
            original=found.values.get(field),
            value=value,
            reason=reason.strip()[:MAX_REASON],
            who=viewer.login,
            at=now,
        )
    )
    row.changed_at = now
    session.flush()
    _set_checks(session, row)
    add_step(session, row, viewer.login, "corrected", now, reason, {"row": address, "field": field, "value": value})


def prepare(
    session: Session, row: ReportRow, viewer: Viewer, reasons: Mapping[str, str], now: dt.datetime, note: str = ""
) -> None:
    """Sign a report as the one who prepared it (填报人).

    Args:
        session: a writing transaction.
        row: locked.
        viewer: who signs.
        reasons: by check: why it is submitted although the check failed.
        now: current time.
        note: may be empty.

    Raises:
        ReportError: the role may not, the period has not ended, it is signed already, or a check failed without reason.
        MissingGlyphError: no font has a character of it, so that there would be no PDF.
    """
    _require(may_prepare(viewer, row))
    if row.state not in EDITABLE:
        raise _not_now(row)
    if row.filled_until is None or row.filled_until > now:
        raise ReportError("The period of the report has not ended yet.", "reports.not_ended")
    results = _set_checks(session, row)
    given = {key: reason.strip()[:MAX_REASON] for key, reason in reasons.items() if reason.strip()}
    row.check_reasons = {one.key: given[one.key] for one in results if not one.passed and one.key in given}
    _require_checks(row, results)
    verify_printable(corrected_content(session, row))
    row.prepared_by, row.prepared_at, row.state = viewer.login, now, "prepared"
    row.approved_by = ""
    add_step(session, row, viewer.login, "prepared", now, note, {"reasons": row.check_reasons})


def approve(
    session: Session,
    row: ReportRow,
    viewer: Viewer,
    now: dt.datetime,
    files: Mapping[str, Any] | None = None,
    note: str = "",
) -> None:
    """Approve and submit a report (审核人). The reports below that it sums up are locked.

    Args:
        session: a writing transaction.
        row: locked.
        viewer: another person than the one who prepared it.
        now: current time.
        files: ``{"key", "sha256", "size"}`` by format, of the stored files; None: there are none yet.
        note: may be empty.

    Raises:
        ReportError: the role may not, it is the viewer's own, it is not signed, or a check failed without a reason.
    """
    if row.prepared_by == viewer.login and row.state == "prepared":
        raise ReportError("You prepared this report; another person approves it.", "reports.own")
    _require(may_approve(viewer, row))
    if row.state != "prepared":
        raise _not_now(row)
    _require_checks(row, _set_checks(session, row))
    content = corrected_content(session, row)
    row.approved_by, row.submitted_at, row.state = viewer.login, now, "submitted"
    row.late = row.grace_until is not None and now > row.grace_until
    row.content_sha256 = sha256_of(content)
    row.files = dict(files or {})
    detail = {"sha256": row.content_sha256, "files": _checksums(row), "late": row.late}
    add_step(session, row, viewer.login, "submitted", now, note, detail)
    rule = _rule(row)
    if rule.sums:
        for below in reports_below(session, rule.sums, row.area_code, row.first_day, row.last_day):
            if below.state == "submitted":
                _lock(session, below, SYSTEM, now, f"#{row.id}")
    refresh_above(session, row, now)


def send_back(session: Session, row: ReportRow, viewer: Viewer, reason: str, now: dt.datetime) -> None:
    """Return a submitted or signed report with a reason.

    Raises:
        ReportError: the role may not, or it is neither signed nor submitted.
        SettingsError: the reason is empty.
    """
    _require(may_take(viewer, row) or (row.state == "prepared" and may_approve(viewer, row)))
    if row.state not in ("prepared", "submitted"):
        raise _not_now(row)
    words = check_text(reason, "reason", "理由", MAX_REASON)
    row.state = "returned"
    row.approved_by, row.submitted_at, row.late, row.content_sha256, row.files = "", None, False, "", {}
    add_step(session, row, viewer.login, "returned", now, words)
    tell_returned(session, row, viewer, words, now)
    refresh_above(session, row, now)


def lock(session: Session, row: ReportRow, viewer: Viewer, now: dt.datetime) -> None:
    """Lock a submitted report.

    Raises:
        ReportError: the role may not, or it is not submitted.
    """
    _require(may_take(viewer, row))
    if row.state != "submitted":
        raise _not_now(row)
    _lock(session, row, viewer.login, now)


def set_files(session: Session, row: ReportRow, files: Mapping[str, Any], now: dt.datetime) -> None:
    """Store the files of a submitted or locked report that has none yet."""
    if row.state in SUBMITTED and not row.files:
        row.files = dict(files)
        add_step(session, row, SYSTEM, "files", now, detail={"files": _checksums(row)})


def refresh_above(session: Session, row: ReportRow, now: dt.datetime) -> None:
    """Update the summaries above a report that are not signed yet."""
    schedule = read_schedule().reports
    for kind, rule in schedule.items():
        if rule.sums != row.kind:
            continue
        digits = {"village": 12, "township": 9, "county": 6}[rule.level]
        above = report_at(session, kind, row.area_code[:digits], row.last_day)
        if above is not None and above.state in EDITABLE:
            session.flush()
            above.content = fill_lower(session, above, Content.from_json(above.content)).to_json()
            above.changed_at = now
            _set_checks(session, above)
        elif above is not None and above.state == "planned":
            refresh_above(session, above, now)


def add_step(
    session: Session,
    row: ReportRow,
    who: str,
    what: str,
    now: dt.datetime,
    note: str = "",
    detail: Mapping[str, Any] | None = None,
) -> ReportStepRow:
    """Append a step to the hash chain of a report, and to the audit log where a person made it."""
    last = session.execute(
        select(ReportStepRow.sequence, ReportStepRow.hash)
        .where(ReportStepRow.report_id == row.id)
        .order_by(ReportStepRow.sequence.desc())
        .limit(1)
    ).first()
    step = ReportStepRow(
        report_id=row.id,
        sequence=(last.sequence if last else 0) + 1,
        at=now,
        who=who,
        what=what,
        note=note.strip()[:MAX_REASON],
        detail=dict(detail or {}),
        previous_hash=last.hash if last else GENESIS_HASH,
        hash="",
    )
    step.hash = row_hash(step.previous_hash, step_fields(step))
    session.add(step)
    row.changed_at = now
    if who != SYSTEM:
        about = f"{row.kind} {row.last_day}"
        more = {"report": row.id, **({"note": step.note} if step.note else {}), **step.detail}
        record_action(session, who=who, what=f"report_{what}", now=now, about=about, code=row.area_code, detail=more)
    session.flush()
    return step


def _lock(session: Session, row: ReportRow, who: str, now: dt.datetime, note: str = "") -> None:
    row.state, row.locked_at = "locked", now
    add_step(session, row, who, "locked", now, note, {"sha256": row.content_sha256, "files": _checksums(row)})


def _set_checks(session: Session, row: ReportRow) -> list[CheckResult]:
    results = run_checks(read_layout(row.kind).checks, corrected_content(session, row))
    row.checks = [result.to_json() for result in results]
    return results


def _require_checks(row: ReportRow, results: list[CheckResult]) -> None:
    unexplained = [one for one in results if not one.passed and one.key not in row.check_reasons]
    if unexplained:
        words = "; ".join(one.words("en").words for one in unexplained)
        raise ReportError(
            f"Checks fail: {words}. Correct the report, or give a reason for each.",
            "reports.checks_fail",
            checks="；".join(one.words("zh").words for one in unexplained),
        )


def _rule(row: ReportRow) -> ReportRule:
    return read_schedule().rule(row.kind)


def _holds(viewer: Viewer, row: ReportRow, roles: list[str]) -> bool:
    return may_see(viewer, row.area_code) and any(role in roles for role in viewer.roles)


def _require(allowed: bool) -> None:
    if not allowed:
        raise ReportError("Your role may not do this with the report.", "reports.role")


def _not_now(row: ReportRow) -> ReportError:
    return ReportError(f"The report is {row.state}; this step is not possible.", "reports.state", state=row.state)


def _checksums(row: ReportRow) -> dict[str, str]:
    return {name: str(file["sha256"]) for name, file in row.files.items()}
