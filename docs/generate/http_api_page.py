"""The page of the HTTP API, from the OpenAPI document that the application generates."""

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

The same description comes from a running service as `/api/openapi.json`; that of this version is
[openapi.json](openapi.json).

- **Key.** A person makes it on the page of their account, an administrator by `tuban people token`. It is sent as
  `Authorization: Bearer KEY`, or, to read, as the password of HTTP Basic (QGIS). It acts for that person: every answer
  is limited to what lies under their administrative code, and what lies elsewhere is answered as if it did not exist.
- **Units.** Positions are longitude and latitude (EPSG:4490), areas m² and mu, moments ISO 8601 in UTC, days local
  dates.
- **Errors** are `{"error": "…", "status": 404}`.
- An alert is a suspected change, to be checked on the ground.
"""


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of the application, which is put together in an empty home and never served."""
    with TemporaryDirectory() as home:
        settings = read_service().model_copy(update={"home": Path(home)})
        document: dict[str, Any] = make_app(Context.from_settings(settings)).openapi()
    return document


def http_api_text() -> str:
    """Every address of the API with parameters, answers and schemas, as Markdown."""
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
        for one in parameters:
            must = "**required.** " if one.get("required") else ""
            words = _cell(one.get("description") or one["schema"].get("description") or "")
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {must}{words}{_limits(one['schema'])} |"
        yield ""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body: `{kind}`, {_type(content.get('schema', {}))}.\n"
    answers = [f"| {status} | {_answer(answer)} |" for status, answer in sorted(operation["responses"].items())]
    yield "\n".join(["| status | answer |", "| --- | --- |", *answers, ""])


def _answer(answer: Mapping[str, Any]) -> str:
    bodies = []
    for kind, content in answer.get("content", {}).items():
        schema = content.get("schema", {})
        bodies.append(f"`{kind}`" + (f" {_type(schema)}" if schema else ""))
    return ": ".join(filter(None, (_cell(answer.get("description", "")), ", ".join(bodies))))


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
            yield f"| `{field}` | {_type(value)} | {absent}{_cell(value.get('description', ''))}{_limits(value)} |"
        yield ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type(one) for one in schema[several])
    if "enum" in schema:
        return ", ".join(f"`{value or '(empty)'}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        items = schema.get("items") or {}
        return f"list of {_type(items)}" if items else "list"
    kind = str(schema.get("type", "anything"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _limits(schema: Mapping[str, Any]) -> str:
    told = []
    for name, words in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "letters ≤"), ("pattern", "pattern")):
        if name in schema:
            told.append(f"{words} `{_cell(str(schema[name]))}`")
    if schema.get("default") not in (None, "", []):
        told.append(f"default `{schema['default']}`")
    return (" " + ", ".join(told) + ".") if told else ""


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")
