"""Whatever is sent to the API, it never fails: hundreds of requests made from its own OpenAPI document."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from tests.web.conftest import ORIGIN
from tests.web.two_villages import CODES, NUMBERS, Villages
from tests.web.uploads.upload_service import TUS, metadata

EXAMPLES = {GenerationMode.POSITIVE: 16, GenerationMode.NEGATIVE: 10}
"""Requests for each operation that keep to the document, and that break it; always the same ones."""


def test_no_request_that_can_be_made_from_the_document_breaks_the_service(
    county: TestClient, villages: Villages
) -> None:
    batch = county.post("/api/batches", json={"area": CODES["a"], "name": "fuzz"}).json()["id"]
    announced = TUS | {"upload-length": "4"} | metadata(batch=batch, filename="a.tif")
    upload = county.post("/api/uploads", headers=announced).headers["location"].rpartition("/")[2]
    there = {"number": NUMBERS["a"], "scene_id": villages.after["a"], "batch_id": batch, "upload_id": upload}
    document = county.get("/api/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    broke: list[str] = []
    asked: dict[str, Counter[int]] = defaultdict(Counter)

    def try_out(operation: Any, mode: GenerationMode) -> None:
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        @settings(
            max_examples=EXAMPLES[mode],
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        def send(case: Any, known: bool) -> None:
            case.cookies = {}
            case.headers = {name: value for name, value in case.headers.items() if name.lower() != "authorization"}
            if known and not operation.path.startswith("/alerts/"):  # whose files take seconds, and have their tests
                case.path_parameters = {name: there.get(name, value) for name, value in case.path_parameters.items()}
            if operation.path.startswith("/api/uploads"):
                case.headers = {**case.headers, **TUS}
            sent = case.as_transport_kwargs(base_url=ORIGIN)
            wanted = ("method", "url", "params", "headers", "json", "data", "files", "content")
            request = {name: value for name, value in sent.items() if name in wanted and value is not None}
            answer = county.request(**request)
            asked[f"{operation.method.upper()} {operation.path}"][answer.status_code] += 1
            if answer.status_code >= 500:
                broke.append(f"{answer.status_code} {answer.request.method} {answer.request.url} {request}")

        send()

    operations: list[Any] = list(schema.get_all_operations())
    for operation in operations:
        for mode in EXAMPLES:
            try_out(operation.ok(), mode)
    assert broke == []
    statuses = sum(asked.values(), Counter[int]())
    assert 401 not in statuses, "the key went along with every request"
    assert min(sum(counted.values()) for counted in asked.values()) >= 5
    assert len([operation for operation, counted in asked.items() if counted[200]]) > len(asked) / 3
