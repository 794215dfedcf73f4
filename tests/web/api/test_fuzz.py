"""Fuzzing: many requests generated from the OpenAPI document are answered as it says, without a server error."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks
from starlette.testclient import TestClient

from tests.web.conftest import ORIGIN
from tests.web.two_villages import CODES, NUMBERS, Villages
from tests.web.uploads.upload_service import TUS, metadata

CHECKS: Any = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

EXAMPLES = {GenerationMode.POSITIVE: 5, GenerationMode.NEGATIVE: 4}
"""Number of valid and of invalid requests per operation; they are the same in every run."""


@pytest.mark.slow
def test_requests_generated_from_the_openapi_document_are_answered_as_documented(
    county: TestClient, villages: Villages
) -> None:
    batch = county.post("/api/batches", json={"area": CODES["a"], "name": "fuzz"}).json()["id"]
    announced = TUS | {"upload-length": "4"} | metadata(batch=batch, filename="a.tif")
    upload = county.post("/api/uploads", headers=announced).headers["location"].rpartition("/")[2]
    known_values = {"number": NUMBERS["a"], "scene_id": villages.after["a"], "batch_id": batch, "upload_id": upload}
    document = county.get("/api/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    errors: list[str] = []
    statuses_by_operation: dict[str, Counter[int]] = defaultdict(Counter)

    def send_requests(operation: Any, mode: GenerationMode) -> None:
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
            if known and not operation.path.startswith("/alerts/"):  # evidence takes seconds and has its own tests
                case.path_parameters = {
                    name: known_values.get(name, value) for name, value in case.path_parameters.items()
                }
            if operation.path.startswith("/api/uploads"):
                case.headers = {**case.headers, **TUS}
            sent = case.as_transport_kwargs(base_url=ORIGIN)
            wanted = ("method", "url", "params", "headers", "json", "data", "files", "content")
            request = {name: value for name, value in sent.items() if name in wanted and value is not None}
            response = county.request(**request)
            statuses_by_operation[f"{operation.method.upper()} {operation.path}"][response.status_code] += 1
            if response.status_code >= 500:
                errors.append(f"{response.status_code} {response.request.method} {response.request.url} {request}")
                return
            if request.get("files"):  # the request can be read only once
                return
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as failures:
                found = "; ".join(" ".join(str(failure).split())[:400] for failure in failures.exceptions)
                errors.append(f"{operation.method} {operation.path} ({mode}): {found} {request}"[:900])

        send()

    operations: list[Any] = list(schema.get_all_operations())
    for operation in operations:
        for mode in EXAMPLES:
            send_requests(operation.ok(), mode)
    assert errors == [], "\n".join(errors)
    statuses = sum(statuses_by_operation.values(), Counter[int]())
    assert 401 not in statuses, "every request contains the API key"
    assert min(sum(counted.values()) for counted in statuses_by_operation.values()) >= 5
    assert (
        len([operation for operation, counted in statuses_by_operation.items() if counted[200]])
        > len(statuses_by_operation) / 3
    )
