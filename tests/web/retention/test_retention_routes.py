"""The page of retention, holds on areas, and what a nearly full disk refuses."""

from __future__ import annotations

from sqlalchemy import select

from service.context import Context
from store.schema.chain.retention_tables import HoldRow
from tests.web.conftest import SignIn
from tests.web.sharing.of_village_b import add_sharing
from tests.web.two_villages import CODES, NUMBERS, api_client, create_villages
from web.app import make_app


def test_only_administrators_of_all_areas_see_and_start_deletions(sign_in: SignIn, service: Context) -> None:
    assert "举报人信息" in sign_in("admin").get("/retention").text
    county = sign_in("county")
    assert "举报人信息" not in county.get("/retention").text
    statuses = [sign_in(who).post("/retention/apply").status_code for who in ("admin", "county", "town")]
    assert statuses == [204, 403, 403]


def test_an_area_is_held_and_released_with_reasons(sign_in: SignIn, service: Context) -> None:
    county = sign_in("county")
    assert county.post("/retention/holds", data={"kind": "area", "code": "330199", "reason": " "}).status_code == 422
    hold = {"kind": "area", "code": "330199101", "reason": "appeal"}
    assert county.post("/retention/holds", data=hold).status_code == 204
    assert county.post("/retention/holds", data=hold | {"code": "3302"}).status_code == 404
    assert county.post("/retention/holds/1/release", data={"why": "over"}).status_code == 204
    with service.database.read() as session:
        row = session.scalars(select(HoldRow)).one()
        assert (row.reason, row.placed_by, row.released_by, row.released_why) == ("appeal", "county", "county", "over")


def test_holds_are_shown_with_the_alert(sign_in: SignIn, service: Context) -> None:
    create_villages(service)
    add_sharing(service, NUMBERS["b"], CODES["b"])
    assert sign_in("village_b").get(f"/alerts/{NUMBERS['b']}/data").json()["held"] == ["appeal of village_b"]


def test_a_nearly_full_disk_refuses_intake_and_nothing_else(service: Context) -> None:
    create_villages(service)
    limits = service.settings.limits.model_copy(update={"intake_disk_mib": 10**9})
    service.settings = service.settings.model_copy(update={"limits": limits})
    town = api_client(service, make_app(service), "town")
    refused = town.post("/api/batches", json={"area": CODES["a"], "name": "flight"})
    assert (refused.status_code, "10000" in refused.text) == (507, True)
    judged = town.post(f"/api/alerts/{NUMBERS['a']}/transitions", json={"to": "triaged"})
    assert judged.status_code != 507
    assert town.get("/api/alerts").status_code == 200
