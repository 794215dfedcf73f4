"""Registration of a tip by the page or by the API: the same fields, the same checks."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import shapely
from fastapi import Request
from pydantic import ConfigDict, Field, SecretStr

from configs.texts import text
from enforcement.states import read_states
from errors import Reason, SettingsError
from service.context import Context
from store.access.rights import Viewer, may_see
from store.alerts.drawn_sighting import DrawnChange, circle, record_drawn_change
from store.scenes.scenes import smallest_area_at
from store.schema.chain.tip_tables import TipRow
from store.schema.database import Session
from store.schema.tables import AlertRow
from store.tips.informant_key import Informant, informant_key
from store.tips.tip_search import visible_tip
from store.tips.tip_steps import NewTip, add_tip, evidence_of, may_register, tip_source, why_of
from web.auth.audit_log import log_action
from web.auth.authorized_lookup import alert_of
from web.http_errors import Forbidden, InvalidInput
from web.maps.coordinates import CoordinateError, parse_coordinates
from web.maps.place_drawing import MAX_RADIUS_M, MIN_RADIUS_M
from web.page import language_of
from web.plain_text import PlainModel
from web.row_ids import MAX_ID
from web.tips.tip_access import check_reader

Words = Annotated[str, Field(max_length=2000)]
Short = Annotated[str, Field(max_length=300)]
Secret = Annotated[SecretStr, Field(max_length=300)]

ASSIGNMENT = ("unit", "at", "phone", "due", "undertaker", "person")
"""交办单位, 交办时间, 联系电话, 办结时间, 承办单位, 交办人."""


class TipInput(PlainModel):
    """Fields of the register (线索登记表). Name, phone, address and postcode of the informant are write-only."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"channel": "hotline", "summary": "…"}]})

    channel: Annotated[str, Field(max_length=20, description="`channels` of configs/tips.yaml")] = "hotline"
    summary: Annotated[str, Field(max_length=6000, description="线索摘要")] = ""
    area: Annotated[str, Field(max_length=12, description="administrative code; empty: that of the place")] = ""
    place: Annotated[str, Field(max_length=500, description="问题发生地")] = ""
    coordinates: Annotated[str, Field(max_length=200, description="typed, as on the map page")] = ""
    lon: Annotated[float | None, Field(ge=-180, le=180)] = None
    lat: Annotated[float | None, Field(ge=-90, le=90)] = None
    radius_m: Annotated[float, Field(ge=0, le=5000)] = 0.0
    happened: Annotated[str, Field(max_length=100, description="问题发生时间")] = ""
    reported_party: Annotated[str, Field(max_length=300, description="被举报单位")] = ""
    seriousness: Annotated[str, Field(max_length=10)] = "ordinary"
    handling: Annotated[str, Field(max_length=20)] = ""
    received_on: dt.date | None = None
    anonymous: bool = False
    name: Secret = SecretStr("")
    phone: Secret = SecretStr("")
    address: Secret = SecretStr("")
    postcode: Secret = SecretStr("")
    remarks: Words = ""
    alert: Annotated[str, Field(max_length=40, description="number of an alert at the place")] = ""
    duplicate_of: Annotated[int | None, Field(ge=1, le=MAX_ID, description="id of an earlier tip")] = None
    assignment: dict[str, Short] = Field(
        default={},
        max_length=10,
        description="of a tip that another unit assigned: unit, at, phone, due, undertaker, person",
    )

    def informant(self) -> Informant:
        """Return the informant of the form; none for an anonymous tip."""
        if self.anonymous:
            return Informant()
        given = (self.name, self.phone, self.address, self.postcode)
        return Informant(*(secret.get_secret_value().strip()[:200] for secret in given))


def register(request: Request, context: Context, viewer: Viewer, given: TipInput, origin: str) -> TipRow:
    """Register a tip and return it.

    Raises:
        Forbidden: the user does not register tips.
        InvalidInput: the coordinates cannot be read, or the place lies outside of the user's area.
        SettingsError: a field is invalid.
    """
    key = informant_key(context.settings)
    with context.database.write() as session:
        values = check_reader(session, viewer)
        if not may_register(viewer, values):
            raise Forbidden("tips.not_yours")
        alert = alert_of(session, viewer, given.alert.strip()) if given.alert.strip() else None
        lon, lat = _position(request, given, alert)
        if given.duplicate_of is not None and visible_tip(session, viewer, given.duplicate_of) is None:
            raise InvalidInput("tips.no_such_tip")
        tip = NewTip(
            channel=given.channel,
            summary=given.summary,
            area_code=area_of(session, viewer, given.area.strip(), lon, lat, alert),
            place=given.place,
            lon=lon,
            lat=lat,
            radius_m=given.radius_m or (values.whole("tips.point_error_m") if lon is not None else 0),
            happened=given.happened,
            reported_party=given.reported_party,
            seriousness=given.seriousness,
            handling=given.handling,
            assignment={name: words for name, words in given.assignment.items() if name in ASSIGNMENT},
            received_on=given.received_on,
            anonymous=given.anonymous,
            remarks=given.remarks,
            alert_id=alert.id if alert is not None else None,
            duplicate_of=given.duplicate_of,
        )
        row = add_tip(
            session,
            tip,
            given.informant(),
            key,
            origin=origin,
            who=viewer.login,
            now=context.clock(),
            settings=context.settings,
        )
        row.handler = viewer.login
        if alert is not None:
            _add_to_alert(session, context, viewer, row, alert)
        log_action(request, session, viewer, "registered_tip", about=row.number, code=row.area_code)
    return row


def area_of(
    session: Session, viewer: Viewer, code: str, lon: float | None, lat: float | None, alert: AlertRow | None
) -> str:
    """Return the area that answers for a tip: that of its place, of its alert, else the given one or the user's own.

    Raises:
        InvalidInput: it lies outside of the user's area.
    """
    found = smallest_area_at(session, shapely.Point(lon, lat)) if lon is not None and lat is not None else None
    area = found.code if found else alert.grid_code if alert is not None else code or viewer.code
    if area and not (area.isascii() and area.isdigit()):
        raise SettingsError(
            f"{area[:12]!r} is not an administrative code; expected digits.", "tip.area", given=area[:12]
        )
    if not may_see(viewer, area):
        raise InvalidInput(Reason("The place lies outside of your area; hand the tip over instead.", "tip.elsewhere"))
    return area


def _position(request: Request, given: TipInput, alert: AlertRow | None) -> tuple[float | None, float | None]:
    if given.lon is not None and given.lat is not None:
        return given.lon, given.lat
    if given.coordinates.strip():
        try:
            found = parse_coordinates(given.coordinates)
        except CoordinateError as error:
            raise InvalidInput(text(error.key, language_of(request), **error.values)) from None
        return found.lon, found.lat
    if alert is not None:
        point = alert.outline.representative_point()
        return round(point.x, 7), round(point.y, 7)
    return None, None


def _add_to_alert(session: Session, context: Context, viewer: Viewer, tip: TipRow, alert: AlertRow) -> None:
    """Add a tip to the alert that was chosen for it, as one more source that says so."""
    if alert.state not in read_states().open or tip.lon is None or tip.lat is None:
        return
    radius = min(max(tip.radius_m, MIN_RADIUS_M), MAX_RADIUS_M)
    record_drawn_change(
        session,
        DrawnChange(
            circle(tip.lon, tip.lat, radius),
            "ground" if alert.kind == "ground" else "construction",
            tip_source(tip),
            tip.received_on,
            why_of(tip),
            error_m=radius / 2,
            evidence=evidence_of(tip),
        ),
        area_code=tip.area_code,
        who=viewer.login,
        role=viewer.role,
        settings=context.settings,
        now=context.clock(),
        into=alert,
    )
