"""Documents through pages and API: from the draft to the reply, the step of the alert, templates, rights."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import docx
import pytest
from sqlalchemy import select

from service.context import Context
from service.documents import produce
from service.documents.produce import PDF_JOB, convert
from store.access.users import add_user
from store.integrity.references import references
from store.schema.chain.document_tables import DocumentRow
from store.schema.tables import AlertRow, Job, Transition
from store.schema.user_tables import Action
from tests.web.conftest import NOW, Browser, SignIn
from tests.web.two_villages import NUMBERS, Villages

ORDER = {
    "party": "张三<李四>公司",
    "act": "在甲村占用土地",
    "correct_by": "2026-12-20",
    "officer_a": "甲",
    "officer_a_card": "1",
    "officer_b": "乙",
    "officer_b_card": "2",
}


@pytest.fixture
def desk(service: Context, sign_in: SignIn, villages: Villages) -> tuple[Browser, Browser]:
    """Two officers of the county; the alert of village a is determined to be corrected."""
    with service.database.write() as session:
        add_user(session, login="chief", name="chief", role="county", code="330199", administrator=False, now=NOW)
    county = sign_in("county")
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == NUMBERS["a"])).one()
        for sequence, state in enumerate(("reviewed", "unlawful"), 2):
            values = {"alert_id": alert.id, "sequence": sequence, "from_state": "new", "to_state": state}
            logged = {"who": "chief", "role": "county", "at": NOW, "previous_hash": "", "hash": str(sequence)}
            session.add(Transition(**values, **logged))
        alert.state = "unlawful"
    chief = sign_in("chief")
    for browser in (county, chief):
        browser.cookies.set("tuban_language", "en")
    return county, chief


def draft(browser: Browser, kind: str = "correction_order", **data: Any) -> int:
    body = {"kind": kind, "data": ORDER | data}
    response = browser.post(f"/api/alerts/{NUMBERS['a']}/documents", json=body)
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


def step(browser: Browser, document: int, name: str, **values: str) -> Any:
    return browser.post(f"/documents/{document}/steps", data={"step": name, **values})


def text_of(content: bytes) -> str:
    document = docx.Document(io.BytesIO(content))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def test_from_the_draft_to_the_step_of_the_alert(
    service: Context, desk: tuple[Browser, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    county, chief = desk
    number = draft(county)
    page = county.get(f"/documents/{number}")
    assert "张三&lt;李四&gt;公司" in page.text
    sent = {"f_party": "张三<李四>公司", "f_remark": "x", "preview": "1"}
    assert county.post(f"/documents/{number}/fields", data=sent).headers["hx-refresh"] == "true"
    assert "〔2026〕　　号" in text_of(county.get(f"/documents/{number}/file.docx").content)
    assert step(county, number, "check").status_code == 409, "the person who entered it does not check it"
    assert step(chief, number, "check").status_code == 200
    assert step(county, number, "issue").status_code == 200
    issued = county.get(f"/api/documents/{number}").json()
    assert (issued["state"], issued["number"]) == ("issued", "某自然资改〔2026〕1号")
    words = text_of(county.get(f"/api/documents/{number}/file.docx").content)
    assert "张三<李四>公司" in words
    assert "某自然资改〔2026〕1号" in words
    with service.database.read() as session:
        kept = references(session)
        row = session.get_one(DocumentRow, number)
        job = session.scalars(select(Job).where(Job.kind == PDF_JOB).order_by(Job.id.desc())).first()
        assert {row.docx_key, f"documents/templates/{row.template_sha256}.docx"} <= set(kept)
    assert job is not None
    monkeypatch.setattr(produce, "convert_to_pdf", lambda content: b"%PDF-1.7 " + content[:10])
    commit = convert(service, number, job.payload["sha256"])
    with service.database.write() as session:
        commit(session)
    assert county.get(f"/documents/{number}/file.pdf").content.startswith(b"%PDF-")
    form = county.get(f"/alerts/{NUMBERS['a']}/form?to=correcting").json()
    assert form["documents"] == [
        {"stop_notice": "某自然资改〔2026〕1号", "notice_on": "2026-11-24", "correct_by": "2026-12-20"}
    ]
    assert "correcting" in county.get(f"/documents/{number}").text
    assert county.post(f"/documents/{number}/alert-step", data={"to": "correcting"}).status_code == 200
    with service.database.read() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == NUMBERS["a"])).one()
        assert alert.state == "correcting"
        done = [what for what in session.scalars(select(Action.what).order_by(Action.id)) if what.endswith("_document")]
    assert done == [f"{what}_document" for what in ("drafted", "changed", "previewed", "checked", "issued")]
    assert step(county, number, "serve", on="2026-11-24", words="直接送达").status_code == 200
    assert step(county, number, "void", words="当事人有误").status_code == 200
    assert "当事人有误" in county.get(f"/documents/{number}").text


def test_without_a_converter_there_is_the_word_file_and_it_is_said(
    service: Context, desk: tuple[Browser, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    county, _ = desk
    number = draft(county)
    county.post(f"/documents/{number}/fields", data={"preview": "1"})
    monkeypatch.setattr("service.documents.pdf.converter", lambda: None)
    with service.database.read() as session:
        sha256 = session.get_one(DocumentRow, number).docx_sha256
    commit = convert(service, number, sha256)
    with service.database.write() as session:
        commit(session)
    assert "LibreOffice is not installed" in county.get(f"/documents/{number}").text
    assert county.get(f"/documents/{number}/file.pdf").status_code == 404


def test_lists_and_the_section_of_an_alert_show_what_a_person_may_see(
    desk: tuple[Browser, Browser], sign_in: SignIn
) -> None:
    county, chief = desk
    number = draft(county)
    assert NUMBERS["a"] in chief.get("/documents?mine=true").text
    assert chief.get("/documents/count").text == "<b>1</b>"
    assert "No documents match" in county.get("/documents?state=issued&overdue=true").text
    found = county.get(f"/alerts/{NUMBERS['a']}/documents").json()
    assert [each["state"] for each in found["documents"]] == ["draft"]
    assert "stop_notice" in [each["kind"] for each in found["kinds"]]
    village = sign_in("village_a")
    assert village.get(f"/alerts/{NUMBERS['a']}/documents").json()["documents"] == []
    assert village.get(f"/documents/{number}").status_code == 404
    assert village.post(f"/api/alerts/{NUMBERS['a']}/documents", json={"kind": "stop_notice"}).status_code == 404


def test_a_receipt_is_kept_as_evidence(desk: tuple[Browser, Browser]) -> None:
    county, _ = desk
    number = draft(county)
    file = {"file": ("回执.docx", county.get("/documents/templates/stop_notice/file.docx").content)}
    assert county.post(f"/documents/{number}/receipts", files=file).status_code == 200
    page = county.get(f"/documents/{number}").text
    assert "回执.docx" in page
    address = page.partition(f"/documents/{number}/receipts/")[2].partition('"')[0]
    assert county.get(f"/documents/{number}/receipts/{address}").content == file["file"][1]


def test_a_template_is_checked_used_and_can_be_taken_back(desk: tuple[Browser, Browser], sign_in: SignIn) -> None:
    admin, county = sign_in("admin"), desk[0]
    admin.cookies.set("tuban_language", "en")

    def upload(*paragraphs: str) -> Any:
        document, out = docx.Document(), io.BytesIO()
        for words in paragraphs:
            document.add_paragraph(words)
        document.save(out)
        return admin.post(
            "/documents/templates", data={"kind": "stop_notice"}, files={"file": ("own.docx", out.getvalue())}
        )

    refused = upload("{{ 当事人名 }}")
    assert refused.status_code == 422
    assert "paragraph 1" in refused.json()["detail"]
    assert upload("本局格式 {{ 文号 }} {{ 当事人 }}").headers["hx-redirect"] == "/documents/templates?accepted=1"
    assert "it has no page numbers" in admin.get("/documents/templates").text
    sample = county.get("/documents/templates/stop_notice/sample.docx").content
    assert text_of(sample).startswith("本局格式")
    assert county.post("/documents/templates/stop_notice/use", data={"number": "0"}).status_code == 404
    assert admin.post("/documents/templates/stop_notice/use", data={"number": "0"}).status_code == 200
    shipped = county.get("/documents/templates/stop_notice/sample.docx").content
    assert "责令停止" in text_of(shipped)


def test_a_dropped_template_is_used_and_its_wrong_field_is_told_with_its_place(
    desk: tuple[Browser, Browser], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    county, own = desk[0], tmp_path / "documents"
    own.mkdir()
    monkeypatch.chdir(tmp_path)
    number = draft(county)

    def preview(words: str) -> Any:
        document = docx.Document()
        document.add_paragraph("某某局")
        document.add_table(1, 2).cell(0, 1).text = words
        document.save(own / "correction_order.docx")
        return county.post(f"/documents/{number}/fields", data={"f_party": "张三", "preview": "1"})

    assert preview("{{ 当事人 }}").status_code == 200
    assert "张三" in text_of(county.get(f"/documents/{number}/file.docx").content)
    refused = preview("{{ 当事人名 }}")
    assert refused.status_code == 422, refused.text
    assert all(words in refused.text for words in ("当事人名", "table 1", "row 1"))
