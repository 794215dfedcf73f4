"""Nights: what was compared while people slept, and what could not be."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from store.night_view import gaps_of, night_of, nights_seen, scans_of
from web.page import page
from web.refusals import NotFound
from web.signed_in import Person, Service

router = APIRouter(include_in_schema=False)

_NIGHTS, _MOST = 14, 200

_UNFIT = "no usable earlier image: the other images of this ground "
_REASONS = (  # as workers/planning.py says them, and the text that says the same in each language
    (re.compile(r"differ too much in scale"), "nights.reason_scale"),
    (re.compile(r"are too close in time \(less than (?P<days>\d+) days\)"), "nights.reason_close"),
    (re.compile(r"are too old \(more than (?P<days>\d+) days\)"), "nights.reason_old"),
    (re.compile(r"are of unknown date"), "nights.reason_undated"),
    (re.compile(r"touch it only at their edge"), "nights.reason_sliver"),
    (re.compile(r"are newer"), "nights.reason_newer"),
)


class ReasonPart(NamedTuple):
    """Part of why ground was not compared: a text of the catalogue with its values, or words as they were kept."""

    key: str
    given: dict[str, Any]
    words: str = ""


def reason_parts(reason: str) -> list[ReasonPart]:
    """What a plan kept in English, to be said in the reader's language; what is not known is said as it is."""
    if reason == "no earlier image shows this ground":
        return [ReasonPart("nights.reason_first", {})]
    if not reason.startswith(_UNFIT):
        return [ReasonPart("", {}, reason)]
    parts = [ReasonPart("nights.reason_unfit", {})]
    for words in reason.removeprefix(_UNFIT).split(" or "):
        known = ((key, pattern.fullmatch(words)) for pattern, key in _REASONS)
        parts.append(
            next((ReasonPart(key, match.groupdict()) for key, match in known if match), ReasonPart("", {}, words))
        )
    return parts


@router.get("/nights")
def nights(
    request: Request, context: Service, person: Person, count: Annotated[int, Query(ge=1, le=366)] = _NIGHTS
) -> HTMLResponse:
    """The last nights, the newest first."""
    with context.database.read() as session:
        shown = nights_seen(session, person, count + 1)
    return page(
        request, "nights.html", nights=shown[:count], count=count, more=len(shown) > count, reason_parts=reason_parts
    )


@router.get("/nights/{day}")
def night(request: Request, context: Service, person: Person, day: dt.date) -> HTMLResponse:
    """One night: its scans, and the ground that was not compared."""
    with context.database.read() as session:
        found = night_of(session, person, day)
        if found is None:
            raise NotFound
        gaps = gaps_of(session, person, found.night.id, _MOST)
        scans = scans_of(session, person, found.night.id, _MOST)
    return page(
        request,
        "night.html",
        night=found.night,
        summary=found.summary,
        gaps=gaps,
        scans=scans,
        most=_MOST,
        reason_parts=reason_parts,
    )
