"""API and pages of images after their ingest: list, correct, withdraw, restore and purge them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from configs.texts import translate
from errors import SettingsError
from imagery.conversion.given_metadata import parse_crs
from imagery.dates import describe_source
from service.context import Context
from service.images.correct import Correction, correct_images
from service.images.requests import MAX_IMAGES, Actor, ImageOutcome, about, may_correct
from service.images.withdraw import MAX_REASON, purge_images, restore_images, withdraw_images
from store.access.audit_log import actions_about
from store.access.rights import Viewer
from store.scenes.corrections import scene_ids_of_batch
from store.search.image_search import SceneFilter, search_scenes
from store.views.image_view import image_use
from web.api.schemas import COMMON_ERRORS, CONFLICT, FORBIDDEN
from web.auth.authentication import CurrentUser, Service, client_address
from web.auth.authorized_lookup import scene_of
from web.http_errors import InvalidInput
from web.page import language_of, page
from web.row_ids import MAX_ID, BeforeId, Id

router = APIRouter()

_PER_PAGE = 100

RowId = Annotated[int, Field(ge=1, le=MAX_ID)]


class ImageSelection(BaseModel):
    """Images of a request."""

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[RowId], Field(max_length=MAX_IMAGES, description="numbers of images")] = []
    batch: Annotated[RowId | None, Field(description="all images of this batch")] = None


class ImageCorrection(ImageSelection):
    """Values to be corrected; those left out stay."""

    date: Annotated[dt.date | None, Field(description="day of acquisition")] = None
    source: Literal["", "drone", "satellite", "camera"] = ""
    bands: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], Field(max_length=3)] = ()
    crs: Annotated[str, Field(max_length=20, description="system in which the coordinates are meant: EPSG:4547")] = ""


class ImageWithdrawal(ImageSelection):
    """Images to be withdrawn, with the reason."""

    reason: Annotated[str, Field(min_length=1, max_length=MAX_REASON)]


class ImageResult(BaseModel):
    """What came of the request for one image."""

    id: int
    name: str
    done: bool
    message: Annotated[str, Field(description="in the user's language")]
    code: Annotated[str, Field(description="identifies the message in all languages")]
    job: Annotated[int | None, Field(description="job that writes the pixels again; its outcome is in the log")]


class ImageResults(BaseModel):
    """One result for each image."""

    images: list[ImageResult]


@router.patch("/api/scenes", tags=["images"], responses=COMMON_ERRORS | CONFLICT | FORBIDDEN)
def correct(request: Request, context: Service, viewer: CurrentUser, wanted: ImageCorrection) -> ImageResults:
    """Correct day, source, bands or coordinate system; comparisons are withdrawn, and the next night plans them."""
    correction = Correction(wanted.date, wanted.source, wanted.bands, _system(wanted.crs))
    actor, ids = _actor(request, viewer), _ids(context, wanted)
    return _results(request, correct_images(context, actor, ids, correction))


@router.post("/api/scenes/withdraw", tags=["images"], responses=COMMON_ERRORS | CONFLICT | FORBIDDEN)
def withdraw(request: Request, context: Service, viewer: CurrentUser, wanted: ImageWithdrawal) -> ImageResults:
    """Withdraw images: they are no longer compared, and alerts that rest on them alone are withdrawn."""
    actor, ids = _actor(request, viewer), _ids(context, wanted)
    return _results(request, withdraw_images(context, actor, ids, wanted.reason))


@router.post("/api/scenes/restore", tags=["images"], responses=COMMON_ERRORS | CONFLICT | FORBIDDEN)
def restore(request: Request, context: Service, viewer: CurrentUser, wanted: ImageSelection) -> ImageResults:
    """Use withdrawn images again."""
    return _results(request, restore_images(context, _actor(request, viewer), _ids(context, wanted)))


@router.post("/api/scenes/purge", tags=["images"], responses=COMMON_ERRORS | CONFLICT | FORBIDDEN)
def purge(request: Request, context: Service, viewer: CurrentUser, wanted: ImageSelection) -> ImageResults:
    """Delete the pixels of withdrawn images, except of those that are evidence of judged alerts."""
    return _results(request, purge_images(context, _actor(request, viewer), _ids(context, wanted)))


@dataclass(frozen=True)
class _Filters:
    """Filters of the list of images."""

    place: Annotated[str, Query(pattern=r"^\d{0,12}$")] = ""
    batch: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None
    undated: bool = False
    state: Literal["", "ready", "withdrawn", "purged"] = ""

    def query(self, before: int) -> str:
        """Return the query of the next page."""
        values = {"place": self.place, "batch": self.batch or "", "undated": "1" if self.undated else ""}
        values |= {"state": self.state, "before": before}
        return "&".join(f"{name}={value}" for name, value in values.items() if value)


@router.get("/images", include_in_schema=False)
def images_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    filters: Annotated[_Filters, Depends()],
    before: BeforeId = None,
) -> HTMLResponse:
    """Render the list of images with the form that corrects the chosen ones."""
    scenes_filter = SceneFilter(
        filters.place, batch_id=filters.batch, undated=filters.undated, state=filters.state or "any"
    )
    with context.database.read() as session:
        found, following = search_scenes(session, viewer, scenes_filter, limit=_PER_PAGE, before_id=before)
        actor = _actor(request, viewer)
        editable = {scene.id for scene in found if may_correct(session, scene, actor)}
    more = f"/images?{filters.query(following)}" if following else ""
    return page(
        request,
        "images.html",
        images=found,
        editable=editable,
        filters=filters,
        more=more,
        source_text=describe_source,
    )


@router.get("/images/{scene_id}", include_in_schema=False)
def image_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    scene_id: Id,
    date: dt.date | None = None,
) -> HTMLResponse:
    """Render one image with what rests on it and its log; ``date``: proposed correction of its day."""
    with context.database.read() as session:
        scene = scene_of(session, viewer, scene_id)
        own = scene.area_code.startswith(viewer.code)
        use = image_use(session, viewer, scene)
        actions = actions_about(session, about(scene.id)) if own else []
        editable = may_correct(session, scene, _actor(request, viewer))
    return page(
        request,
        "image.html",
        image=scene,
        own=own,
        use=use,
        actions=actions,
        editable=editable,
        proposed=date,
        source_text=describe_source,
    )


def _actor(request: Request, viewer: Viewer) -> Actor:
    return Actor(viewer.login, viewer.code, viewer.role, viewer.administrator, client_address(request))


def _system(text: str) -> str:
    try:
        return parse_crs(text)
    except SettingsError as error:
        raise InvalidInput(error.reason) from None


def _ids(context: Context, wanted: ImageSelection) -> list[int]:
    ids = list(wanted.ids)
    if wanted.batch is not None:
        with context.database.read() as session:
            ids += scene_ids_of_batch(session, wanted.batch)
    return ids


def _results(request: Request, outcomes: list[ImageOutcome]) -> ImageResults:
    language = language_of(request)
    results: list[dict[str, Any]] = [
        {
            "id": outcome.scene_id,
            "name": outcome.name,
            "done": outcome.done,
            "message": translate(outcome.message, language),
            "code": outcome.message.code,
            "job": outcome.job_id,
        }
        for outcome in outcomes
    ]
    return ImageResults.model_validate({"images": results})
