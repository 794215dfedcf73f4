"""HTTP as standard clients expect it: problem details, HEAD, Allow, known parameters, hosts, compression, CORS."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.context import Context
from tests.web.conftest import ORIGIN, Browser
from tests.web.two_villages import NUMBERS, Villages
from web.app import make_app
from web.static_files import static_version


def problem(response: Any) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == response.status_code
    assert response.headers["tuban-api-version"] == "1"
    return body


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/api/alerts?stats=new", 400, "query.unknown"),
        ("/api/ogc/collections/alerts/items?filter=kind%3D'building'", 400, "query.unknown"),
        ("/api/ogc/conformance?x=1", 400, "query.none"),
        ("/api/stac/collections/scenes/items?limit=abc", 400, "form.values"),
        ("/api/alerts?states=lost", 400, "filter.value"),
        ("/api/scenes/word", 404, "error.404"),
        ("/api/stac/collections/scenes/items/word", 404, "error.404"),
        ("/api/nowhere", 404, "error.404"),
    ],
)
def test_errors_are_problem_details_in_the_language_asked_for(
    county: TestClient, address: str, status: int, code: str
) -> None:
    english = problem(county.get(address, headers={"accept-language": "en-GB,zh;q=0.5"}))
    chinese = problem(county.get(address, headers={"accept-language": "fr, en;q=0.2, zh-CN;q=0.8"}))
    assert (english["status"], english["code"], chinese["code"]) == (status, code, code)
    assert english["detail"].isascii()
    assert not chinese["detail"].isascii()


def test_an_unknown_parameter_is_answered_with_the_known_ones(county: TestClient) -> None:
    detail = county.get("/api/ogc/collections/alerts/items?kind=building", headers={"accept-language": "en"}).json()
    assert {"kind", "kinds", "bbox", "datetime", "limit", "states"} <= set(
        detail["detail"].replace(",", " ").replace(".", " ").replace(":", " ").split()
    )


def test_a_limit_above_the_maximum_means_the_maximum(county: TestClient) -> None:
    for address in ("/api/alerts", "/api/ogc/collections/alerts/items", "/api/stac/collections/scenes/items"):
        assert county.get(f"{address}?limit=100000").status_code == 200
        assert county.get(f"{address}?limit=0").status_code == 400


def test_malformed_json_is_400_and_unacceptable_values_are_422(county: TestClient) -> None:
    address, headers = f"/api/alerts/{NUMBERS['a']}/transitions", {"content-type": "application/json"}
    assert problem(county.post(address, content=b"{", headers=headers))["status"] == 400
    assert problem(county.post(address, json={}))["status"] == 422


def test_head_is_get_without_content(county: TestClient, villages: Villages) -> None:
    plain = {"accept-encoding": "identity"}
    for address in ("/api/alerts", "/api/ogc", f"/api/scenes/{villages.after['a']}/image.tif", "/static/tuban.js"):
        full, head = county.get(address, headers=plain), county.head(address, headers=plain)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers.get("content-length") == full.headers.get("content-length")
        assert head.headers["content-type"] == full.headers["content-type"]


def test_405_names_all_allowed_methods(county: TestClient) -> None:
    for address, allowed in (
        ("/api/alerts", "GET, HEAD"),
        (f"/api/alerts/{NUMBERS['a']}/transitions", "GET, HEAD, POST"),
        ("/api/scenes", "GET, HEAD, PATCH"),
    ):
        response = county.put(address)
        assert (problem(response)["code"], response.headers["allow"]) == ("error.405", allowed)


def test_401_names_every_accepted_scheme(anonymous: Browser) -> None:
    scheme = anonymous.get("/api/alerts").headers["www-authenticate"]
    assert scheme.startswith("Bearer")
    assert ", Basic" in scheme


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 421), ("tuban.test:8000", 401), ("127.0.0.1:8000", 401), ("[::1]:8000", 401), ("localhost", 401),
     ("TUBAN.test.", 401), ("tuban.test.evil.example", 421), ("127.0.0.1.evil.example", 421)],
)  # fmt: skip
def test_only_the_names_of_this_service_are_answered(anonymous: Browser, host: str, status: int) -> None:
    response = anonymous.get("/api/alerts", headers={"host": host})
    assert problem(response)["status"] == status
    assert "evil" not in response.headers.get("location", "")


def test_text_is_compressed_but_pages_and_images_are_not(county: TestClient, villages: Villages) -> None:
    def encoding(address: str, accepted: str = "gzip") -> str | None:
        response = county.get(address, headers={"accept-encoding": accepted})
        assert response.status_code == 200
        return response.headers.get("content-encoding")

    assert encoding("/packages/ol.js") == encoding("/api/openapi.json") == encoding("/static/tuban.js") == "gzip"
    assert (encoding("/api/openapi.json", "br"), encoding("/api/openapi.json", "zstd, br")) == ("br", "zstd")
    assert encoding("/sign-in") is encoding(f"/api/scenes/{villages.after['a']}/image.tif") is None
    with county.stream("GET", "/api/openapi.json", headers={"accept-encoding": "gzip"}) as response:
        raw = b"".join(response.iter_raw())
        assert len(raw) < len(gzip.decompress(raw)) / 5
        assert "accept-encoding" in response.headers["vary"].lower()


def test_a_file_that_the_client_has_is_not_sent_again(county: TestClient, villages: Villages) -> None:
    image = f"/api/scenes/{villages.after['a']}/image.tif"
    for address in (image, "/packages/ol.js", "/static/tuban.js", f"/static/{static_version()}/tuban.js"):
        first = county.get(address)
        assert (first.status_code, len(first.content) > 100) == (200, True)
        assert "no-store" not in first.headers["cache-control"]
        again = county.get(address, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert county.get(address, headers={"if-none-match": '"other"'}).status_code == 200


def test_addresses_of_scripts_and_styles_change_with_their_content(anonymous: Browser) -> None:
    page = anonymous.get("/sign-in").text
    own = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert own
    assert all(address.startswith(f"/static/{static_version()}/") for address in own)
    for address in own:
        assert "immutable" in anonymous.get(address).headers["cache-control"]
    former = anonymous.get("/static/v-000000000000/tuban.js")
    assert (former.status_code, former.headers["cache-control"]) == (200, "no-cache")
    assert anonymous.get("/static/v-000000000000/../../app.py").status_code == 404


def test_cross_origin_requests_need_the_setting(service: Context, villages: Villages) -> None:
    origin = {"origin": "https://gis.bureau.example", "access-control-request-method": "GET"}
    web = service.settings.web.model_copy(update={"cors_origins": ("https://gis.bureau.example",)})
    allowing = replace(service, settings=service.settings.model_copy(update={"web": web}))
    for context, allowed in ((service, None), (allowing, origin["origin"])):
        with TestClient(make_app(context), base_url=ORIGIN) as client:
            response = client.options("/api/alerts", headers=origin)
            assert response.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in response.headers
