"""Data of the phone: who is signed in, with which settings and clock; the work list; alerts to take along."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from enforcement.field_check.form import read_field_form
from store.alerts.image_pairs import latest_pairs
from store.chain_settings import read_chain_values
from store.field.takes import take_alert, work_list
from web.auth.authentication import CurrentUser, Identity, Service, authenticate, csrf_token
from web.auth.authorized_lookup import alert_of
from web.field.work_data import estimated_bytes, listed_alert, taken_alert, tile_layers
from web.http_errors import Conflict

router = APIRouter(prefix="/api/field", include_in_schema=False)

_MOST_ALERTS = 200
_SETTINGS = (
    "photos_least",
    "photos_far",
    "photos_near",
    "accuracy_m",
    "distance_m",
    "fix_age_s",
    "clock_s",
    "exif_m",
    "photo_mib",
)


@router.get("/session")
def session_data(identity: Annotated[Identity, Depends(authenticate)], context: Service) -> dict[str, Any]:
    """Return the person, the CSRF token, the server's time, the settings and the form in both languages."""
    with context.database.read() as session:
        values = read_chain_values(session)
    form = read_field_form()
    return {
        "login": identity.viewer.login,
        "name": identity.viewer.name,
        "csrf": csrf_token(identity.secret) if identity.secret else "",
        "server_time": context.clock().isoformat(),
        "zone": str(context.settings.zone),
        "settings": {name: values.value(f"field.{name}") for name in _SETTINGS}
        | {name: values.flag(f"field.{name}") for name in ("gallery", "report_at_once")}
        | {"area_factor": values.number("evidence.area_factor")},
        "form": form.model_dump(mode="json"),
    }


@router.get("/alerts")
def work(context: Service, viewer: CurrentUser) -> dict[str, Any]:
    """Return the work list of the person, each alert with the approximate size of what is taken along."""
    with context.database.read() as session:
        values = read_chain_values(session)
        alerts = work_list(session, viewer, read_field_form().states, _MOST_ALERTS)
        pairs = latest_pairs(session, [alert.id for alert in alerts])
        listed = []
        for alert in alerts:
            layers = tile_layers(context, session, viewer, alert, pairs.get(alert.id), values)
            size = {"bytes": estimated_bytes(layers), "tiles": sum(len(layer["tiles"]) for layer in layers)}
            listed.append(listed_alert(context, session, viewer, alert) | size)
    return {"alerts": listed, "server_time": context.clock().isoformat(), "most": _MOST_ALERTS}


@router.post("/alerts/{number}/take")
def take(context: Service, viewer: CurrentUser, number: str) -> JSONResponse:
    """Return all data of an alert for use without a network, and record that the person took it along."""
    now = context.clock()
    with context.database.write() as session:
        alert = alert_of(session, viewer, number)
        if alert.state not in read_field_form().states:
            raise Conflict("field.not_to_check")
        take_alert(session, viewer, alert, now)
        pair = latest_pairs(session, [alert.id]).get(alert.id)
        data = taken_alert(context, session, viewer, alert, pair, read_chain_values(session))
    return JSONResponse(data | {"taken_at": now.isoformat()})
