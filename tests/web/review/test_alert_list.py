"""The list of alerts: rights, filters, order and paging; bulk rejection and its undo."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from service.context import Context
from tests.web.conftest import Browser, SignIn
from tests.web.review.review_alerts import B, add_alerts
from web.review import alert_list_routes as alert_routes


def _shown(page: str) -> list[str]:
    return re.findall(r'data-number="(\w+)"', page)


@pytest.fixture
def numbers(service: Context) -> list[str]:
    return add_alerts(service, 7)


def test_the_url_without_a_filter_redirects_to_the_default_filter(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    to = county.get("/alerts").headers["location"]
    assert dict(parse_qsl(urlsplit(to).query)) == {"states": "new,returned,triaged", "over_cap": "0"}
    assert _shown(county.get(to).text) == [*numbers, B]


def test_a_village_sees_its_own_alerts_only(sign_in: SignIn, numbers: list[str]) -> None:
    assert set(_shown(sign_in("village_a").get("/alerts?sort=newest").text)) == set(numbers)
    assert _shown(sign_in("village_b").get("/alerts?sort=newest").text) == [B]
    assert _shown(sign_in("village_b").get("/alerts/cards?place=330199101001").text) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("place=330199101002", 1),
        ("kinds=ground", 2),
        ("kinds=ground&kinds=demolition", 4),
        ("states=published", 0),
        ("min_percent=97.5", 2),
        ("min_mu=1.25", 4),  # 833 m²
        ("sources_at_least=2", 0),
        ("overdue=1", 0),
        ("text=9001", 1),
        ("assignee=town", 0),
        ("over_cap=1", 0),
        ("since=2026-11-21", 0),
        ("bbox=120.05,30,120.1,30.05", 1),
    ],
)
def test_filters_are_in_the_url(sign_in: SignIn, numbers: list[str], query: str, expected: int) -> None:
    county = sign_in("county")
    shown = county.get(f"/alerts?{query}", headers={"hx-request": "true"})
    assert len(_shown(shown.text)) == expected
    # a link to what is shown shows the same to whoever opens it
    address = shown.headers["hx-push-url"]
    assert "mu=" not in address
    assert len(_shown(county.get(address).text)) == expected


def test_an_invalid_filter_is_rejected_with_the_expected_values(sign_in: SignIn) -> None:
    county = sign_in("county")
    county.cookies.set("tuban_language", "en")
    response = county.get("/alerts?states=stolen", headers={"accept": "application/json"})
    assert response.status_code == 400
    assert "expected one or more of new" in response.json()["detail"]
    assert county.get("/alerts?min_mu=x").status_code == 400


def test_the_list_is_paged(sign_in: SignIn, numbers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_routes, "PAGE_SIZE", 3)
    browser, seen, address = sign_in("county"), [], "/alerts?sort=largest"
    while address:
        page = browser.get(address).text
        seen += _shown(page)
        more = re.search(r'hx-get="(/alerts/cards\?[^"]+)"', page)
        address = more[1].replace("&amp;", "&") if more else ""
    assert seen == [B, *reversed(numbers)]


def _reject(browser: Browser, numbers: list[str], **values: str) -> dict[str, object]:
    response = browser.post("/alerts/reject", json={"numbers": numbers, "reason": "shadow", **values})
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_a_bulk_rejection_with_a_reason_can_be_undone(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    result = _reject(county, numbers[:3])
    assert result["done"] == numbers[:3]
    assert set(_shown(county.get("/alerts?states=false_change").text)) == set(numbers[:3])
    assert county.get("/alerts/figures").json()["done"] == 3
    back = county.post("/alerts/undo", json={"token": result["token"]}).json()
    assert back["done"] == numbers[:3]
    assert _shown(county.get("/alerts?states=false_change").text) == []
    assert county.get("/alerts/figures").json() == {"done": 0, "left": 8, "per_hour": 0}


def test_a_bulk_rejection_needs_a_known_reason_or_own_words(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    for body in ({"reason": "boring"}, {"reason": "other"}, {"reason": "other", "words": "  "}):
        assert county.post("/alerts/reject", json={"numbers": numbers, **body}).status_code == 422
    assert county.post("/alerts/reject", json={"numbers": [], "reason": "shadow"}).status_code == 422
    assert _reject(county, numbers[:1], reason="other", words="白色石头")["done"] == numbers[:1]


def test_a_village_cannot_reject_alerts_of_another(sign_in: SignIn, numbers: list[str]) -> None:
    result = _reject(sign_in("village_b"), [numbers[0], B])
    assert result["done"] == []
    assert result["skipped"][numbers[0]] == "there is no such alert"  # type: ignore[index]


def test_only_the_user_who_rejected_can_undo(sign_in: SignIn, numbers: list[str]) -> None:
    result = _reject(sign_in("county"), numbers[:2])
    assert sign_in("admin").post("/alerts/undo", json={"token": result["token"]}).status_code == 422


def test_the_page_has_no_inline_script_or_style(sign_in: SignIn, numbers: list[str]) -> None:
    page = sign_in("county").get("/alerts?sort=gravest").text
    assert not re.search(r'<script(?![^>]*(\bsrc=|application/json))|\son\w+="|\sstyle=', page)
