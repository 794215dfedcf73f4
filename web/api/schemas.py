"""Response models and error responses of the API, for the OpenAPI document."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from enforcement.change_types import KINDS
from enforcement.states import read_states


class ErrorResponse(BaseModel):
    """An error: problem details (RFC 9457)."""

    type: str
    title: Annotated[str, Field(description="Phrase of the status.")]
    status: int
    detail: Annotated[str, Field(description="Message for people, in the language asked for.")]
    code: Annotated[str, Field(description="Stable name of the error, for programs.")]


COMMON_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "A parameter or header is unknown, missing or invalid."},
    401: {
        "model": ErrorResponse,
        "description": (
            "Not authenticated: send `Authorization: Bearer KEY`, or for reading `Basic` with the key as password."
        ),
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    },
    422: {
        "model": ErrorResponse,
        "description": "The values of the body are not acceptable; the message says what is expected.",
    },
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorResponse, "description": "It does not exist, or the user may not see it."}
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {
        "model": ErrorResponse,
        "description": "The state table does not allow it, or another user has it open.",
    },
}
FORBIDDEN: dict[int | str, dict[str, Any]] = {
    403: {"model": ErrorResponse, "description": "A browser's request without the CSRF token of its page."},
}


Kind = Annotated[str, Field(json_schema_extra={"enum": list(KINDS)})]
State = Annotated[str, Field(json_schema_extra={"enum": list(read_states().states)})]


class BilingualText(BaseModel):
    """A text in Chinese and English."""

    zh: str
    en: str


class LonLat(BaseModel):
    """A position in degrees, EPSG:4490."""

    lon: float
    lat: float


class Geometry(BaseModel):
    """A GeoJSON geometry (RFC 7946): longitude, latitude."""

    type: str
    coordinates: list[Any]


class AlertSummary(BaseModel):
    """An alert in a list."""

    number: str
    kind: Kind
    type: Annotated[str | None, Field(description="Official change type; null until a user has set it.")]
    state: State
    score: float
    area_m2: float
    area_mu: float
    grid_code: Annotated[str, Field(description="Administrative code of the smallest responsible area.")]
    grid_name: str
    township_code: str
    county_code: str
    legal_weight: Annotated[int, Field(description="Severity, larger is graver: farmland first.")]
    rank: int | None
    over_cap: Annotated[bool, Field(description="Exceeds the weekly quota of its area.")]
    times_seen: int
    sources_seen: int
    first_seen: dt.date | None
    last_seen: dt.date | None
    due_on: dt.date | None
    assignee: str
    overlaps: Annotated[list[str], Field(description="Kinds of the layers that it overlaps with.")]
    bbox: tuple[float, float, float, float]
    centre: LonLat
    created_at: dt.datetime
    locked_by: Annotated[str, Field(description='Login of the user who has it open now; "" if no one has.')]


class AlertList(BaseModel):
    """A page of alerts; ``next`` is the URL of the next page, null on the last one."""

    alerts: list[AlertSummary]
    next: str | None


class AlertImage(BaseModel):
    """One of the two images that were compared."""

    date: dt.date | None
    source: str
    gsd_m: float
    sha256: str


class AlertArea(BaseModel):
    """A village, township or county; the name is empty if its boundary is not loaded."""

    code: str
    name: str


class Sighting(BaseModel):
    """One detection of the change."""

    date: dt.date | None
    source: str
    area_m2: float
    score: float


class AlertProperties(BaseModel):
    """All properties of an alert; unknown ones are null."""

    number: str
    statement: BilingualText
    source: str
    kind: Kind
    kind_name: BilingualText
    type: str | None
    type_name: BilingualText | None
    state: State
    state_reason: str
    state_of_works: str | None
    score: float
    area_m2: float
    area_mu: float
    area_error_m2: Annotated[
        float, Field(description="Error of an oblique area by its position error alone, no bound; 0: seen from above.")
    ] = 0.0
    area_is_oblique: Annotated[bool, Field(description="An estimate, seen only by oblique cameras.")] = False
    confidence: Annotated[float | None, Field(description="Probability over all sources, 0 to 1.")] = None
    confidence_parts: list[dict[str, Any]] = []
    not_yet_on: Annotated[dt.date | None, Field(description="Last day without the works.")] = None
    there_on: Annotated[dt.date | None, Field(description="First day with the works.")] = None
    gone_on: Annotated[dt.date | None, Field(description="First day without the works again.")] = None
    site: Annotated[str | None, Field(description="Number of the first alert of its site.")] = None
    change: Annotated[
        dict[str, Any] | None, Field(description="In events: what changed, with the areas before and after.")
    ] = None
    crs: str
    centre: LonLat
    detected: Annotated[dict[str, Any], Field(description="The outline as detected: crs and wkt.")]
    earlier_image: AlertImage | None
    later_image: AlertImage | None
    village: AlertArea | None
    township: AlertArea | None
    county: AlertArea | None
    also_in: list[dict[str, Any]]
    position_error: dict[str, float] | None = None
    overlaps: list[dict[str, Any]]
    legal_weight: int
    week: str | None
    rank: int | None
    over_cap: bool
    times_seen: int
    sources_seen: int
    first_seen: dt.date | None
    last_seen: dt.date | None
    growth_m2: float
    sights: list[Sighting]
    model_sha256: str
    settings_sha256: str
    registration_residual_px: float | None
    registration_residual_m: float | None
    registration_method: Annotated[
        str | None,
        Field(description="gradients, descriptors, or georeferencing: compared by the images' coordinates alone."),
    ] = None
    registration_accuracy_m: Annotated[
        float | None, Field(description="Accuracy of these coordinates, if compared as georeferenced.")
    ] = None
    evidence: dict[str, str]
    page: str | None


class AlertFeature(BaseModel):
    """An alert as a GeoJSON feature, as the enforcement queue receives it."""

    model_config = ConfigDict(title="Alert")
    type: str
    id: str
    bbox: list[float]
    geometry: Geometry
    properties: AlertProperties


class AlertTransition(BaseModel):
    """One state transition of an alert."""

    sequence: int
    at: dt.datetime
    who: str
    role: str
    from_state: str
    to_state: State
    why: str
    evidence: dict[str, Any]
    previous_hash: str
    hash: str


class TransitionList(BaseModel):
    """All transitions of an alert, oldest first, and the states that it can change to."""

    number: str
    state: str
    version: Annotated[int, Field(description="Send it with a transition to detect concurrent changes (409).")]
    ways_out: Annotated[
        list[str],
        Field(description="States to which the user may move the alert now, by role, area and the rule of four eyes."),
    ]
    transitions: list[AlertTransition]


class SceneSummary(BaseModel):
    """An image that was checked, georeferenced and dated."""

    id: int
    area_code: str
    name: str
    source: str
    date: dt.date | None
    date_source: str
    gsd_m: float
    crs: str
    width: int
    height: int
    valid_share: float
    sha256: Annotated[str, Field(description="SHA-256 of the original file.")]
    bbox: tuple[float, float, float, float]
    created_at: dt.datetime


class SceneDetail(SceneSummary):
    """A scene with its footprint."""

    footprint: Geometry


class SceneList(BaseModel):
    """A page of scenes, newest first."""

    scenes: list[SceneSummary]
    next: str | None


class AreaSummary(BaseModel):
    """A village, township or county."""

    code: str
    name: str
    level: str
    bbox: tuple[float, float, float, float]


class AreaList(BaseModel):
    """Areas by code: the user's own, and the areas that contain these."""

    areas: list[AreaSummary]


class ScanSummary(BaseModel):
    """A comparison of two scenes, done or planned."""

    id: int
    area_code: str
    night_id: int | None
    before_id: int
    after_id: int
    state: str
    reason: str
    changes: int
    settings_sha256: str
    weights_sha256: str
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class ScanList(BaseModel):
    """A page of scans, newest first."""

    scans: list[ScanSummary]
    next: str | None


class NightSummary(BaseModel):
    """A night, with its results in the user's area."""

    id: int
    day: dt.date
    state: str
    begun_at: dt.datetime
    finished_at: dt.datetime | None
    scans: Annotated[dict[str, int], Field(description="Number of scans by state.")]
    changes: int
    uncompared_m2: Annotated[
        float, Field(description="Newly imaged area that could not be compared, which does not mean unchanged.")
    ]


class NightList(BaseModel):
    """A page of nights, newest first."""

    nights: list[NightSummary]
    next: str | None
