"""Fridays and letters: reports are signed, submitted, returned; documents are drafted, issued, served, answered."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.year_parts.county import County, Officer
from benchmarks.year_parts.service import ConnectionCut, SimulatedService
from enforcement.deadlines.working_days import Calendar
from enforcement.reports.schedule import read_schedule
from errors import TubanError
from service.documents.produce import issue_document
from service.documents.templates import registered, template_in_use
from service.reports.files import store_missing_files
from service.reports.schedule import add_reports_job
from store.documents.drafting import draft
from store.documents.found import Found, kind_named, step_evidence, visible_document
from store.documents.steps import Produced, check, issue, record_reply, serve, void
from store.reports.report_rows import visible_report
from store.reports.report_steps import approve, correct, prepare, send_back
from store.schema.chain.document_tables import DocumentRow
from store.schema.chain.report_tables import ReportRow
from store.schema.tables import AlertRow

Appointment = tuple[dt.datetime, Callable[[], None]]

RENDERED = 0.02
"""Share of reports of which xlsx, docx and PDF are written, and of documents that are filled into their template."""

GIVEN = {
    "party": "Zhang San", "party_code": "330199198001010011", "rule": "Land Administration Act",
    "officer_a": "Wang", "officer_a_card": "C-001", "officer_b": "Li", "officer_b_card": "C-002",
    "demand": "stop at once", "acceptance": "inspection on site", "correction": "demolish and restore",
}  # fmt: skip


@dataclass
class Paperwork:
    """Reports and documents of the county.

    Attributes:
        reports, documents: steps taken, by kind and step.
        failed_checks: (kind, check) of reports that were signed with a reason although a check failed.
        refused: refused steps by reason.
    """

    service: SimulatedService
    county: County
    calendar: Calendar
    rng: random.Random
    reports: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    failed_checks: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Leave Word files as they are: the year converts none."""
        self.service.handlers["documents.pdf"] = lambda _context, _job: None

    def appointments(self, day: dt.date) -> list[Appointment]:
        """Return what happens at which time of a day: the job of the hour, and those who sign."""
        clock = self.service.local
        found: list[Appointment] = [(clock(day, 9.1), lambda: self.hour(day, 9))]
        signs = (
            ("village_week", 9.2),
            ("township_week", 13.5),
            ("county_week", 16.6),
            ("month", 10.0),
            ("quarter", 10.5),
        )
        found += [(clock(day, at), self._signing(kind, day)) for kind, at in signs]
        found += [(clock(day, at + 0.1), lambda at=at: self.hour(day, at)) for at in (12, 16, 18)]  # type: ignore[misc]
        found.append((clock(day, 14.5), lambda: self._follow_documents(day)))
        return sorted(found, key=lambda each: each[0])

    def hour(self, day: dt.date, hour: int) -> None:
        """Run the job of reports of an hour."""
        with self.service.database.write() as session:
            add_reports_job(session, f"{day}T{hour:02d}", self.service.clock())
        self.service.run_jobs()

    def _signing(self, kind: str, day: dt.date) -> Callable[[], None]:
        return lambda: self._sign_all(kind, day)

    def _sign_all(self, kind: str, day: dt.date) -> None:
        """Sign the reports of a kind that are filled and not yet submitted."""
        rule, now = read_schedule().reports[kind], self.service.clock()
        with self.service.database.read() as session:
            query = select(ReportRow.id, ReportRow.area_code, ReportRow.last_day).where(
                ReportRow.kind == kind, ReportRow.state.in_(("draft", "returned")), ReportRow.filled_until <= now
            )
            waiting = session.execute(query.order_by(ReportRow.id)).all()
        for report_id, code, last_day in waiting:
            chance = random.Random(f"{report_id} {day}").random()
            if (last_day == day and chance < 0.04) or (last_day < day - dt.timedelta(days=6)) or chance < 0.01:
                continue  # late, or given up
            first, second = self._signers(rule.prepares, rule.approves, code, day)
            if first is None or second is None:
                continue
            self.service.clock.pass_seconds(2)
            try:
                with self.service.database.write() as session:
                    self._sign(session, report_id, first, second)
                if self.rng.random() < RENDERED:
                    self.reports[f"{kind} files"] += store_missing_files(self.service.context, report_id)
            except TubanError as error:
                self.refused[f"{kind}: {error.reason.code}"] += 1

    def _signers(
        self, prepares: list[str], approves: list[str], code: str, day: dt.date
    ) -> tuple[Officer | None, Officer | None]:
        """Return who prepares and who approves a report; different people."""
        first = next((one for role in prepares if (one := self.county.acting(role, code, day))), None)
        if first is None:
            return None, None
        roles = (role for role in approves if (self.county.acting(role, code, day, besides=first.login)))
        role = next(roles, None)
        return first, None if role is None else self.county.acting(role, code, day, besides=first.login)

    def _sign(self, session: Session, report_id: int, first: Officer, second: Officer) -> None:
        row = visible_report(session, first.viewer, report_id, lock=True)
        assert row is not None
        now = self.service.clock()
        alerts = row.content["tables"].get("alerts", ())
        if alerts and self.rng.random() < 0.05:
            address = f"alerts/{self.rng.choice(alerts)['key']}"
            correct(
                session, row, first.viewer, address=address, field="remarks", words="see letter", reason="", now=now
            )
            self.reports[f"{row.kind} corrected"] += 1
        failed = [one["key"] for one in row.checks if not one["passed"]]
        self.failed_checks.update(f"{row.kind} {key}" for key in failed if self._unexpected(row, key))
        reasons = dict.fromkeys(failed, "villages are missing")
        prepare(session, row, first.viewer, reasons, now)
        if self.rng.random() < 0.03:
            send_back(session, row, second.viewer, "the remarks are missing", now)
            prepare(session, row, first.viewer, reasons, now)
            self.reports[f"{row.kind} returned"] += 1
        approve(session, row, second.viewer, now)
        self.reports[f"{row.kind} submitted"] += 1

    @staticmethod
    def _unexpected(row: ReportRow, key: str) -> bool:
        """Whether a check fails although no report below is missing."""
        incomplete = any(one["key"] == "complete" and not one["passed"] for one in row.checks)
        return key != "complete" and not (key in ("lower", "stock") and incomplete)

    def notice(self, session: Session, alert: AlertRow, officer: Officer, correct_by: dt.date) -> dict[str, Any]:
        """Issue a stop notice or correction order; return the evidence of the step that it serves as."""
        kind = "correction_order" if alert.state == "unlawful" else "stop_notice"
        found = self._issued(session, alert, officer, kind, {"correct_by": correct_by.isoformat()})
        evidence = {} if found is None else step_evidence(found)
        return {**evidence, "correct_by": correct_by.isoformat()} if evidence else {}

    def letter(self, session: Session, alert: AlertRow, officer: Officer) -> None:
        """Send a letter to the township, which has to answer."""
        self._issued(session, alert, officer, "copy_township", {})

    def _issued(
        self, session: Session, alert: AlertRow, officer: Officer, kind: str, given: Mapping[str, str]
    ) -> Found | None:
        context, now = self.service.context, self.service.clock()
        other = self.county.acting(officer.role, alert.grid_code, context.today, besides=officer.login)
        if other is None:
            return None
        fields = kind_named(kind).fields
        values = {name: value for name, value in (GIVEN | dict(given)).items() if name in fields}
        row = draft(session, alert, officer.viewer, kind, now=now, zone=context.settings.zone, given=values)
        found = visible_document(session, other.viewer, row.id, lock=True)
        assert found is not None
        check(session, found, other.viewer, now)
        if self.rng.random() < 0.03:  # the connection breaks during the issue: its number is given again
            try:
                with session.begin_nested():
                    self._issue(session, found, officer)
                    raise ConnectionCut
            except ConnectionCut:
                session.expire_all()
                self.documents[f"{kind} broken off"] += 1
        self._issue(session, found, officer)
        self.documents[f"{kind} issued"] += 1
        if self.rng.random() < 0.03:
            void(session, found, officer.viewer, "a wrong name of the party", now)
            self.documents[f"{kind} void"] += 1
            return None
        return found

    def _issue(self, session: Session, found: Found, officer: Officer) -> None:
        context, now = self.service.context, self.service.clock()
        if self.rng.random() < RENDERED:
            issue_document(context, session, found, officer.viewer)
            return

        def produce(each: Found, values: Mapping[str, Any]) -> Produced:
            template = template_in_use(context, session, each.row.kind)
            row = registered(context, session, each.row.kind, template, who=officer.login, now=now)
            sha256 = hashlib.sha256(json.dumps(values, default=str, sort_keys=True).encode()).hexdigest()
            return Produced(row, f"documents/{each.row.id}/{sha256}.docx", sha256)

        issue(
            session, found, officer.viewer, produce=produce, today=context.today, now=now, zone=context.settings.zone
        )  # fmt: skip

    def _follow_documents(self, day: dt.date) -> None:
        """Serve issued documents and record replies, most of them in time."""
        with self.service.database.read() as session:
            query = (
                select(DocumentRow.id, DocumentRow.kind, DocumentRow.state, DocumentRow.reply_due, AlertRow.grid_code)
                .join(AlertRow, AlertRow.id == DocumentRow.alert_id)
                .where(DocumentRow.state.in_(("issued", "served")))
            )
            waiting = session.execute(query.order_by(DocumentRow.id)).all()
        for document_id, kind, state, reply_due, code in waiting:
            if (state == "served" and reply_due is None) or self.rng.random() < 0.6:
                continue
            officer = self.county.acting("county", code, day)
            if officer is None:
                continue
            self.service.clock.pass_seconds(5)
            try:
                with self.service.database.write() as session:
                    found = visible_document(session, officer.viewer, document_id, lock=True)
                    assert found is not None
                    now = self.service.clock()
                    if reply_due is not None and self.rng.random() < 0.7:
                        record_reply(session, found, officer.viewer, day, "works stopped", today=day, now=now)
                        self.documents[f"{kind} replied"] += 1
                    elif state == "issued":
                        serve(session, found, officer.viewer, day, "handed over", today=day, now=now)
                        self.documents[f"{kind} served"] += 1
            except TubanError as error:
                self.refused[f"{kind}: {error.reason.code}"] += 1
