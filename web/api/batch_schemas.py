"""Response models of the batch and upload API."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from web.api.schemas import Geometry

BatchState = Literal["receiving", "working", "done"]
FileState = Literal["waiting", "placed", "duplicate", "failed", "used", "ignored"]
Counts = Annotated[dict[FileState, int], Field(description="Number of files by state.")]


class BatchCreated(BaseModel):
    """A new batch, ready to receive files."""

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


class BatchListItem(BatchSummary):
    """A batch in a list, with the number of files by state."""

    files: Counts


class BatchList(BaseModel):
    """Batches, newest first."""

    batches: list[BatchListItem]


class BatchFile(BaseModel):
    """A file of a batch and its outcome."""

    name: str
    size: int
    state: FileState
    reason: Annotated[str, Field(description="In English: why it failed, or a remark.")]
    why: Annotated[dict[str, Any], Field(description="The reason as `code` with its values; empty without a reason.")]
    scene: Annotated[int | None, Field(description="The scene that was created from it, or that it duplicates.")]
    date: dt.date | None
    job: Annotated[
        str, Field(description="Of a file that is not processed yet: waiting, running or dead, with the last error.")
    ]


class UploadProgress(BaseModel):
    """A file that is being uploaded by tus."""

    id: Annotated[str, Field(description="Its URL is `/api/uploads/ID`.")]
    name: str
    size: int
    sha256: str
    modified: str
    offset: Annotated[int, Field(description="Bytes received.")]


class BatchDetail(BatchSummary):
    """A batch with its files and, for the user who uploads it, the progress of each upload."""

    files: list[BatchFile]
    complete: Annotated[bool, Field(description="Whether the client has announced that no more files follow.")] = False
    uploads: Annotated[
        list[UploadProgress], Field(description="Only while files are received, and only for the user who uploads.")
    ] = []


class Footprint(BaseModel):
    """The footprint of a scene, as a GeoJSON feature."""

    type: Literal["Feature"]
    id: int
    geometry: Geometry
    properties: dict[str, Any]


class Footprints(BaseModel):
    """Footprints as a GeoJSON feature collection; longitude, latitude."""

    type: Literal["FeatureCollection"]
    features: list[Footprint]
