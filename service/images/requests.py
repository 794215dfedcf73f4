"""Who corrects images, which ones, and what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from errors import Reason, TubanError
from service.context import Context
from store.access.audit_log import actions_about, record_action
from store.scenes.corrections import is_capture, locked_scene, uploaders
from store.schema.database import Session
from store.schema.tables import SceneRow

_ROLES = ("county", "city")
"""Roles that may correct images of their area, beside administrators and those who submitted an image."""

MAX_IMAGES = 5000
"""Images of one request."""


class ImageRequestError(TubanError):
    """An image cannot be corrected, withdrawn or purged; the message says why and what to do instead."""

    exit_code = 2


@dataclass(frozen=True)
class Actor:
    """A person who corrects images.

    Attributes:
        login: recorded in the audit log.
        code: administrative code; images under it may be corrected.
        role: of ``configs/states.yaml``; "": the operator of the service.
        administrator: whether images may be purged.
        address: IP address; "": a command.
    """

    login: str
    code: str = ""
    role: str = ""
    administrator: bool = True
    address: str = ""


@dataclass(frozen=True)
class ImageOutcome:
    """What came of the request for one image.

    Attributes:
        scene_id: of the image.
        name: of its file; "" if it does not exist.
        done: whether the request was carried out.
        message: what was done, or why not.
        job_id: of the job that carries it out; None: it is done.
    """

    scene_id: int
    name: str
    done: bool
    message: Reason
    job_id: int | None = None


def for_each_image(
    context: Context,
    actor: Actor,
    scene_ids: Sequence[int],
    change: Callable[[Session, SceneRow, dt.datetime], Reason | ImageOutcome],
    *,
    purge: bool = False,
) -> list[ImageOutcome]:
    """Apply ``change`` to each image in a transaction of its own.

    Args:
        context: of this process.
        actor: the person.
        scene_ids: images, each once.
        change: writes the change and returns what was done; raises ImageRequestError if it cannot be done.
        purge: whether the change needs an administrator.

    Returns:
        one outcome for each image; images outside the actor's area are reported as not existing.

    Raises:
        ImageRequestError: there are too many.
    """
    if len(scene_ids) > MAX_IMAGES:
        raise ImageRequestError(
            f"{len(scene_ids):,} images were given, at most {MAX_IMAGES:,} are changed at once. Use several calls.",
            "image.too_many",
            given=len(scene_ids),
            most=MAX_IMAGES,
        )
    outcomes = []
    for scene_id in dict.fromkeys(scene_ids):
        name = ""
        try:
            with context.database.write() as session:
                scene = locked_scene(session, scene_id)
                if scene is None or not scene.area_code.startswith(actor.code):
                    raise ImageRequestError(f"There is no image {scene_id}.", "image.unknown", image=scene_id)
                name = scene.name
                _check_rights(session, scene, actor, purge)
                result = change(session, scene, context.clock())
        except ImageRequestError as error:
            outcomes.append(ImageOutcome(scene_id, name, False, error.reason))
            continue
        outcomes.append(result if isinstance(result, ImageOutcome) else ImageOutcome(scene_id, name, True, result))
    return outcomes


def may_correct(session: Session, scene: SceneRow, actor: Actor) -> bool:
    """Return whether a person may correct or withdraw an image."""
    if not scene.area_code.startswith(actor.code):
        return False
    if actor.administrator or actor.role in _ROLES:
        return True
    return actor.login in uploaders(session, [scene.id])[scene.id]


def log(session: Session, actor: Actor, what: str, scene: SceneRow, now: dt.datetime, **detail: object) -> None:
    """Record an action on an image in the audit log, in the transaction that performs it."""
    record_action(
        session,
        who=actor.login,
        what=what,
        now=now,
        about=about(scene.id),
        code=scene.area_code,
        detail={"name": scene.name, **detail},
        address=actor.address,
    )


NOT_REWRITTEN = "image_not_rewritten"
"""Action of the audit log: new pixels of an image could not be written."""


def last_failure(session: Session, scene_id: int, since: dt.datetime) -> Reason | None:
    """Return why the pixels of an image could not be written again since a time; None: they were."""
    for action in actions_about(session, about(scene_id)):
        if action.at >= since and action.what == NOT_REWRITTEN:
            return Reason.from_json(action.detail["reason"], action.detail["why"])
    return None


def about(scene_id: int) -> str:
    """Return how the audit log names an image."""
    return f"image {scene_id}"


def _check_rights(session: Session, scene: SceneRow, actor: Actor, purge: bool) -> None:
    if purge and not actor.administrator:
        raise ImageRequestError("Only an administrator of its area may purge an image.", "image.administrator")
    if not may_correct(session, scene, actor):
        raise ImageRequestError(
            "Only an administrator, the county or city, or the person who submitted an image may correct it.",
            "image.no_right",
        )
    if is_capture(session, scene.id):
        raise ImageRequestError(
            f"{scene.name} is a frame of a camera; change the camera instead.", "image.capture", name=scene.name
        )
