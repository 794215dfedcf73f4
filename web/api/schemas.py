"""What the API answers with, and what it refuses with: the models of the OpenAPI document."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Refused(BaseModel):
    """Why a request got another answer than what it asked for."""

    error: Annotated[str, Field(description="Words for people, in the language of who asks.")]
    status: int


REFUSED: dict[int | str, dict[str, Any]] = {
    401: {
        "model": Refused,
        "description": "Nobody known asks: give `Authorization: Bearer KEY`, or `Basic` with it as password to read.",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    },
    422: {"model": Refused, "description": "A parameter or the body cannot be used; says what was expected."},
}
NOT_THEIRS: dict[int | str, dict[str, Any]] = {
    404: {"model": Refused, "description": "There is no such thing, or it is not theirs to see."}
}
CLASH: dict[int | str, dict[str, Any]] = {
    409: {"model": Refused, "description": "The table of states does not allow it, or somebody else has it open."},
}
FORBIDDEN: dict[int | str, dict[str, Any]] = {
    403: {"model": Refused, "description": "A browser's request without the token of its page."},
}


class Both(BaseModel):
    """Words in Chinese and English."""

    zh: str
    en: str


class LonLat(BaseModel):
    """Degrees, EPSG:4490."""

    lon: float
    lat: float


class Geometry(BaseModel):
    """GeoJSON (RFC 7946): longitude, latitude."""

    type: str
    coordinates: list[Any]


class AlertSummary(BaseModel):
    """An alert as a list tells it."""

    number: str
    kind: str
    type: Annotated[str | None, Field(description="Official change type; null until a person has set it.")]
    state: str
    score: float
    area_m2: float
    area_mu: float
    grid_code: Annotated[str, Field(description="Administrative code of the smallest area that answers for it.")]
    grid_name: str
    township_code: str
    county_code: str
    legal_weight: Annotated[int, Field(description="Larger is graver: farmland first.")]
    rank: int | None
    over_cap: Annotated[bool, Field(description="Exceeds the share of its grid and week.")]
    times_seen: int
    sources_seen: int
    first_seen: dt.date | None
    last_seen: dt.date | None
    due_on: dt.date | None
    assignee: str
    overlaps: Annotated[list[str], Field(description="Kinds of the layers that it overlaps.")]
    bbox: tuple[float, float, float, float]
    centre: LonLat
    created_at: dt.datetime
    locked_by: Annotated[str, Field(description="Login of who has it open now; empty: nobody.")]


class AlertList(BaseModel):
    """A page of alerts; ``next`` is the address of the following one, null on the last."""

    alerts: list[AlertSummary]
    next: str | None


class AlertImage(BaseModel):
    """One of the two images that were compared."""

    date: dt.date | None
    source: str
    gsd_m: float
    sha256: str


class AlertArea(BaseModel):
    """A village, township or county; the name is empty when it is not loaded."""

    code: str
    name: str


class Sight(BaseModel):
    """One time that the place was seen changed."""

    date: dt.date | None
    source: str
    area_m2: float
    score: float


class AlertProperties(BaseModel):
    """Everything that is known of an alert; what is not known is null."""

    number: str
    statement: Both
    source: str
    kind: str
    kind_name: Both
    type: str | None
    type_name: Both | None
    state: str
    state_reason: str
    state_of_works: str | None
    score: float
    area_m2: float
    area_mu: float
    crs: str
    centre: LonLat
    detected: Annotated[dict[str, Any], Field(description="The polygon as detected: crs and wkt.")]
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
    sights: list[Sight]
    model_sha256: str
    settings_sha256: str
    registration_residual_px: float | None
    registration_residual_m: float | None
    evidence: dict[str, str]
    page: str | None


class AlertFeature(BaseModel):
    """An alert as a GeoJSON feature, as the enforcement queue gets it."""

    model_config = ConfigDict(title="Alert")
    type: str
    id: str
    bbox: list[float]
    geometry: Geometry
    properties: AlertProperties


class TransitionAnswer(BaseModel):
    """One step in the life of an alert."""

    sequence: int
    at: dt.datetime
    who: str
    role: str
    from_state: str
    to_state: str
    why: str
    evidence: dict[str, Any]
    previous_hash: str
    hash: str


class TransitionList(BaseModel):
    """All steps of an alert, oldest first, and where it may go from here."""

    number: str
    state: str
    version: Annotated[int, Field(description="Give it with a step, and it is refused if somebody was faster.")]
    ways_out: Annotated[list[str], Field(description="States that the table lets the asking person's role choose.")]
    transitions: list[TransitionAnswer]


class SceneSummary(BaseModel):
    """An image that was checked, placed and dated."""

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
    sha256: Annotated[str, Field(description="Of the file as it came.")]
    bbox: tuple[float, float, float, float]
    created_at: dt.datetime


class SceneAnswer(SceneSummary):
    """A scene with its footprint."""

    footprint: Geometry


class SceneList(BaseModel):
    """A page of scenes, the newest first."""

    scenes: list[SceneSummary]
    next: str | None


class AreaAnswer(BaseModel):
    """A village, township or county."""

    code: str
    name: str
    level: str
    bbox: tuple[float, float, float, float]


class AreaList(BaseModel):
    """Areas by code: the person's own, and those that they lie in."""

    areas: list[AreaAnswer]


class ScanAnswer(BaseModel):
    """Two scenes compared, or to be compared."""

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
    """A page of scans, the newest first."""

    scans: list[ScanAnswer]
    next: str | None


class NightAnswer(BaseModel):
    """A night, and what it came to on the ground of who asks."""

    id: int
    day: dt.date
    state: str
    begun_at: dt.datetime
    finished_at: dt.datetime | None
    scans: Annotated[dict[str, int], Field(description="Number of scans by state.")]
    changes: int
    uncompared_m2: Annotated[float, Field(description="New ground that could not be compared: not the same as none.")]


class NightList(BaseModel):
    """A page of nights, the newest first."""

    nights: list[NightAnswer]
    next: str | None
