"""The to-do page offers what a user may do, and no more: the API has the same rule."""

from __future__ import annotations

import re

from sqlalchemy import select

from service.context import Context
from store.access.users import add_user, set_roles, user_by_login
from store.schema.tables import AlertRow
from tests.web.conftest import NOW, Browser, SignIn
from tests.web.review.review_alerts import B, add_alerts

A = "330199U20261100001"
"""Number of the first alert."""


def _set_state(service: Context, number: str, state: str) -> None:
    with service.database.write() as session:
        session.scalars(select(AlertRow).where(AlertRow.number == number)).one().state = state


def _buttons(browser: Browser, path: str = "/todo") -> set[str]:
    return set(re.findall(r'class="[a-z ]*step[a-z ]*" data-to="([a-z_]+)"', browser.get(path).text))


def test_sign_in_leads_to_the_list_of_what_waits(sign_in: SignIn, service: Context) -> None:
    add_alerts(service, 2)
    county, village = sign_in("county"), sign_in("village_a")
    assert county.get("/").headers["location"] == "/todo"
    listed = county.get("/api/todo").json()
    assert (listed["total"], listed["waiting"], listed["states"]) == (3, 3, {"new": 3})
    assert {step["to"] for step in listed["alerts"][0]["steps"]} >= {"published", "dispatched", "false_change"}
    assert county.get("/todo/count").text == "<b>3</b>"
    assert (village.get("/api/todo").json()["total"], village.get("/todo/count").text) == (0, "")
    _set_state(service, A, "dispatched")
    assert [one["number"] for one in village.get("/api/todo?state=dispatched").json()["alerts"]] == [A]
    assert _buttons(village) == {"accepted", "submitted", "disputed"}
    assert B not in village.get("/todo").text
    assert village.get("/api/todo?state=nonsense").status_code in (400, 422)


def test_where_nobody_can_act_the_page_says_who_is_missing(sign_in: SignIn, service: Context) -> None:
    add_alerts(service)
    _set_state(service, A, "dispatched")
    admin = sign_in("admin")
    for login in ("village_a", "town", "county"):
        with service.database.write() as session:
            user = user_by_login(session, login)
            assert user is not None
            user.active = False
    page = admin.get("/todo?state=dispatched").text
    assert "当地没有村级网格员" in page
    assert 'class="button" href="/people"' in page
    assert {"published", "dispatched", "false_change"} <= _buttons(admin, "/todo?state=new")  # the city acts itself


def test_a_step_that_the_page_does_not_offer_is_refused_by_the_api(sign_in: SignIn, service: Context) -> None:
    add_alerts(service)
    for state, login, to in (
        ("new", "county", "closed"),
        ("new", "town", "published"),
        ("submitted", "village_a", "reviewed"),
        ("dispatched", "county", "accepted"),
        ("new", "county", "merged"),
    ):
        _set_state(service, A, state)
        browser = sign_in(login)
        shown = browser.get(f"/alerts/{A}/data").json()
        assert to not in {step["to"] for step in shown["steps"]} | _buttons(browser)
        assert to not in browser.get(f"/api/alerts/{A}/transitions").json()["ways_out"]
        single = browser.post(f"/api/alerts/{A}/transitions", json={"to": to, "evidence": {}})
        bulk = browser.post("/api/todo/steps", json={"numbers": [A], "to": to})
        assert single.status_code in (403, 409, 422), (state, login, to)
        assert bulk.status_code == 409 or bulk.json()["done"] == []
        with service.database.read() as session:
            assert session.scalars(select(AlertRow.state).where(AlertRow.number == A)).one() == state


def test_a_bulk_step_names_each_alert_that_was_not_changed(sign_in: SignIn, service: Context) -> None:
    numbers = add_alerts(service, 3)
    _set_state(service, numbers[1], "closed")
    county = sign_in("county")
    body = {"numbers": [*numbers, "330199U1"], "to": "published"}
    result = county.post("/api/todo/steps", json=body, headers={"accept-language": "zh"}).json()
    assert result["done"] == [numbers[0], numbers[2]]
    assert {one["number"] for one in result["skipped"]} == {numbers[1], "330199U1"}
    undone = county.post("/alerts/undo", json={"token": result["token"]}).json()
    assert len(undone["done"]) == 2
    reasons = county.post(
        "/api/todo/steps", json={"numbers": numbers[:1], "to": "false_change", "evidence": {"reason": "shadow"}}
    ).json()
    assert reasons["done"] == numbers[:1]
    assert county.post("/api/todo/steps", json={"numbers": numbers}).status_code == 422


def test_a_leader_sees_everything_and_changes_nothing(sign_in: SignIn, service: Context) -> None:
    add_alerts(service)
    with service.database.write() as session:
        add_user(session, login="chief", name="陈", role="leader", code="330199", now=NOW)
    leader = sign_in("chief")
    assert A in leader.get("/todo").text
    assert (_buttons(leader), 'name="number"' in leader.get("/todo").text) == (set(), False)
    assert not any(leader.get(f"/alerts/{A}/data").json()["can"].values())
    for path, body in (
        ("/api/todo/steps", {"numbers": [A], "to": "published"}),
        (f"/alerts/{A}/lock", None),
        (f"/alerts/{A}/judge", {"verdict": "true"}),
        (f"/alerts/{A}/assign", {"login": "county"}),
        ("/api/batches", {"area": "330199101001", "name": "x"}),
    ):
        assert leader.post(path, json=body).status_code == 403, path
    assert leader.post("/account/language", data={"language": "en"}).status_code == 200


def test_several_roles_are_set_on_the_page_and_apply_at_once(sign_in: SignIn, service: Context) -> None:
    add_alerts(service)
    _set_state(service, A, "accepted")
    admin, town = sign_in("county"), sign_in("town")
    with service.database.read() as session:
        town_row, county_row = user_by_login(session, "town"), user_by_login(session, "county")
        assert town_row is not None and county_row is not None  # noqa: PT018
    form = {"roles": ["township", "village"], "code": "330199101"}
    assert admin.post(f"/people/{town_row.id}/roles", data=form).status_code == 200
    assert "submitted" in _buttons(town)
    refused = admin.post(f"/people/{town_row.id}/roles", data={"roles": ["city"], "code": "330199101"})
    assert refused.status_code in (403, 422)
    assert admin.post(f"/people/{county_row.id}/roles", data={"roles": ["county"], "code": "330199"}).status_code == 422
    with service.database.write() as session:
        user = user_by_login(session, "town")
        assert user is not None
        set_roles(session, user, ["leader"], "330199101", administrator=False)
    assert _buttons(town) == set()
