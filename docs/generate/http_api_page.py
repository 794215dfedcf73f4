"""Page of the HTTP API, generated from the application's OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from configs.service import read_service
from service.context import Context
from web.app import make_app

_INTRODUCTION = """
# HTTP API

A running service provides the same description as `/api/openapi.json`; the document of this version is
[openapi.json](openapi.json).

- **API key.** Users create one on their account page, administrators with `tuban people token`. Send it as
  `Authorization: Bearer KEY` or, for read access, as the password of HTTP Basic (QGIS). A key has the rights of its
  user: responses are limited to the user's administrative code, and objects outside of it return 404.
- **Units.** Positions are longitude and latitude (EPSG:4490), areas m² and mu, times ISO 8601 in UTC, days local
  dates.
- **Errors** are problem details (RFC 9457): `{"type", "title", "status", "detail", "code"}`; `detail`
  is for people, in the language of `Accept-Language`, `code` is stable.
- An alert is a suspected change, to be checked on the ground.
"""


@cache
def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document of an application that is created in an empty home folder and never served."""
    with TemporaryDirectory() as home:
        settings = read_service().model_copy(update={"home": Path(home)})
        document: dict[str, Any] = make_app(Context.from_settings(settings)).openapi()
    return document


def http_api_markdown() -> str:
    """Return all routes of the API with parameters, responses and schemas as Markdown."""
    document = openapi_document()
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            group = groups.setdefault(operation.get("tags", ["other"])[-1], [])
            group.append("\n".join(_operation(method.upper(), path, operation)))
    parts = [_INTRODUCTION]
    for name, operations in groups.items():
        parts += [f"## {name}\n", *operations]
    parts.append("## Schemas\n")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += _schema(name, schema)
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {method} `{path}`\n"
    yield f"{operation.get('description', '')}\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | |"
        yield "| --- | --- | --- | --- |"
        for parameter in parameters:
            schema = parameter["schema"]
            required = "**required.** " if parameter.get("required") else ""
            text = required + _cell(parameter.get("description") or schema.get("description") or "")
            yield f"| `{parameter['name']}` | {parameter['in']} | {_type(schema)} | {text}{_constraints(schema)} |"
        yield ""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body: `{kind}`, {_type(content.get('schema', {}))}.\n"
    responses = [f"| {status} | {_response(body)} |" for status, body in sorted(operation["responses"].items())]
    yield "\n".join(["| status | response |", "| --- | --- |", *responses, ""])


def _response(response: Mapping[str, Any]) -> str:
    bodies = []
    for kind, content in response.get("content", {}).items():
        schema = content.get("schema", {})
        bodies.append(f"`{kind}`" + (f" {_type(schema)}" if schema else ""))
    return ": ".join(filter(None, (_cell(response.get("description", "")), ", ".join(bodies))))


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{schema.get('description', '')}\n"
    if "enum" in schema:
        yield f"One of {_type(schema)}.\n"
    if properties := schema.get("properties"):
        yield "| field | type | |"
        yield "| --- | --- | --- |"
        for field, value in properties.items():
            absent = "" if field in schema.get("required", ()) else "may be absent. "
            yield f"| `{field}` | {_type(value)} | {absent}{_cell(value.get('description', ''))}{_constraints(value)} |"
        yield ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(_type(option) for option in schema[union])
    if "enum" in schema:
        return ", ".join(f"`{value or '(empty)'}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        items = schema.get("items") or {}
        return f"list of {_type(items)}" if items else "list"
    kind = str(schema.get("type", "anything"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _constraints(schema: Mapping[str, Any]) -> str:
    constraints = []
    for name, label in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "length ≤"), ("pattern", "pattern")):
        if name in schema:
            constraints.append(f"{label} `{_cell(str(schema[name]))}`")
    if schema.get("default") not in (None, "", []):
        constraints.append(f"default `{schema['default']}`")
    return (" " + ", ".join(constraints) + ".") if constraints else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
