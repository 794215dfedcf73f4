"""Rejection reasons: stored as Chinese text with a code, and shown in the user's language."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from configs.texts import LANGUAGES, catalogue, translate
from errors import Reason
from service.context import Context
from store.access.rights import Viewer
from store.alerts.audit import audit_alerts
from store.review.decisions import judge
from store.schema.tables import AlertRow, Transition
from tests.web.conftest import NOW, Browser, SignIn
from tests.web.review.review_alerts import add_alerts
from web.review.rejection_reasons import REASONS, legacy_rejection_reason, rejection_reason

COUNTY = Viewer("county", "county", "county", "330199", True, 2)


@pytest.fixture
def number(service: Context) -> str:
    return add_alerts(service, 1)[0]


def _judge(browser: Browser, number: str, **body: str) -> None:
    response = browser.post(f"/alerts/{number}/judge", json=body)
    assert response.status_code == 200, response.text


def _shown(browser: Browser, number: str, language: str) -> tuple[str, str]:
    """Return the reason next to the state, and that of the last step in the log."""
    browser.cookies.set("tuban_language", language)
    data = browser.get(f"/alerts/{number}/data").json()
    return data["why"], data["log"][-1]["why"]


def _last_step(service: Context, number: str) -> tuple[str, Any]:
    with service.database.read() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
        step = session.scalars(
            select(Transition).where(Transition.alert_id == alert.id).order_by(Transition.sequence.desc()).limit(1)
        ).one()
        assert alert.state_reason == step.why == step.evidence["reason"]
        return step.why, step.evidence.get("why")


def test_a_new_reason_is_stored_with_its_code_and_shown_in_both_languages(
    service: Context, sign_in: SignIn, number: str
) -> None:
    county = sign_in("county")
    _judge(county, number, verdict="false", reason="shadow", words="高楼")
    assert _last_step(service, number) == ("阴影：高楼", {"code": "reason.false.shadow", "note": "高楼"})
    assert _shown(county, number, "zh") == ("阴影：高楼", "阴影：高楼")
    assert _shown(county, number, "en") == ("Shadow: 高楼", "Shadow: 高楼")
    assert audit_alerts(service.database).intact


def test_a_reason_without_a_note_is_its_text_alone(service: Context, sign_in: SignIn, number: str) -> None:
    county = sign_in("county")
    _judge(county, number, verdict="bad_imagery", reason="cloud")
    assert _last_step(service, number) == ("云或雾遮挡", {"code": "reason.bad_imagery.cloud"})
    assert _shown(county, number, "en") == ("Cloud or haze", "Cloud or haze")


def test_a_bulk_rejection_stores_the_code_too(service: Context, sign_in: SignIn, number: str) -> None:
    county = sign_in("county")
    response = county.post("/alerts/reject", json={"numbers": [number], "reason": "film", "words": "新棚"})
    assert response.json()["done"] == [number]
    assert _last_step(service, number) == ("大棚或地膜：新棚", {"code": "reason.false.film", "note": "新棚"})
    assert _shown(county, number, "en") == ("Greenhouse or film: 新棚", "Greenhouse or film: 新棚")


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_reason_is_shown_in_the_users_own_words(
    service: Context, sign_in: SignIn, number: str, language: str
) -> None:
    county = sign_in("county")
    _judge(county, number, verdict="false", reason="other", words="白色石头：堆场")
    stored = ("白色石头：堆场", {"code": "reason.false.other", "note": "白色石头：堆场"})
    assert _last_step(service, number) == stored
    assert _shown(county, number, language) == ("白色石头：堆场", "白色石头：堆场")


def test_a_reason_that_an_earlier_version_stored_without_a_code_is_shown_in_both_languages(
    service: Context, sign_in: SignIn, number: str
) -> None:
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
        judge(session, alert, COUNTY, "false", reason="阴影：高楼", settings=service.settings, now=NOW)
    assert _last_step(service, number) == ("阴影：高楼", None)
    assert _shown(sign_in("county"), number, "zh") == ("阴影：高楼", "阴影：高楼")
    assert _shown(sign_in("county"), number, "en") == ("Shadow: 高楼", "Shadow: 高楼")


@pytest.mark.parametrize("words", ["", "白色石头", "其他：白色石头", "阴影很重", "Shadow", "scan 3, change 1"])
def test_other_words_without_a_code_are_shown_unchanged(words: str) -> None:
    reason = legacy_rejection_reason(words)
    assert reason.code == ""
    assert [translate(reason, language) for language in LANGUAGES] == [words, words]


def test_every_reason_has_a_text_and_is_recognized_by_it() -> None:
    for verdict, names in REASONS.items():
        for name in names:
            reason = rejection_reason(verdict, name, "云")
            assert reason.code in catalogue()
            if name != "other":
                legacy = legacy_rejection_reason(str(reason))
                assert (legacy.code, legacy.values) == (reason.code, {"note": "云"})


def test_an_undone_rejection_shows_no_reason_in_the_wrong_language(sign_in: SignIn, number: str) -> None:
    county = sign_in("county")
    _judge(county, number, verdict="false", reason="shadow")
    assert county.post(f"/alerts/{number}/undo").status_code == 200
    assert _shown(county, number, "zh") == ("撤销第 1 至 1 步", "撤销上一步")


def test_a_code_without_a_text_falls_back_to_the_stored_words() -> None:
    reason = Reason("旧原因", "reason.false.removed", note="x")
    assert [translate(reason, language) for language in LANGUAGES] == ["旧原因", "旧原因"]
