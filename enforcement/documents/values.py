"""Values of a document's template: from the alert, the bureau, what people entered, and its number and dates."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from enforcement.documents.kinds import (
    ENTRY_NAMES,
    Bureau,
    DocumentField,
    DocumentKind,
    Documents,
    Enclosure,
    fill_placeholders,
    placeholders,
)
from enforcement.units import mu
from errors import SettingsError

BLANK = "＿＿＿＿"
"""What a template shows for a value that is not filled in."""

PARAGRAPH = "\a"
"""Mark in a value at which the template engine begins another paragraph of the same layout."""

MAX_ENCLOSURES, MAX_LINES = 30, 60

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]|\r")


@dataclass(frozen=True)
class AlertWords:
    """What documents say about an alert.

    Attributes:
        number: of the alert.
        county, township, village: names; "": unknown.
        lon, lat: of its centre, degrees (EPSG:4490).
        area_m2, farmland_m2, basic_farmland_m2: areas; basic farmland is part of the cultivated land.
        change, source: in Chinese.
        found_on, before_on, after_on: days; None: unknown.
        determined: whether a person determined that a correction is required.
        determined_on: the day; None: not determined.
        stop, correction: number and day of the issued stop notice and correction order; ("", None): none.
    """

    number: str
    county: str
    township: str
    village: str
    lon: float
    lat: float
    area_m2: float
    farmland_m2: float
    basic_farmland_m2: float
    change: str
    source: str
    found_on: dt.date | None
    before_on: dt.date | None
    after_on: dt.date | None
    determined: bool
    determined_on: dt.date | None
    stop: tuple[str, dt.date | None] = ("", None)
    correction: tuple[str, dt.date | None] = ("", None)

    @property
    def place(self) -> str:
        """Names of the areas that contain it, largest first, each once."""
        return "".join(dict.fromkeys((self.county, self.township, self.village)))


@dataclass(frozen=True)
class Issue:
    """Number and days of a document. ``day``: of the issue; None: not issued yet."""

    number: str
    day: dt.date | None = None
    reply_by: dt.date | None = None


@dataclass(frozen=True)
class TransferHint:
    """That the areas of an alert reach those from which a transfer is considered. It is a hint, and no finding.

    Attributes:
        basic_mu, other_mu: areas of basic farmland and of other cultivated land; those that reach their limit, else 0.
    """

    basic_mu: float = field(default=0.0)
    other_mu: float = field(default=0.0)

    def __bool__(self) -> bool:
        """Whether one of them reaches its limit."""
        return bool(self.basic_mu or self.other_mu)


def transfer_hint(basic_farmland_m2: float, farmland_m2: float, basic_limit: float, other_limit: float) -> TransferHint:
    """Compare areas with the limits; ``farmland_m2`` includes the basic farmland, the limits are in mu."""
    basic, other = mu(basic_farmland_m2), mu(max(0.0, farmland_m2 - basic_farmland_m2))
    return TransferHint(basic if basic >= basic_limit else 0.0, other if other >= other_limit else 0.0)


def chinese_date(day: dt.date | None) -> str:
    """Return a date like 2026年11月3日; "" for None."""
    return "" if day is None else f"{day.year}年{day.month}月{day.day}日"


def degrees_minutes_seconds(lon: float, lat: float) -> str:
    """Return a place like 东经119°30′05″，北纬30°10′12″."""

    def written(value: float) -> str:
        seconds = round(abs(value) * 3600)
        return f"{seconds // 3600}°{seconds // 60 % 60:02d}′{seconds % 60:02d}″"

    return f"{'东' if lon >= 0 else '西'}经{written(lon)}，{'北' if lat >= 0 else '南'}纬{written(lat)}"


def mask_identity(code: str) -> str:
    """Mask an identity number or credit code: the first four and the last two characters remain.

    >>> mask_identity("330106199001011234")
    '3301************34'
    """
    return code[:4] + "*" * (len(code) - 6) + code[-2:] if len(code) > 8 else "*" * len(code)


def alert_values(settings: Documents, alert: AlertWords, bureau: Bureau) -> dict[str, str]:
    """Return the values that do not depend on the document, by English name."""
    return {
        "bureau": bureau.bureau,
        "contact": bureau.contact,
        "phone": bureau.phone,
        "address": bureau.address,
        "alert": alert.number,
        "county": alert.county,
        "township": alert.township,
        "village": alert.village,
        "place": alert.place,
        "coordinates": degrees_minutes_seconds(alert.lon, alert.lat),
        "area_m2": f"{alert.area_m2:.1f}",
        "area_mu": f"{mu(alert.area_m2):.2f}",
        "farmland_mu": f"{mu(alert.farmland_m2):.2f}",
        "basic_farmland_mu": f"{mu(alert.basic_farmland_m2):.2f}",
        "change": alert.change,
        "source": alert.source,
        "found_on": chinese_date(alert.found_on),
        "before_on": chinese_date(alert.before_on),
        "after_on": chinese_date(alert.after_on),
        "suspected": settings.words["determined" if alert.determined else "suspected"],
        "determined_on": chinese_date(alert.determined_on),
        "stop_number": alert.stop[0],
        "stop_on": chinese_date(alert.stop[1]),
        "correction_number": alert.correction[0],
        "correction_on": chinese_date(alert.correction[1]),
    }


def proposed_data(
    settings: Documents, kind: DocumentKind, alert: AlertWords, bureau: Bureau, carried: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the data of a new draft: proposed words, values of earlier documents of the alert, the checklist.

    Args:
        settings, kind: what is drafted.
        alert: what it is about.
        bureau: its names.
        carried: values that people entered in earlier documents of this alert; they precede the proposed words.
    """
    values = alert_values(settings, alert, bureau)
    data: dict[str, Any] = {
        name: fill_placeholders(words, values)
        for name, words in kind.defaults.items()
        if all(values.get(used, "?") for used in placeholders(words))  # a person writes what is not known
    }
    data |= {name: value for name, value in (carried or {}).items() if name in kind.fields and value}
    return data | {"enclosures": [_entry(each, ticked=each.required) for each in kind.enclosures]}


def _entry(enclosure: Enclosure, *, ticked: bool) -> dict[str, Any]:
    return {"name": enclosure.name, "copies": 1, "remark": "", "ticked": ticked, "required": enclosure.required}


def check_data(settings: Documents, kind: DocumentKind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person entered, checked for length and characters.

    Args:
        settings, kind: what it is for.
        given: by English or Chinese name; ``enclosures``: list of entries.

    Raises:
        SettingsError: an unknown field, a value that is too long, a date that is none, or too many enclosures.
    """
    known = {settings.fields[name].zh: name for name in kind.fields} | {name: name for name in kind.fields}
    data: dict[str, Any] = {}
    for given_name, value in given.items():
        if given_name == "enclosures":
            data[given_name] = _check_enclosures(kind, value)
            continue
        name = known.get(given_name)
        if name is None:
            shown = str(given_name)[:60]
            raise SettingsError(f"{kind.en} has no field {shown}.", "documents.unknown_field", field=shown)
        data[name] = _check_value(settings.fields[name], value)
    return data


def _check_value(field_: DocumentField, value: Any) -> str:
    words = _FORBIDDEN.sub("", str(value)).strip()
    if field_.kind not in ("long", "lines"):
        words = " ".join(words.split("\n"))
    if len(words) > field_.most:
        raise SettingsError(
            f"{field_.en}: {len(words)} characters, expected at most {field_.most}.",
            "documents.too_long",
            field=field_.zh,
            letters=len(words),
            most=field_.most,
        )
    if field_.kind == "lines" and words.count("\n") >= MAX_LINES:
        raise SettingsError(
            f"{field_.en}: more than {MAX_LINES} lines.", "documents.too_many_lines", field=field_.zh, most=MAX_LINES
        )
    if field_.kind == "date" and words:
        try:
            dt.date.fromisoformat(words)
        except ValueError:
            shown = words[:40]
            raise SettingsError(
                f"{field_.en}: {shown!r} is not a date; expected one like 2026-11-30.",
                "documents.not_a_date",
                field=field_.zh,
                found=shown,
            ) from None
    return words


def _check_enclosures(kind: DocumentKind, value: Any) -> list[dict[str, Any]]:
    required = {each.name for each in kind.enclosures if each.required}
    found = []
    for entry in value if isinstance(value, list) else []:
        if not isinstance(entry, Mapping):
            continue
        name = _FORBIDDEN.sub("", str(entry.get("name", ""))).strip()[:100]
        copies = str(entry.get("copies", 1))[:4]
        if name:
            found.append(
                {
                    "name": name,
                    "copies": min(99, max(1, int(copies))) if copies.isascii() and copies.isdigit() else 1,
                    "remark": _FORBIDDEN.sub("", str(entry.get("remark", ""))).strip()[:100],
                    "ticked": bool(entry.get("ticked", True)),
                    "required": name in required,
                }
            )
    if len(found) > MAX_ENCLOSURES:
        raise SettingsError(
            f"{len(found)} enclosures, expected at most {MAX_ENCLOSURES}.",
            "documents.too_many_enclosures",
            found=len(found),
            most=MAX_ENCLOSURES,
        )
    return found


def missing_fields(settings: Documents, kind: DocumentKind, data: Mapping[str, Any], language: str) -> list[str]:
    """Return the names of required fields that are empty, and of required enclosures that are not ticked."""
    missing = [str(getattr(settings.fields[name], language)) for name in kind.required if not data.get(name)]
    ticked = {entry["name"] for entry in data.get("enclosures", ()) if entry.get("ticked")}
    return missing + [each.name for each in kind.enclosures if each.required and each.name not in ticked]


def template_values(
    settings: Documents, kind: DocumentKind, values: Mapping[str, str], data: Mapping[str, Any], issue: Issue
) -> dict[str, Any]:
    """Return all values of a template by English name; see :func:`with_chinese_names`.

    Args:
        settings, kind: what is produced.
        values: of :func:`alert_values`.
        data: of :func:`check_data`.
        issue: number and days.
    """
    found: dict[str, Any] = {name: str(value) or BLANK for name, value in values.items()}
    found["number"] = issue.number
    found["issued_on"] = chinese_date(issue.day) or "　　　　年　　月　　日"
    found["reply_by"] = chinese_date(issue.reply_by) or BLANK
    found["enclosures"] = [
        {"name": entry["name"], "copies": entry["copies"], "remark": entry["remark"]}
        for entry in data.get("enclosures", ())
        if entry.get("ticked")
    ]
    for name, each in settings.fields.items():
        value = str(data.get(name, ""))
        if each.kind == "lines":
            found[name] = [line.strip() for line in value.split("\n") if line.strip()]
            continue
        if each.kind == "long":
            value = PARAGRAPH.join(line.strip() for line in value.split("\n") if line.strip())
        if each.kind == "date" and value:
            value = chinese_date(dt.date.fromisoformat(value))
        if each.kind == "identity":
            masked = mask_identity(value)
            if each.masked:
                found[each.masked] = masked or BLANK
            value = masked if kind.masked else value
        found[name] = value or BLANK
    if found["remark"] == BLANK:
        found["remark"] = ""
    return found


def with_chinese_names(settings: Documents, values: Mapping[str, Any]) -> dict[str, Any]:
    """Add every value under its Chinese name, those of entries of the enclosures too."""
    names = settings.chinese_names()
    entries = [
        {**entry, **{ENTRY_NAMES[key]: value for key, value in entry.items()}} for entry in values.get("enclosures", ())
    ]
    complete: dict[str, Any] = {**values, "enclosures": entries}
    return complete | {names[name]: value for name, value in complete.items() if name in names}


def first_texts(data: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Return the first value of each name that several documents have, the latest document first."""
    found: dict[str, Any] = {}
    for each in data:
        for name in names:
            if name not in found and each.get(name):
                found[name] = each[name]
    return found
