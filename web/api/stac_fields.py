"""The fields extension of STAC API: which members of an item are returned."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

_REQUIRED = ("type", "id", "stac_version", "collection")

Names = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)]


class FieldSelection(BaseModel):
    """Names of members, with dots between levels; both empty: everything."""

    model_config = ConfigDict(extra="forbid")
    include: Names = []
    exclude: Names = []

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse the parameter of a GET request: ``id,properties.gsd,-links``."""
        names = [name.strip() for name in text.split(",") if name.strip()][:100]
        return cls(
            include=[name.lstrip("+")[:100] for name in names if not name.startswith("-")],
            exclude=[name[1:101] for name in names if name.startswith("-")],
        )


def select_fields(item: dict[str, Any], fields: FieldSelection) -> dict[str, Any]:
    """Return an item with the selected members; type, id and collection always remain."""
    if not fields.include and not fields.exclude:
        return item
    result: dict[str, Any] = {}
    for name in fields.include or list(item):
        _copy(item, result, name.split("."))
    for name in _REQUIRED:
        if name in item:
            result[name] = item[name]
    for name in fields.exclude:
        if name not in _REQUIRED:
            _remove(result, name.split("."))
    return result


def _copy(source: dict[str, Any], target: dict[str, Any], path: list[str]) -> None:
    name, rest = path[0], path[1:]
    if name not in source:
        return
    if not rest:
        target[name] = dict(source[name]) if isinstance(source[name], dict) else source[name]
    elif isinstance(source[name], dict):
        _copy(source[name], target.setdefault(name, {}), rest)


def _remove(target: dict[str, Any], path: list[str]) -> None:
    inner = target
    for name in path[:-1]:
        inner = inner.get(name, {})
        if not isinstance(inner, dict):
            return
    inner.pop(path[-1], None)
