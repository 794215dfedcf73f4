"""The OpenAPI document: of the routes, with true media types and statuses of errors; version 3.1 and, derived, 3.0."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from configs.version import program_version
from web.protocol.problem_details import PROBLEM

DESCRIPTION = (
    "Alerts, images and scans of Tuban. An alert is a suspected change, to be checked on the ground. Every response is "
    "limited to the administrative area of the user to whom the API key belongs. Positions are longitude and latitude "
    "(EPSG:4490; in GeoJSON CRS84, which is the same within a metre), areas m² and mu, times ISO 8601 in UTC. HEAD is "
    "answered wherever GET is."
)


def make_document(app: FastAPI, server: str, cookie: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document.

    Args:
        app: the application.
        server: URL under which the API is reached.
        cookie: name of the session cookie.
    """
    if app.openapi_schema is None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Duplicate Operation ID")  # of HEAD, removed below
            app.openapi_schema = _correct(app.openapi())
    document = deepcopy(app.openapi_schema)
    document["info"] |= {"description": DESCRIPTION, "version": program_version()}
    document.setdefault("components", {})["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, created on the account page."},
        "basic": {"type": "http", "scheme": "basic", "description": "Any name, and the API key as password; to read."},
        "browser": {"type": "apiKey", "in": "cookie", "name": cookie},
    }
    document["servers"] = [{"url": server}]
    document["security"] = [{"key": []}, {"basic": []}, {"browser": []}]
    return document


def _correct(document: dict[str, Any]) -> dict[str, Any]:
    for operations in document["paths"].values():
        if "get" in operations:
            operations.pop("head", None)
        for method, operation in operations.items():
            responses = operation["responses"]
            for parameter in operation.get("parameters", ()):
                if parameter["schema"].get("type") == "number" and parameter["schema"].get("default") == "":
                    del parameter["schema"]["default"]
            if method in ("get", "head"):  # without content: 400
                responses.pop("422", None)
            for status, response in responses.items():
                if status >= "400":
                    response["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}}
                if status in ("204", "304") or method == "head":
                    response.pop("content", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document


def as_version_3_0(document: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document as 3.0.3, for clients that know no JSON Schema: OWSLib, older GDAL.

    ``null`` becomes ``nullable``, tuples become arrays, exclusive bounds become flags, and of several examples the
    first one remains.
    """
    return {**_converted(document), "openapi": "3.0.3"}


def _converted(value: Any) -> Any:
    if isinstance(value, list):
        return [_converted(one) for one in value]
    if not isinstance(value, dict):
        return value
    result = {name: _converted(one) for name, one in value.items()}
    choices = result.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del result["anyOf"]
        if len(rest) == 1 and "$ref" not in rest[0]:
            result = {**rest[0], **result}
        else:
            result["allOf" if len(rest) == 1 else "anyOf"] = rest
        result["nullable"] = True
    if "prefixItems" in result:
        items = result.pop("prefixItems")
        result["items"] = items[0] if all(item == items[0] for item in items) else {}
    if "const" in result:
        result["enum"] = [result.pop("const")]
    if "examples" in result and isinstance(result["examples"], list):
        examples = result.pop("examples")
        if examples:
            result["example"] = examples[0]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in result and not isinstance(result[exclusive], bool | dict):
            result[bound], result[exclusive] = result[exclusive], True
    for unknown in ("contentMediaType", "propertyNames"):
        result.pop(unknown, None)
    return result
