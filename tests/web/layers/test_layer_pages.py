"""Pages of layers: uploads, rights, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.context import Context
from store.schema.tables import LayerVersion
from tests.store.areas.polygon_files import COUNTY, geojson
from tests.web.conftest import SignIn


@pytest.fixture
def file(tmp_path: Path) -> bytes:
    return geojson(tmp_path / "a.geojson", (COUNTY, {"PZWH": "1号"})).read_bytes()


def test_an_uploaded_file_becomes_a_version_of_the_administrators_area(
    sign_in: SignIn, service: Context, file: bytes
) -> None:
    county = sign_in("county")
    answer = county.post(
        "/layers",
        files=[("files", ("批文.geojson", file))],
        data={"name": "批文", "kind": "approval", "dated": "2026-11-01", "field_number": "PZWH", "mode": "replace"},
    )
    assert (answer.status_code, answer.json()["address"]) == (201, "/layers/versions/1")
    with service.database.read() as session:
        version = session.get_one(LayerVersion, 1)
    assert (version.state, version.loaded_by, version.options["fields"]) == ("loading", "county", {"number": "PZWH"})
    assert "批文.geojson" in county.get("/layers/versions/1").text
    assert "批文" in county.get("/layers").text
    assert sign_in("admin").get("/layers/versions/1").status_code == 200
    assert sign_in("town").get("/layers").status_code == 403  # no administrator
    waits = county.post("/layers/versions/1/use")
    assert waits.status_code in (400, 422)
    assert "layer.not_ready" in waits.text or "cannot be taken into use" in waits.text


@pytest.mark.parametrize(
    ("data", "names", "code"),
    [
        ({"name": "x", "area_code": "3302"}, ["a.geojson"], "error.404"),
        ({"name": "x"}, ["a.txt", "b.txt"], "layer.zip_several"),
        ({"name": "x"}, ["a.docx"], "layer.zip"),
        ({"name": "x"}, ["a.geojson"], "layer.kind"),  # not to be told from the name
        ({"name": "x", "kind": "plan", "dated": "yesterday"}, ["a.geojson"], "layer.date"),
        (
            {"name": "x", "kind": "plan", "valid_from": "2026-02-01", "valid_to": "2026-01-01"},
            ["a.geojson"],
            "layer.period",
        ),
    ],
)
def test_unusable_uploads_are_refused_with_the_reason(
    sign_in: SignIn, file: bytes, data: dict[str, str], names: list[str], code: str
) -> None:
    answer = sign_in("county").post("/layers", files=[("files", (name, file)) for name in names], data=data)
    assert answer.json()["code"] == code
