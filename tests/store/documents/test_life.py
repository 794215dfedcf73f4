"""The life of documents: numbers without gaps or doubles, who may do what, reply clocks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.documents.errors import DocumentNotAllowedError
from store.access.rights import Viewer
from store.access.users import add_user
from store.documents.alert_words import alert_facts
from store.documents.drafting import change, draft, offered_kinds
from store.documents.found import Found, as_found, entries_of, step_evidence, visible_document
from store.documents.reply_clock import write_reply_messages
from store.documents.search import DocumentFilter, count_waiting, list_documents
from store.documents.steps import FILLED, Produced, check, issue, record_reply, serve, void
from store.documents.templates import TemplateFile, record_template
from store.schema.chain.document_tables import DocumentRow
from store.schema.chain.message_tables import MessageRow
from store.schema.database import Database
from store.schema.tables import AlertRow
from tests.store.sample_alerts import NOW, add_alert, add_village

TODAY = dt.date(2026, 12, 2)
ZONE = dt.timezone(dt.timedelta(hours=8))
COUNTY = Viewer("county", "county", "county", "330106", False, 1)
OTHER = Viewer("other", "other", "county", "330106", False, 2)
STRANGER = Viewer("far", "far", "county", "330109", False, 3)
VILLAGE = Viewer("village", "village", "village", "330106005201", False, 4)
NOTICE = {
    "party": "张三",
    "officer_a": "李四",
    "officer_a_card": "1",
    "officer_b": "王五",
    "officer_b_card": "2",
}


def produce(found: Found, values: Mapping[str, Any]) -> Produced:
    session = Session.object_session(found.row)
    assert session is not None
    file = TemplateFile(found.row.kind, "shipped", "a.docx", "a" * 64, "documents/templates/a.docx", 1)
    return Produced(record_template(session, file, who="x", now=NOW), "documents/1/a.docx", "b" * 64)


def set_up(session: Session, state: str = "field_checked") -> AlertRow:
    add_village(session)
    alert = add_alert(session)
    alert.state = state
    for login, role, code in (("county", "county", "330106"), ("town", "township", "330106005")):
        add_user(session, login=login, name=login, role=role, code=code, administrator=False, now=NOW)
    session.flush()
    return alert


def checked(session: Session, alert: AlertRow, kind: str = "stop_notice", **given: Any) -> Found:
    row = draft(session, alert, COUNTY, kind, now=NOW, zone=ZONE, given=NOTICE | given)
    found = as_found(row, alert)
    check(session, found, OTHER, NOW)
    return found


def issued(session: Session, alert: AlertRow, kind: str = "stop_notice", today: dt.date = TODAY, **given: Any) -> Found:
    found = checked(session, alert, kind, **given)
    issue(session, found, COUNTY, produce=produce, today=today, now=NOW, zone=ZONE)
    return found


def test_concurrent_issues_give_each_number_once_and_a_rollback_leaves_no_gap(database: Database) -> None:
    with database.write() as session:
        alert = set_up(session)
        ids = [checked(session, alert).row.id for _ in range(6)]

    def issue_one(document_id: int) -> None:
        with database.write() as session:
            found = visible_document(session, COUNTY, document_id, lock=True)
            assert found is not None
            issue(session, found, COUNTY, produce=produce, today=TODAY, now=NOW, zone=ZONE)
            if document_id == ids[2]:
                raise InterruptedError

    with ThreadPoolExecutor(3) as pool:
        failed = [type(job.exception()) for job in [pool.submit(issue_one, each) for each in ids] if job.exception()]
    assert failed == [InterruptedError]
    with database.write() as session:
        alert = session.scalars(select(AlertRow)).one()
        numbers = sorted(row.number for row in session.scalars(select(DocumentRow)) if row.number)
        assert numbers == [f"某自然资停〔2026〕{n}号" for n in range(1, 6)]
        assert issued(session, alert, today=dt.date(2027, 1, 4)).row.number == "某自然资停〔2027〕1号"


def test_a_document_keeps_what_it_was_made_from(sqlite: Database) -> None:
    with sqlite.write() as session:
        found = issued(session, set_up(session))
        row = found.row
        assert row.data[FILLED]["party"] == "张三"
        assert (row.template_version, row.template_sha256, row.docx_sha256) == (1, "a" * 64, "b" * 64)
        assert step_evidence(found) == {"stop_notice": "某自然资停〔2026〕1号", "notice_on": "2026-12-02"}
        with pytest.raises(DocumentNotAllowedError):
            change(session, found, COUNTY, {"party": "李四"}, NOW)
        serve(session, found, COUNTY, TODAY, "直接送达", today=TODAY, now=NOW)
        void(session, found, COUNTY, "当事人有误", NOW)
        assert (row.state, row.number) == ("void", "某自然资停〔2026〕1号")
        assert [entry.what for entry in entries_of(session, row.id)] == [
            "drafted",
            "checked",
            "issued",
            "served",
            "void",
        ]
        assert step_evidence(found) == {}


def test_the_person_who_entered_it_does_not_check_it_and_a_change_needs_a_new_check(sqlite: Database) -> None:
    with sqlite.write() as session:
        alert = set_up(session)
        row = draft(session, alert, COUNTY, "stop_notice", now=NOW, zone=ZONE)
        found = as_found(row, alert)
        with pytest.raises(DocumentNotAllowedError, match="another person"):
            check(session, found, COUNTY, NOW)
        with pytest.raises(DocumentNotAllowedError, match="Not filled in: Party"):
            check(session, found, OTHER, NOW)
        change(session, found, COUNTY, NOTICE, NOW)
        check(session, found, OTHER, NOW)
        change(session, found, OTHER, {"party": "李四"}, NOW)
        assert (row.state, row.checked_by) == ("draft", "")
        with pytest.raises(DocumentNotAllowedError):
            issue(session, found, COUNTY, produce=produce, today=TODAY, now=NOW, zone=ZONE)


def test_only_what_the_alert_and_the_role_allow_is_drafted(sqlite: Database) -> None:
    with sqlite.write() as session:
        alert = set_up(session)
        facts = alert_facts(session, alert, ZONE)
        offered = offered_kinds(alert, facts, COUNTY)
        assert {"stop_notice", "copy_township"} <= set(offered)
        assert not {"correction_order", "police_transfer", "public_notice"} & set(offered), "nobody determined it"
        assert offered_kinds(alert, facts, VILLAGE) == []
        with pytest.raises(DocumentNotAllowedError, match="only suspected"):
            draft(session, alert, COUNTY, "correction_order", now=NOW, zone=ZONE)
        with pytest.raises(DocumentNotAllowedError, match="refers to an issued document"):
            draft(session, alert, COUNTY, "proof_of_service", now=NOW, zone=ZONE)
        notice = issued(session, alert)
        proof = draft(session, alert, COUNTY, "proof_of_service", now=NOW, zone=ZONE, about=notice.row)
        assert proof.data["receiver"] == "张三"
        assert proof.data["served_number"] == notice.row.number
        assert visible_document(session, STRANGER, proof.id) is None
        assert visible_document(session, VILLAGE, proof.id) is None
        assert list_documents(session, VILLAGE, DocumentFilter(), TODAY) == []
        assert count_waiting(session, OTHER, TODAY) == 1
        assert count_waiting(session, COUNTY, TODAY) == 0


def test_a_missing_reply_is_told_to_the_sender_and_the_township_once_a_day(sqlite: Database) -> None:
    with sqlite.write() as session:
        alert = set_up(session)
        row = draft(session, alert, COUNTY, "copy_township", now=NOW, zone=ZONE)
        found = as_found(row, alert)
        check(session, found, OTHER, NOW)
        issue(session, found, COUNTY, produce=produce, today=TODAY, now=NOW, zone=ZONE)
        assert row.reply_due == dt.date(2026, 12, 9), "five working days after a Wednesday"
        kinds = [message.kind for message in session.scalars(select(MessageRow))]
        assert kinds == ["document_issued"]
        assert write_reply_messages(session, dt.date(2026, 12, 7), NOW) == 0
        assert write_reply_messages(session, dt.date(2026, 12, 8), NOW) == 2
        assert write_reply_messages(session, dt.date(2026, 12, 10), NOW) == 2
        assert write_reply_messages(session, dt.date(2026, 12, 11), NOW) == 0
        late = list_documents(session, COUNTY, DocumentFilter(overdue=True), dt.date(2026, 12, 10))
        assert [each.id for each, _ in late] == [row.id]
        record_reply(session, found, COUNTY, dt.date(2026, 12, 10), "已制止", today=dt.date(2026, 12, 10), now=NOW)
        assert list_documents(session, COUNTY, DocumentFilter(overdue=True), dt.date(2026, 12, 20)) == []
