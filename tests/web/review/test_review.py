"""One alert: who may see and change it, judging, taking back, splitting, and two people at the same time."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from service.context import Context
from store.schema.user_tables import Action
from tests.web.conftest import Browser, SignIn
from tests.web.review.review_alerts import B, add_alerts

JUDGED = {"verdict": "false", "reason": "shadow"}
ROUTES = [
    ("GET", "", None),
    ("GET", "/data", None),
    ("POST", "/lock", {}),
    ("POST", "/lock?renew=true", {}),
    ("DELETE", "/lock", None),
    ("POST", "/judge", JUDGED),
    ("POST", "/undo", {}),
    ("POST", "/assign", {"login": "town"}),
    ("POST", "/type", {"kind": "ground"}),
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
    answer = browser.request(method, f"/alerts/{number}{what}", json=body, headers={"accept": "application/json"})
    return answer.status_code, answer.json() if answer.content and "json" in answer.headers["content-type"] else {}


def _data(browser: Browser, number: str, query: str = "") -> dict[str, Any]:
    code, told = _send(browser, number, f"/data{query}", None, "GET")
    assert code == 200
    return told


@pytest.mark.parametrize(("method", "what", "body"), ROUTES)
@pytest.mark.usefixtures("numbers")
def test_an_alert_of_another_village_is_not_there(sign_in: SignIn, method: str, what: str, body: object) -> None:
    assert _send(sign_in("village_a"), B, what, body, method)[0] == 404
    assert _send(sign_in("village_a"), "330199U2026110000", what, body, method)[0] == 404
    assert _data(sign_in("county"), B)["state"] == "new"


@pytest.mark.parametrize(("method", "what", "body"), ROUTES)
@pytest.mark.usefixtures("numbers")
def test_a_stranger_is_asked_to_sign_in(stranger: Browser, method: str, what: str, body: object) -> None:
    assert _send(stranger, B, what, body, method)[0] == 401


def test_every_route_of_an_alert_is_in_the_table() -> None:
    from web.review.alert_routes import router

    told = {(method, route.path) for route in router.routes for method in route.methods}  # type: ignore[attr-defined]
    listed = {(method, "/alerts/{number}" + what.partition("?")[0]) for method, what, _ in ROUTES}
    assert told == listed


def test_likely_true_goes_on_as_far_as_the_role_may_take_it(sign_in: SignIn, numbers: list[str]) -> None:
    code, told = _send(sign_in("county"), numbers[0], "/judge?states=new", {"verdict": "true"})
    assert (code, told["state"]) == (200, "published")
    assert told["next"] == numbers[1]


def test_who_may_not_judge_is_told_so_and_has_no_buttons(sign_in: SignIn, numbers: list[str]) -> None:
    village = sign_in("village_a")
    assert _data(village, numbers[0])["can"]["false"] is False
    code, told = _send(village, numbers[0], "/judge", JUDGED)
    assert code == 409
    assert "village" in str(told["error"])


def test_what_is_refused_is_said_in_chinese_on_chinese_pages(sign_in: SignIn, numbers: list[str]) -> None:
    def told(who: str, what: str, body: object) -> str:
        return str(_send(sign_in(who), numbers[0], what, body, language="zh")[1]["error"])

    assert told("village_a", "/judge", JUDGED).startswith("“新线索”的图斑不能由“村”改为“伪变化”")
    assert told("county", "/undo", {}) == f"{numbers[0]} 没有可以撤销的操作。"
    assert told("county", "/split", {"line": [[120.0, 30.0], [120.0, 30.0001]]}).startswith("这条线没有把图斑分开")
    assert told("county", "/move", {"to": "suppressed"}) == "“已有批文，暂不推送”所需的材料未填全。"
    assert told("county", "/split", {"line": "x"}) == "所填内容不符合要求：body.line。"
    _send(sign_in("admin"), numbers[0], "/lock", {})
    assert told("county", "/judge", JUDGED) == f"admin 正在查看 {numbers[0]}，请稍后再试。"
    county = sign_in("county")
    county.cookies.set("tuban_language", "zh")
    assert "起始值 2026-11-02 大于截止值 2026-11-01" in county.get("/alerts?since=2026-11-02&until=2026-11-01").text
    assert "“many”不是数字" in county.get("/alerts?min_mu=many").text


def test_a_reason_is_kept_in_chinese_and_read_in_ones_own_language(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    assert _send(county, numbers[0], "/judge", {**JUDGED, "words": "高楼"})[1]["state"] == "false_change"
    assert _data(county, numbers[0])["why"] == "Shadow: 高楼"
    assert _send(county, numbers[0], "/data", None, "GET", language="zh")[1]["why"] == "阴影：高楼"


@pytest.mark.parametrize(
    "body", [{"verdict": "false"}, {"verdict": "bad_imagery", "reason": "shadow"}, {"verdict": "guilty"}]
)
def test_a_judgement_without_a_known_reason_changes_nothing(
    sign_in: SignIn, numbers: list[str], body: dict[str, str]
) -> None:
    assert _send(sign_in("county"), numbers[0], "/judge", body)[0] == 422
    assert _data(sign_in("county"), numbers[0])["state"] == "new"


def test_a_decision_is_taken_back_by_who_made_it(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    _send(county, numbers[0], "/judge", {"verdict": "true"})
    assert _send(sign_in("admin"), numbers[0], "/undo", {})[0] == 409
    code, told = _send(county, numbers[0], "/undo", {})
    assert (code, told["state"]) == (200, "new")
    assert told["log"][-1]["why"] == "undone"


def test_two_people_and_one_alert(sign_in: SignIn, numbers: list[str]) -> None:
    first, second = sign_in("county"), sign_in("admin")
    told = _send(first, numbers[0], "/lock", {})[1]
    assert told["lock"] == {"mine": True, "by": ""}
    assert _send(second, numbers[0], "/lock", {})[1]["lock"] == {"mine": False, "by": "county"}
    assert _send(second, numbers[0], "/judge", JUDGED)[0] == 409
    assert _send(first, numbers[0], "/lock", None, "DELETE")[0] == 204
    assert _send(second, numbers[0], "/judge", JUDGED)[0] == 200


def test_judging_lets_go_of_the_alert(sign_in: SignIn, numbers: list[str]) -> None:
    first, second = sign_in("county"), sign_in("admin")
    _send(first, numbers[0], "/lock", {})
    _send(first, numbers[0], "/judge", JUDGED)
    assert _send(second, numbers[0], "/lock", {})[1]["lock"] == {"mine": True, "by": ""}


def test_a_lock_ends_by_itself(sign_in: SignIn, service: Context, numbers: list[str]) -> None:
    _send(sign_in("county"), numbers[0], "/lock", {})
    other, now = sign_in("admin"), service.clock()
    service.clock = lambda: now + dt.timedelta(seconds=service.settings.web.lock_seconds + 1)
    assert _send(other, numbers[0], "/lock", {})[1]["lock"] == {"mine": True, "by": ""}


def test_what_was_decided_on_an_older_look_is_refused(sign_in: SignIn, service: Context, numbers: list[str]) -> None:
    now = service.clock()
    seen = _data(sign_in("county"), numbers[0])["as_of"]
    service.clock = lambda: now + dt.timedelta(seconds=20)
    assert _send(sign_in("admin"), numbers[0], "/judge", JUDGED)[0] == 200
    assert _send(sign_in("admin"), numbers[0], "/undo", {})[0] == 200
    code, told = _send(sign_in("county"), numbers[0], "/judge", {**JUDGED, "as_of": seen})
    assert code == 409
    assert "has changed it" in str(told["error"])


def test_a_colleagues_decision_on_another_alert_of_the_week_does_not_stand_in_the_way(
    sign_in: SignIn, numbers: list[str]
) -> None:
    seen = _data(sign_in("county"), numbers[1])["as_of"]
    assert _send(sign_in("admin"), numbers[0], "/judge", JUDGED)[0] == 200  # the others move up in their week
    assert _send(sign_in("county"), numbers[1], "/judge", {**JUDGED, "as_of": seen})[0] == 200


def test_assigning_and_typing_are_in_the_log_of_actions(sign_in: SignIn, service: Context, numbers: list[str]) -> None:
    county = sign_in("county")
    assert _send(county, numbers[0], "/assign", {"login": "village_a"})[1]["assignee_name"] == "village_a"
    assert _send(county, numbers[0], "/assign", {"login": "village_b"})[0] == 409
    told = _send(county, numbers[0], "/type", {"kind": "ground", "change_type": "pushed_soil"})[1]
    assert (told["kind"], told["type"]) == ("ground", "pushed_soil")
    with service.database.read() as session:
        done = session.scalars(select(Action.what).where(Action.about == numbers[0]).order_by(Action.id)).all()
    assert list(done) == ["assigned", "set_type"]


def test_an_alert_is_split_at_its_gap_or_along_a_line(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    assert _data(county, numbers[0])["parts"] == 2
    code, told = _send(county, numbers[0], "/split", {})
    assert code == 200
    assert len(told["into"]) == 2
    assert _data(county, numbers[0])["state"] == "split"
    part = str(told["into"][0])
    assert _send(county, part, "/split", {})[0] == 422
    west, south, east, north = 120.0005, 30.0015, 120.002, 30.0015
    code, told = _send(county, part, "/split", {"line": [[west, south], [east, north]]})
    assert code == 200, told
    assert len(told["into"]) == 2


def test_steps_of_the_table_are_offered_with_what_they_need(sign_in: SignIn, numbers: list[str]) -> None:
    county, town, village = sign_in("county"), sign_in("town"), sign_in("village_a")
    _send(county, numbers[0], "/judge", {"verdict": "true"})
    assert [step["to"] for step in _data(town, numbers[0])["steps"]] == ["dispatched"]
    assert _send(town, numbers[0], "/move", {"to": "dispatched"})[0] == 200
    assert _send(village, numbers[0], "/move", {"to": "accepted"})[0] == 200
    [step, *_] = _data(village, numbers[0])["steps"]
    assert [field["name"] for field in step["evidence"]] == ["photos", "works"]
    assert _send(village, numbers[0], "/move", {"to": "field_checked"})[0] == 409
    given = {"photos": ["1.jpg"], "works": "built"}
    assert _send(village, numbers[0], "/move", {"to": "field_checked", "evidence": given})[0] == 200


def test_the_data_tells_all_that_the_page_shows(sign_in: SignIn, numbers: list[str]) -> None:
    told = _data(sign_in("village_a"), numbers[1], "?sort=gravest")
    assert (told["previous"], told["next"], told["position"]) == (numbers[0], numbers[2], 2)
    assert told["residual"] == {"metres": 0.3, "pixels": 0.6}
    assert [sight["mu"] for sight in told["sights"]] == [0.61, 1.22]
    assert told["overlaps"][0]["dated"] == "2025-12-31"
    # of the villages only their own
    assert {area["name"] for area in told["areas"]} == {"样例县", "样例镇", "上河村"}


def test_the_page_is_sound(sign_in: SignIn, numbers: list[str]) -> None:
    page = sign_in("county").get(f"/alerts/{numbers[0]}?states=new").text
    assert not re.search(r'<script(?![^>]*(\bsrc=|application/json))|\son\w+="|\sstyle=', page)
    found = re.search(r'<script type="application/json" id="alert">(.+?)</script>', page)
    assert found is not None
    assert json.loads(found[1])["number"] == numbers[0]
