"""Alerts of a running service: all pages, only those of the key's user, as rows on a map."""

from __future__ import annotations

import pytest

import tuban
from service.context import Context
from store.access.api_keys import add_key, allowed_scopes
from store.access.users import user_by_login
from tests.web.conftest import service, sign_in
from tests.web.people import NOW
from tests.web.two_villages import NUMBERS, Villages, add_alert, villages
from tests.web.uploads.upload_service import serving
from tuban import alerts

__all__ = ["service", "sign_in", "villages"]


def key_of(context: Context, login: str) -> str:
    with context.database.write() as session:
        person = user_by_login(session, login)
        assert person is not None
        return add_key(session, person, "test", NOW, days=None, scopes=allowed_scopes(False))


def test_all_pages_are_read_and_every_alert_is_there_once(
    service: Context, villages: Villages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "PAGE", 3)
    with service.database.write() as session:
        for index in range(5):
            add_alert(session, f"330199U20261200{index:02d}", "b", villages.scan["b"], east=index * 20)
    with serving(service) as address:
        found = tuban.read_alerts(address, key_of(service, "county"))
        own = tuban.read_alerts(f"{address}/", key_of(service, "village_a"))
        none = tuban.read_alerts(address, key_of(service, "county"), states=["closed", "case"])
    assert len({feature["id"] for feature in found}) == len(found) == 7
    assert [feature["id"] for feature in own] == [NUMBERS["a"]]
    assert len(none) == 0
    frame = found.to_geodataframe()
    assert len(frame) == 7
    assert frame.crs.to_epsg() == 4326
    assert frame.loc[frame["id"] == NUMBERS["a"], "area_m2"].item() == 1600.0
    assert len(none.to_geodataframe()) == 0


def test_a_wrong_key_a_refused_filter_and_a_missing_service_are_clear_errors(
    service: Context, villages: Villages
) -> None:
    with serving(service) as address:
        with pytest.raises(tuban.SettingsError, match="API key"):
            tuban.read_alerts(address, "no key")
        with pytest.raises(tuban.SettingsError, match="min_score"):
            tuban.read_alerts(address, key_of(service, "county"), min_score="much")
    with pytest.raises(tuban.SettingsError, match="No service answers"):
        tuban.read_alerts("http://127.0.0.1:9", "key")


def test_a_proxy_of_the_environment_is_not_asked_for_a_service_in_the_intranet(
    service: Context, villages: Villages, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(service) as address:
        found = tuban.read_alerts(address, key_of(service, "village_a"))
    assert [feature["id"] for feature in found] == [NUMBERS["a"]]
