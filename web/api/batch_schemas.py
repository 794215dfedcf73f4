"""What the API answers of batches and uploads: models of the OpenAPI document."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from web.api.schemas import Geometry

BatchState = Literal["receiving", "working", "done"]
FileState = Literal["waiting", "placed", "duplicate", "failed", "used", "ignored"]
Counts = Annotated[dict[FileState, int], Field(description="Number of files by state.")]


class BatchBegun(BaseModel):
    """A batch that takes files now."""

    id: int
    state: BatchState


class BatchSummary(BaseModel):
    """A batch without its files."""

    id: int
    area_code: str
    name: str
    origin: Literal["command", "folder", "upload"]
    source: Literal["drone", "satellite", "camera"]
    state: BatchState
    created_by: str
    created_at: dt.datetime
    finished_at: dt.datetime | None


class BatchListed(BatchSummary):
    """A batch in a list."""

    files: Counts


class BatchList(BaseModel):
    """Batches, the newest first."""

    batches: list[BatchListed]


class FileAnswer(BaseModel):
    """A file of a batch and what became of it."""

    name: str
    size: int
    state: FileState
    reason: Annotated[str, Field(description="In English: why it failed, or what to know of it.")]
    why: Annotated[dict[str, Any], Field(description="The same as `code` with its values; empty where there is none.")]
    scene: Annotated[int | None, Field(description="The scene it became, or equals.")]
    date: dt.date | None
    job: Annotated[str, Field(description="Of one that waits: waiting, running or dead, with its last error.")]


class UploadAnswer(BaseModel):
    """A file that is on its way over tus."""

    id: Annotated[str, Field(description="Its address is `/api/uploads/ID`.")]
    name: str
    size: int
    sha256: str
    modified: str
    offset: Annotated[int, Field(description="Bytes that came.")]


class BatchAnswer(BatchSummary):
    """A batch with its files; to who sends it, also how far each upload is."""

    files: list[FileAnswer]
    complete: Annotated[bool, Field(description="Whether its sender said that nothing more comes.")] = False
    uploads: Annotated[
        list[UploadAnswer], Field(description="Only while it is received, and only for its sender.")
    ] = []


class Footprint(BaseModel):
    """Where a scene lies, as a GeoJSON feature."""

    type: Literal["Feature"]
    id: int
    geometry: Geometry
    properties: dict[str, Any]


class Footprints(BaseModel):
    """GeoJSON; longitude, latitude."""

    type: Literal["FeatureCollection"]
    features: list[Footprint]
