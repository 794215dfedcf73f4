"""Review of one alert: rights, judgement, undo, split, and concurrent users."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from service.broker import check_broker, queue_lengths
from service.context import Context
from store.schema.user_tables import Action
from tests.service.evidence.test_intake import photo
from tests.store.review.review_setup import FINDINGS
from tests.web.conftest import Browser, SignIn
from tests.web.review.review_alerts import B, add_alerts

JUDGED = {"verdict": "false", "reason": "shadow"}
ROUTES = [
    ("GET", "", None),
    ("GET", "/data", None),
    ("GET", "/days", None),
    ("POST", "/lock", {}),
    ("POST", "/lock?renew=true", {}),
    ("DELETE", "/lock", None),
    ("POST", "/judge", JUDGED),
    ("POST", "/undo", {}),
    ("POST", "/assign", {"login": "town"}),
    ("POST", "/type", {"kind": "ground"}),
    ("POST", "/merge", {"alerts": ["330106U2026110099"]}),
    ("POST", "/split", {}),
    ("POST", "/move", {"to": "accepted"}),
]


@pytest.fixture
def numbers(service: Context) -> list[str]:
    return add_alerts(service, 3)


def _send(
    browser: Browser, number: str, what: str, body: object = None, method: str = "POST", language: str = "en"
) -> tuple[int, dict[str, Any]]:
    browser.cookies.set("tuban_language", language)
    response = browser.request(method, f"/alerts/{number}{what}", json=body, headers={"accept": "application/json"})
    return response.status_code, response.json() if response.content and "json" in response.headers[
        "content-type"
    ] else {}


def _data(browser: Browser, number: str, query: str = "") -> dict[str, Any]:
    code, data = _send(browser, number, f"/data{query}", None, "GET")
    assert code == 200
    return data


@pytest.mark.parametrize(("method", "what", "body"), ROUTES)
@pytest.mark.usefixtures("numbers")
def test_an_alert_of_another_village_is_not_found(sign_in: SignIn, method: str, what: str, body: object) -> None:
    assert _send(sign_in("village_a"), B, what, body, method)[0] == 404
    assert _send(sign_in("village_a"), "330199U2026110000", what, body, method)[0] == 404
    assert _data(sign_in("county"), B)["state"] == "new"


@pytest.mark.parametrize(("method", "what", "body"), ROUTES)
@pytest.mark.usefixtures("numbers")
def test_the_review_needs_authentication(anonymous: Browser, method: str, what: str, body: object) -> None:
    assert _send(anonymous, B, what, body, method)[0] == 401


def test_every_route_of_an_alert_is_in_the_table() -> None:
    from web.review.alert_routes import router

    routes = {(method, route.path) for route in router.routes for method in route.methods - {"HEAD"}}  # type: ignore[attr-defined]
    listed = {(method, "/alerts/{number}" + what.partition("?")[0]) for method, what, _ in ROUTES}
    assert routes == listed


def test_a_true_verdict_moves_the_alert_as_far_as_the_role_may(sign_in: SignIn, numbers: list[str]) -> None:
    code, data = _send(sign_in("county"), numbers[0], "/judge?states=new", {"verdict": "true"})
    assert (code, data["state"]) == (200, "published")
    assert data["next"] == numbers[1]


def test_the_event_of_a_verdict_is_published_immediately(service: Context, sign_in: SignIn, numbers: list[str]) -> None:
    check_broker(service.settings)
    _send(sign_in("county"), numbers[0], "/judge", {"verdict": "true"})
    assert queue_lengths(service.settings)["deliver"] >= 1


def test_a_role_that_may_not_judge_is_rejected_and_has_no_buttons(sign_in: SignIn, numbers: list[str]) -> None:
    village = sign_in("village_a")
    assert _data(village, numbers[0])["can"]["false"] is False
    code, data = _send(village, numbers[0], "/judge", JUDGED)
    assert code == 409
    assert "village" in str(data["detail"])


def test_errors_are_in_chinese_on_chinese_pages(sign_in: SignIn, numbers: list[str]) -> None:
    def error_message(who: str, what: str, body: object) -> str:
        return str(_send(sign_in(who), numbers[0], what, body, language="zh")[1]["detail"])

    assert error_message("village_a", "/judge", JUDGED).startswith("“新图斑”的图斑不能由“村级网格员”改为“伪变化”")
    assert error_message("county", "/undo", {}) == f"{numbers[0]} 没有可以撤销的操作。"
    assert error_message("county", "/split", {"line": [[120.0, 30.0], [120.0, 30.0001]]}).startswith(
        "这条线没有把图斑分开"
    )
    assert error_message("county", "/move", {"to": "suppressed"}) == "“已有批文，暂不推送”所需的材料未填全。"
    assert error_message("county", "/split", {"line": "x"}) == "所填内容不符合要求：body.line。"
    _send(sign_in("admin"), numbers[0], "/lock", {})
    assert error_message("county", "/judge", JUDGED) == f"admin 正在查看 {numbers[0]}，请稍后再试。"
    county = sign_in("county")
    county.cookies.set("tuban_language", "zh")
    assert "起始值 2026-11-02 大于截止值 2026-11-01" in county.get("/alerts?since=2026-11-02&until=2026-11-01").text
    assert "“many”不是数字" in county.get("/alerts?min_mu=many").text


def test_a_reason_is_shown_in_the_users_language(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    assert _send(county, numbers[0], "/judge", {**JUDGED, "words": "高楼"})[1]["state"] == "false_change"
    assert _data(county, numbers[0])["why"] == "Shadow: 高楼"
    assert _send(county, numbers[0], "/data", None, "GET", language="zh")[1]["why"] == "阴影：高楼"


@pytest.mark.parametrize(
    "body", [{"verdict": "false"}, {"verdict": "bad_imagery", "reason": "shadow"}, {"verdict": "guilty"}]
)
def test_a_judgement_without_a_known_reason_is_rejected(
    sign_in: SignIn, numbers: list[str], body: dict[str, str]
) -> None:
    assert _send(sign_in("county"), numbers[0], "/judge", body)[0] == 422
    assert _data(sign_in("county"), numbers[0])["state"] == "new"


def test_a_decision_is_undone_only_by_the_user_who_made_it(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    _send(county, numbers[0], "/judge", {"verdict": "true"})
    assert _send(sign_in("admin"), numbers[0], "/undo", {})[0] == 409
    code, data = _send(county, numbers[0], "/undo", {})
    assert (code, data["state"]) == (200, "new")
    assert data["log"][-1]["why"] == "undone"


def test_an_alert_is_locked_for_other_users(sign_in: SignIn, numbers: list[str]) -> None:
    first, second = sign_in("county"), sign_in("admin")
    data = _send(first, numbers[0], "/lock", {})[1]
    assert data["lock"] == {"mine": True, "by": ""}
    assert _send(second, numbers[0], "/lock", {})[1]["lock"] == {"mine": False, "by": "county"}
    assert _send(second, numbers[0], "/judge", JUDGED)[0] == 409
    assert _send(first, numbers[0], "/lock", None, "DELETE")[0] == 204
    assert _send(second, numbers[0], "/judge", JUDGED)[0] == 200


def test_judging_releases_the_lock(sign_in: SignIn, numbers: list[str]) -> None:
    first, second = sign_in("county"), sign_in("admin")
    _send(first, numbers[0], "/lock", {})
    _send(first, numbers[0], "/judge", JUDGED)
    assert _send(second, numbers[0], "/lock", {})[1]["lock"] == {"mine": True, "by": ""}


def test_a_lock_expires(sign_in: SignIn, service: Context, numbers: list[str]) -> None:
    _send(sign_in("county"), numbers[0], "/lock", {})
    other, now = sign_in("admin"), service.clock()
    service.clock = lambda: now + dt.timedelta(seconds=service.settings.web.lock_seconds + 1)
    assert _send(other, numbers[0], "/lock", {})[1]["lock"] == {"mine": True, "by": ""}


def test_a_decision_on_an_outdated_alert_is_rejected(sign_in: SignIn, service: Context, numbers: list[str]) -> None:
    now = service.clock()
    seen = _data(sign_in("county"), numbers[0])["as_of"]
    service.clock = lambda: now + dt.timedelta(seconds=20)
    assert _send(sign_in("admin"), numbers[0], "/judge", JUDGED)[0] == 200
    assert _send(sign_in("admin"), numbers[0], "/undo", {})[0] == 200
    code, data = _send(sign_in("county"), numbers[0], "/judge", {**JUDGED, "as_of": seen})
    assert code == 409
    assert "has changed it" in str(data["detail"])


def test_a_decision_on_another_alert_of_the_week_is_no_conflict(sign_in: SignIn, numbers: list[str]) -> None:
    seen = _data(sign_in("county"), numbers[1])["as_of"]
    assert _send(sign_in("admin"), numbers[0], "/judge", JUDGED)[0] == 200  # the others move up in their week
    assert _send(sign_in("county"), numbers[1], "/judge", {**JUDGED, "as_of": seen})[0] == 200


def test_assignment_and_type_are_in_the_audit_log(sign_in: SignIn, service: Context, numbers: list[str]) -> None:
    county = sign_in("county")
    assert _send(county, numbers[0], "/assign", {"login": "village_a"})[1]["assignee_name"] == "village_a"
    assert _send(county, numbers[0], "/assign", {"login": "village_b"})[0] == 409
    data = _send(county, numbers[0], "/type", {"kind": "ground", "change_type": "pushed_soil"})[1]
    assert (data["kind"], data["type"]) == ("ground", "pushed_soil")
    with service.database.read() as session:
        done = session.scalars(select(Action.what).where(Action.about == numbers[0]).order_by(Action.id)).all()
    assert list(done) == ["assigned", "set_type"]


def test_an_alert_is_split_at_its_gap_or_along_a_line(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    assert _data(county, numbers[0])["parts"] == 2
    code, data = _send(county, numbers[0], "/split", {})
    assert code == 200
    assert len(data["into"]) == 2
    assert _data(county, numbers[0])["state"] == "split"
    part = str(data["into"][0])
    assert _send(county, part, "/split", {})[0] == 422
    west, south, east, north = 120.0005, 30.0015, 120.002, 30.0015
    code, data = _send(county, part, "/split", {"line": [[west, south], [east, north]]})
    assert code == 200, data
    assert len(data["into"]) == 2


def test_transitions_are_offered_with_their_required_evidence(sign_in: SignIn, numbers: list[str]) -> None:
    county, town, village = sign_in("county"), sign_in("town"), sign_in("village_a")
    _send(county, numbers[0], "/judge", {"verdict": "true"})
    assert [step["to"] for step in _data(town, numbers[0])["steps"]] == ["dispatched"]
    assert _send(town, numbers[0], "/move", {"to": "dispatched"})[0] == 200
    assert _send(village, numbers[0], "/move", {"to": "accepted"})[0] == 200
    [step, *_] = _data(village, numbers[0])["steps"]
    assert [field["name"] for field in step["evidence"]] == ["photos", "works", "findings"]
    assert _send(village, numbers[0], "/move", {"to": "field_checked"})[0] == 409
    address = f"/api/alerts/{numbers[0]}/files?name=1.jpg&field=photos"
    photos = [village.post(address, content=photo((400 + more, 300))).json()["file"] for more in range(3)]
    evidence = {"photos": photos, "works": "built", "findings": FINDINGS}
    assert _send(village, numbers[0], "/move", {"to": "field_checked", "evidence": evidence})[0] == 200


def test_the_data_contains_everything_that_the_page_shows(sign_in: SignIn, numbers: list[str]) -> None:
    data = _data(sign_in("village_a"), numbers[1], "?sort=gravest")
    assert (data["previous"], data["next"], data["position"]) == (numbers[0], numbers[2], 2)
    assert data["residual"] == {"metres": 0.3, "pixels": 0.6, "remark": ""}
    assert [sight["mu"] for sight in data["sights"]] == [0.61, 1.22]
    assert data["overlaps"][0]["dated"] == "2025-12-31"
    # of the villages only their own
    assert {area["name"] for area in data["areas"]} == {"样例县", "样例镇", "上河村"}


def test_the_page_has_no_inline_script_and_contains_the_data(sign_in: SignIn, numbers: list[str]) -> None:
    page = sign_in("county").get(f"/alerts/{numbers[0]}?states=new").text
    assert not re.search(r'<script(?![^>]*(\bsrc=|application/json))|\son\w+="|\sstyle=', page)
    found = re.search(r'<script type="application/json" id="alert">(.+?)</script>', page)
    assert found is not None
    assert json.loads(found[1])["number"] == numbers[0]
