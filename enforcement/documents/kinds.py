"""Kinds of documents, the fields of their templates and their numbers: ``configs/documents/documents.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

import configs
from enforcement.settings import BilingualName, StrictModel, read_settings
from enforcement.states import read_states

FOLDERS = (Path("configs/documents"), Path("documents"))
"""Folders of the working directory whose files replace the shipped ones of the same name, the first first."""

LISTS = ("enclosures",)
"""Values that are lists, beside fields of the kind ``lines``."""

ENTRY_NAMES = {"name": "名称", "copies": "份数", "remark": "附件备注"}
"""English and Chinese names of what an entry of the enclosures has."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class DocumentField(BilingualName):
    """A field that a person fills in; described in the file."""

    kind: Literal["text", "long", "date", "identity", "lines"] = "text"
    most: Annotated[int, Field(ge=1, le=20000)] = 200
    masked: str = ""


class Bureau(StrictModel):
    """What a bureau is called in its documents; "": as the settings say."""

    bureau: str = ""
    prefix: str = ""
    contact: str = ""
    phone: str = ""
    address: str = ""


class Enclosure(StrictModel):
    """An entry of a checklist of enclosures."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    required: bool = False


class DocumentKind(BilingualName):
    """A kind of document; described in the file."""

    template: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}\.docx$")]
    series: Annotated[str, Field(min_length=1, max_length=20)]
    number: Annotated[str, Field(min_length=1, max_length=80)]
    by: tuple[str, ...]
    states: tuple[str, ...] = ()
    determined: bool = False
    evidence: Annotated[dict[str, str], Field(default_factory=dict)]
    reply: Annotated[int, Field(ge=0, le=250)] = 0
    about: tuple[str, ...] = ()
    masked: bool = False
    tells: tuple[str, ...] = ()
    fields: tuple[str, ...]
    required: tuple[str, ...] = ()
    defaults: Annotated[dict[str, str], Field(default_factory=dict)]
    enclosures: tuple[Enclosure, ...] = ()

    @model_validator(mode="after")
    def _validate(self) -> DocumentKind:
        placeholders = set(_PLACEHOLDER.findall(self.number))
        if placeholders - {"prefix", "series", "year", "value"} or not {"year", "value"} <= placeholders:
            raise ValueError("number needs {year} and {value}, and knows {prefix} and {series} besides")
        for names, what in ((self.required, "required"), (self.defaults, "defaults")):
            if unknown := [name for name in names if name not in self.fields]:
                raise ValueError(f"{what} names {', '.join(unknown)}, which are not among its fields")
        return self


class Documents(StrictModel):
    """All of ``configs/documents/documents.yaml``."""

    bureaus: Annotated[dict[str, Bureau], Field(default_factory=dict)]
    fields: dict[str, DocumentField]
    values: dict[str, BilingualName]
    words: dict[Literal["suspected", "determined"], str]
    kinds: dict[str, DocumentKind]

    @model_validator(mode="after")
    def _validate(self) -> Documents:
        table = read_states()
        names = [*self.fields, *self.values, *(name.zh for name in [*self.fields.values(), *self.values.values()])]
        names += [field.masked for field in self.fields.values() if field.masked]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"fields and values have the same name twice: {', '.join(twice)}")
        if odd := [name for name in names if not name.isidentifier()]:
            raise ValueError(f"not usable as a name in a template: {', '.join(odd)}")
        for key, kind in self.kinds.items():
            unknown = [name for name in kind.fields if name not in self.fields]
            unknown += [state for state in kind.states if state not in table.states]
            unknown += [role for role in (*kind.by, *kind.tells) if role not in table.roles]
            unknown += [other for other in kind.about if other not in self.kinds]
            unknown += [v for v in kind.evidence.values() if v not in (*kind.fields, "number", "issued_on")]
            if unknown:
                raise ValueError(f"{key}: unknown {', '.join(unknown)}")
        return self

    def bureau_of(self, county_code: str) -> Bureau:
        """Return the names of the bureau of an area; the longest code that it begins with applies."""
        codes = [code for code in self.bureaus if county_code.startswith(code)]
        return self.bureaus[max(codes, key=len)] if codes else Bureau()

    def chinese_names(self) -> Mapping[str, str]:
        """Return the Chinese name of every field and value."""
        return {name: each.zh for name, each in [*self.fields.items(), *self.values.items()]}

    def allowed(self, kind: DocumentKind, roles: tuple[str, ...], state: str, *, determined: bool) -> bool:
        """Return whether someone with ``roles`` may draft or issue a kind for an alert in ``state``."""
        in_state = not kind.states or state in kind.states
        return in_state and bool(set(kind.by) & set(roles)) and (determined or not kind.determined)


def fill_placeholders(words: str, values: Mapping[str, object]) -> str:
    """Replace ``{name}`` by values; names without a value stay as they are."""
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), words)


def placeholders(words: str) -> list[str]:
    """Return the names in braces."""
    return _PLACEHOLDER.findall(words)


def find_file(name: str) -> Path:
    """Return the file of that name in a folder of the working directory, else the shipped one."""
    return next((folder / name for folder in FOLDERS if (folder / name).is_file()), shipped_file(name))


def shipped_file(name: str) -> Path:
    """Return the path of a shipped file."""
    return configs.FOLDER / "documents" / name


@cache
def read_documents() -> Documents:
    """Read the kinds of documents, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(find_file("documents.yaml").absolute(), Documents)
