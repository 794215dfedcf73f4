"""The administrator's page of reviews and own weights, and the notice about damaged images of an alert."""

from __future__ import annotations

import re

from service.context import Context
from store.integrity.damage import Damage, record_damage
from store.schema.tables import Observation, Scan, SceneRow
from store.weights.own_weights import add_weights, record_use
from tests.web.conftest import NOW, SignIn
from tests.web.review.test_training_export import reviewed_service
from tests.web.two_villages import NUMBERS, Villages

__all__ = ["reviewed_service"]


def test_the_page_counts_reviews_and_shows_what_training_gained(reviewed_service: Context, sign_in: SignIn) -> None:
    comparison = {
        "rendered": {"building": [0.858, 0.871], "ground": [0.602, 0.611]},
        "reviews": {"confirmed": 12, "rejected": 8, "old": 11, "new": 18},
    }
    with reviewed_service.database.write() as session:
        version = add_weights(session, name="own-12", sha256="a" * 64, entry={}, card="", who="command", now=NOW)
        record_use(session, version, who="command", now=NOW, comparison=comparison)
    browser = sign_in("county")
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", browser.get("/weights").text))
    assert "合计 1 1 2 0" in shown
    assert "建筑 F1 0.858 → 0.871" in shown
    assert "留检图斑判断正确 11 → 18，共 20" in shown
    assert re.search(r"1 own-12 [\d: -]+ ✓", shown)


def test_only_administrators_see_the_page(sign_in: SignIn) -> None:
    assert sign_in("village_a").get("/weights").status_code == 403


def test_an_alert_says_that_its_image_is_damaged(service: Context, villages: Villages, sign_in: SignIn) -> None:
    browser = sign_in("village_a")
    address = f"/alerts/{NUMBERS['a']}/data"
    assert browser.get(address).json()["basis"] == ""
    with service.database.write() as session:
        observation = session.query(Observation).filter(Observation.scan_id == villages.scan["a"]).first()
        assert observation is not None
        scene = session.get_one(SceneRow, session.get_one(Scan, observation.scan_id).after_id)
        record_damage(session, Damage(scene.object_key, "changed", "changed"), NOW)
        name = scene.name
    assert name in browser.get(address).json()["basis"]
