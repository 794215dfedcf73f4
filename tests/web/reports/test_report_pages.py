"""Pages and API of reports: the table, its correction, both signatures, kept files equal to the page."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re

from openpyxl import load_workbook

from service.context import Context
from tests.web.conftest import NOW, SignIn
from tests.web.two_villages import CODES, create_villages


def test_a_village_reports_and_its_files_say_what_the_page_says(service: Context, sign_in: SignIn) -> None:
    create_villages(service)
    town, county = sign_in("town"), sign_in("county")
    made = town.post("/reports", data={"kind": "village_week", "area": CODES["a"], "day": "2026-11-20"})
    path = made.headers["hx-redirect"]
    assert "本周未发现" in town.get(path).text
    assert town.post(f"{path}/approve").status_code == 409
    assert "草稿" in town.get("/reports").text
    assert "待审核" in town.post(f"{path}/prepare").text
    assert "须由他人审核" in town.get(path).text
    assert town.post(f"{path}/approve").status_code == 409
    village = sign_in("village_a")
    page = village.post(f"{path}/approve").text
    assert "已上报" in page
    answer = village.get(f"/api{path}").json()
    assert answer["state"] == "submitted"
    assert answer["late"] is True  # the time was Friday noon
    assert [step["what"] for step in answer["steps"]] == ["planned", "filled", "prepared", "submitted", "files"]
    for file_format in ("xlsx", "docx", "pdf"):
        found = village.get(f"/api{path}/file?format={file_format}&language=zh")
        assert hashlib.sha256(found.content).hexdigest() == answer["files"][file_format]
        assert found.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    sheet = load_workbook(io.BytesIO(village.get(f"/api{path}/file?format=xlsx").content), data_only=True).worksheets[0]
    cells = {str(cell.value) for line in sheet.iter_rows() for cell in line if cell.value is not None}
    rows = re.findall(r"<tr class=\"emphasis\">(.*?)</tr>", page)
    shown = {words for words in re.findall(r"<td[^>]*>([^<]+)</td>", rows[0]) if words}
    assert shown <= cells
    returned = county.post(f"{path}/return", data={"reason": "the patrols are missing"})
    assert "the patrols are missing" in returned.text
    assert village.get(f"/api{path}").json()["files"] == {}


def test_a_cell_is_corrected_on_the_page(service: Context, sign_in: SignIn) -> None:
    create_villages(service)
    town = sign_in("town")
    with service.database.write() as session:
        from store.alerts.transitions import append_transition
        from store.schema.tables import AlertRow

        for alert in session.query(AlertRow):
            for state in ("triaged", "published", "dispatched"):
                append_transition(session, alert, state, who="county", role="county", why="", at=NOW)
    made = town.post("/reports", data={"kind": "village_week", "area": CODES["b"], "day": "2026-11-24"})
    path = made.headers["hx-redirect"]
    (table,) = town.get(f"/api{path}").json()["tables"]
    number = table["rows"][0][[column["key"] for column in table["columns"]].index("number")]
    cell = {"row": f"alerts/{number}", "field": "party", "value": "<b>Li</b>", "reason": "name"}
    page = town.post(f"{path}/correct", data=cell).text
    assert "&lt;b&gt;Li&lt;/b&gt;" in page
    assert "原值：–" in page
    assert town.post(f"{path}/correct", data=cell | {"field": "area_mu"}).status_code == 422
    assert town.get(f"/api{path}").json()["corrections"][0]["value"] == "<b>Li</b>"
    other = sign_in("village_a")
    assert other.get(path).status_code == 404
    assert CODES["b"] not in other.get("/api/reports").text


def test_decisions_of_meetings_are_entered_by_the_county(service: Context, sign_in: SignIn) -> None:
    create_villages(service)
    county = sign_in("county")
    words = {"area": "330199", "meeting_on": "2026-09-28", "who": "town", "what": "restore", "due_on": ""}
    assert "restore" in county.post("/meetings", data=words).text
    assert sign_in("town").post("/meetings", data=words).status_code in (403, 404)
    done = county.post("/meetings/1", data={"state": "done", "outcome": "restored on the spot"})
    assert "restored on the spot" in done.text
    assert dt.date.fromisoformat("2026-09-28").isoformat() in done.text
