"""Exports by a job: requested, written, downloaded by their maker only, deleted after some days."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest

from service.context import Context
from service.exports.jobs import MAX_WAITING, delete_expired_exports
from store.access.users import user_by_login
from store.schema.chain.export_tables import ExportRow
from store.schema.user_tables import Action
from tests.web.conftest import NOW, SignIn
from tests.web.two_villages import NUMBERS, Villages
from web.exports import export_page_routes
from workers.runtime.job_runner import run_job


def write_all(service: Context) -> None:
    with service.database.read() as session:
        jobs = [row.job_id for row in session.query(ExportRow)]
    assert [run_job(service, job) for job in jobs if job is not None]


def test_an_export_is_written_by_a_job_and_only_its_maker_downloads_it(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    mine, other = sign_in("village_a"), sign_in("county")
    answer = mine.post("/api/exports?format=csv&language=en")
    assert (answer.status_code, answer.json()["state"], answer.json()["file"]) == (202, "waiting", None)
    uid = answer.json()["uid"]
    assert answer.headers["location"].endswith(f"/api/exports/{uid}")
    assert mine.get(f"/api/exports/{uid}/file").status_code == 404
    write_all(service)
    found = mine.get(f"/api/exports/{uid}").json()
    assert (found["state"], found["alerts"], found["progress"]) == ("ready", 1, 1.0)
    rows = list(csv.reader(io.StringIO(mine.get(f"/api/exports/{uid}/file").content.decode("utf-8-sig"))))
    assert [row[0] for row in rows] == ["Alert number", NUMBERS["a"]]
    assert other.get(f"/api/exports/{uid}").status_code == 404
    assert other.get("/api/exports").json() == {"exports": []}
    with service.database.read() as session:
        done = [row.what for row in session.query(Action).order_by(Action.id) if "export" in row.what]
    assert done == ["requested_export", "exported", "downloaded_export"]


def test_the_files_of_old_exports_are_deleted(service: Context, villages: Villages, sign_in: SignIn) -> None:
    browser = sign_in("village_a")
    uid = browser.post("/api/exports?format=geojson").json()["uid"]
    write_all(service)
    assert delete_expired_exports(service) == 0
    service.clock = lambda: NOW + dt.timedelta(days=8)
    assert delete_expired_exports(service) == 1
    assert not service.objects.exists(f"exports/{uid}")
    with service.database.read() as session:
        assert [row.state for row in session.query(ExportRow)] == ["deleted"]


def test_a_deleted_export_is_not_written(service: Context, villages: Villages, sign_in: SignIn) -> None:
    browser = sign_in("village_a")
    uid = browser.post("/api/exports?format=csv").json()["uid"]
    assert browser.delete(f"/api/exports/{uid}").status_code == 204
    write_all(service)
    assert browser.get(f"/api/exports/{uid}").json()["state"] == "deleted"
    assert not service.objects.exists(f"exports/{uid}")


def test_an_export_of_a_deactivated_user_fails_with_the_reason(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    sign_in("village_a").post("/api/exports?format=csv")
    with service.database.write() as session:
        user = user_by_login(session, "village_a")
        assert user is not None
        user.active = False
    write_all(service)
    with service.database.read() as session:
        assert [(row.state, row.why["code"]) for row in session.query(ExportRow)] == [("failed", "export.inactive")]


def test_wrong_options_and_too_many_requests_are_refused(service: Context, villages: Villages, sign_in: SignIn) -> None:
    browser = sign_in("village_a")
    assert browser.post("/api/exports?format=csv&crs=zone").json()["code"] == "export.shapefile_only"
    assert browser.post("/api/exports?format=csv&stat=new").status_code == 400
    codes = [browser.post("/api/exports?format=csv").status_code for _ in range(MAX_WAITING + 1)]
    assert codes == [202] * MAX_WAITING + [422]


def test_the_page_downloads_few_alerts_at_once_and_many_by_a_job(
    service: Context, villages: Villages, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sign_in("village_a")
    page = browser.get("/exports?kinds=construction").text
    assert "共 1 个图斑" in page
    form = {"format": "gpkg", "crs": "zone", "encoding": "GBK"}
    small = browser.post("/exports?kinds=construction", data=form)
    address = small.headers["hx-redirect"]
    assert address == "/api/alerts/export?format=gpkg&crs=4490&encoding=UTF-8&kinds=construction"
    assert browser.get(address).status_code == 200
    monkeypatch.setattr(export_page_routes, "AT_ONCE", 0)
    large = browser.post("/exports?kinds=construction", data=form).text
    assert "等待中" in large
    write_all(service)
    assert "下载" in browser.get("/exports/mine").text
