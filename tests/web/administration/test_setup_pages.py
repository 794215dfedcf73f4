"""An administrator sets the service up by pages: areas by a file, settings with their allowed range."""

from __future__ import annotations

import io
import json
import zipfile

from service.context import Context
from store.access.audit_log import actions_about
from store.areas.areas import list_areas
from store.chain_settings import read_chain_values
from tests.web.conftest import SignIn
from tests.web.review.review_alerts import add_alerts


def _areas(*codes: str) -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {"XZQDM": code, "XZQMC": f"村 {code[-3:]}"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[120 + n, 30], [120.1 + n, 30], [120.1 + n, 30.1], [120 + n, 30.1], [120 + n, 30]]],
            },
        }
        for n, code in enumerate(codes)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()


def test_areas_are_loaded_from_a_zip_listed_and_deleted(sign_in: SignIn, service: Context) -> None:
    admin = sign_in("county")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("村/villages.geojson", _areas("330199101001", "330199101002", "440100101001"))
    response = admin.post("/areas", files={"files": ("villages.zip", packed.getvalue())})
    assert response.status_code == 200
    assert "新增 2 个，更新 0 个" in response.text
    assert "代码 440100101001 不在 330199 范围内" in response.text  # not in their county
    with service.database.read() as session:
        codes = {area.code: area.id for area in list_areas(session)}
    assert set(codes) == {"330199101001", "330199101002"}
    refused = admin.post(f"/areas/{codes['330199101001']}/delete")
    assert (refused.status_code, "不能删除" in refused.text) == (422, True)  # people belong to it
    plain = admin.post("/areas", files={"files": ("village.geojson", _areas("330199101003"))})
    assert (plain.status_code, "新增 1 个，更新 0 个" in plain.text) == (200, True)
    wrong = admin.post("/areas", files={"files": ("villages.pdf", b"%PDF-1.4")})
    assert (wrong.status_code, ".gpkg" in wrong.text) == (422, True)
    assert sign_in("town").get("/areas").status_code == 403


def test_settings_are_changed_within_their_range_by_administrators_of_all_areas(
    sign_in: SignIn, service: Context
) -> None:
    add_alerts(service)
    admin = sign_in("admin")
    assert "先判图、后下发" in admin.get("/settings").text
    saved = admin.post("/settings", data={"key": "steps.bulk_most", "value": "40"})
    assert (saved.status_code, "已保存" in saved.text) == (200, True)
    wrong = admin.post("/settings", data={"key": "steps.bulk_most", "value": "4000"})
    assert (wrong.status_code, "应为：1–500" in wrong.text) == (422, True)
    assert admin.post("/settings", data={"key": "steps.nothing", "value": "1"}).status_code == 422
    assert sign_in("county").get("/settings").status_code == 403
    with service.database.read() as session:
        assert read_chain_values(session).whole("steps.bulk_most") == 40
        assert [action.who for action in actions_about(session, "steps.bulk_most")] == ["admin"]
    admin.post("/settings", data={"key": "steps.bulk_most", "default": "true"})
    with service.database.read() as session:
        assert read_chain_values(session).whole("steps.bulk_most") == 100
