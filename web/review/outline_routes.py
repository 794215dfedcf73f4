"""Draw a missed change, correct the outline of an alert, and return what that changed."""

from __future__ import annotations

from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from configs.texts import text
from enforcement.units import mu
from errors import SettingsError, TubanError
from store.review.outline_edits import OutlineChange, correct_outline, draw_alert, edits_of
from store.schema.database_errors import CONCURRENT_CHANGE
from store.views.alert_view import user_names
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import Conflict
from web.page import language_of
from web.review.review_data import AlertDetail, requested_filter
from web.review.review_errors import review_error

router = APIRouter(include_in_schema=False)

Words = Annotated[str, Field(max_length=1500)]


class _Outline(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Annotated[str, Field(pattern="^(Polygon|MultiPolygon)$")]
    coordinates: Annotated[list[Any], Field(max_length=200)]

    def geometry(self) -> BaseGeometry:
        """Return the geometry.

        Raises:
            SettingsError: the coordinates do not form a polygon.
        """
        try:
            return shapely.force_2d(shape(self.model_dump()))
        except (ValueError, TypeError, IndexError, AttributeError, shapely.errors.GEOSException) as error:
            raise SettingsError(
                "The outline is no polygon; expected three or more corners.", "drawn.polygon"
            ) from error


class Correction(BaseModel):
    """A corrected outline in longitude and latitude; null: the detected one again."""

    model_config = ConfigDict(extra="forbid")

    outline: _Outline | None
    why: Words
    as_of: AwareDatetime | None = None


class MissedChange(BaseModel):
    """A change that no scan reported, drawn on the latest image."""

    model_config = ConfigDict(extra="forbid")

    outline: _Outline
    kind: Annotated[str, Field(max_length=20)]
    why: Words


@router.post("/alerts/{number}/outline")
def correct_alert(
    request: Request, context: Service, viewer: CurrentUser, number: str, body: Correction
) -> dict[str, Any]:
    """Correct the outline of an alert; returns its new data and what has changed."""
    list_filter, now = requested_filter(request, context), context.clock()
    try:
        with context.database.write() as session:
            alert = alert_of(session, viewer, number)
            if body.as_of is not None and alert.changed_at != body.as_of:
                raise Conflict("review.conflict")
            outline = None if body.outline is None else body.outline.geometry()
            change = correct_outline(session, alert, viewer, outline, body.why, settings=context.settings, now=now)
            detail = {"why": body.why, "before": dict(change.before), "after": dict(change.after)}
            what = "restored_outline" if body.outline is None else "corrected_outline"
            log_action(request, session, viewer, what, about=number, code=change.alert.grid_code, detail=detail)
            data = AlertDetail(request, context, session, viewer).data(change.alert, list_filter)
    except TubanError as error:
        raise review_error(request, error) from error
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error
    return data | {"changes": changes_in_words(change, language_of(request))}


@router.post("/api/drawn-alerts", status_code=201)
def draw_missed_change(request: Request, context: Service, viewer: CurrentUser, body: MissedChange) -> JSONResponse:
    """Create an alert where no scan reported the change, or add it to the alert at that place."""
    try:
        with context.database.write() as session:
            change = draw_alert(
                session,
                viewer,
                body.outline.geometry(),
                body.kind,
                body.why,
                settings=context.settings,
                now=context.clock(),
            )
            number, detail = change.alert.number, {"why": body.why, "after": dict(change.after)}
            log_action(request, session, viewer, "drew_alert", about=number, code=change.alert.grid_code, detail=detail)
    except TubanError as error:
        raise review_error(request, error) from error
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error
    return JSONResponse(
        {
            "number": number,
            "address": f"{context.settings.path_prefix}/alerts/{number}",
            "created": change.created,
            "changes": changes_in_words(change, language_of(request)),
        },
        201,
    )


@router.get("/alerts/{number}/outlines")
def outline_edits(request: Request, context: Service, viewer: CurrentUser, number: str) -> JSONResponse:
    """Return who drew or corrected the outline, when and why, with each outline and the detected one."""
    language = language_of(request)
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        edits = edits_of(session, alert.id)
        names = user_names(session, {edit.who for edit in edits})
    return JSONResponse(
        {
            "edits": [
                {
                    "action": edit.action,
                    "action_name": text(f"outline.{edit.action}", language),
                    "at": f"{edit.at.astimezone(context.settings.zone):%Y-%m-%d %H:%M}",
                    "who": names.get(edit.who, edit.who),
                    "why": edit.why,
                    "before_mu": _mu(edit.before.get("area_m2")),
                    "mu": _mu(edit.after.get("area_m2")),
                    "outline": mapping(edit.outline),
                    "detected": mapping(shapely.from_wkb(edit.detected_wkb)) if edit.detected_wkb else None,
                }
                for edit in edits
            ]
        }
    )


def changes_in_words(change: OutlineChange, language: str) -> list[str]:
    """Return what an edit changed, for the person who made it: area, who answers, overlaps."""
    before, after = change.before, change.after
    words = []
    if before:
        words.append(text("outline.area", language, before=_mu(before["area_m2"]), after=_mu(after["area_m2"])))
    else:
        words.append(text("outline.new_area", language, after=_mu(after["area_m2"])))
    if not before or before["grid"] != after["grid"]:
        words.append(text("outline.grid", language, name=after["grid_name"] or after["grid"]))
    for overlap in after["overlaps"]:
        earlier = _share(before, overlap)
        share = float(overlap.get("share") or 0)
        values = {"layer": overlap.get("layer"), "before": f"{earlier:.0%}", "after": f"{share:.0%}"}
        if not before and share:
            words.append(text("outline.new_overlap", language, **values))
        elif abs(share - earlier) >= 0.005:
            words.append(text("outline.overlap", language, **values))
    return words


def _share(before: Any, overlap: dict[str, Any]) -> float:
    same = (one for one in before.get("overlaps", ()) if one.get("layer") == overlap.get("layer"))
    return sum(float(one.get("share") or 0) for one in same)


def _mu(area_m2: Any) -> str:
    return f"{mu(float(area_m2)):.2f}" if area_m2 is not None else ""
