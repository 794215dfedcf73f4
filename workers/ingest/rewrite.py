"""Job that writes the stored pixels of an image again, after its bands or its coordinate system were corrected."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from errors import ImageError, Reason
from imagery.conversion.given_metadata import GivenMetadata
from imagery.conversion.ingest import ingest_image
from service.context import Commit, Context, JobRun
from service.images.correct import REWRITE_KIND
from service.images.requests import NOT_REWRITTEN, Actor, log
from service.images.rewrite import replace_pixels
from service.job_registry import JobKind
from store.scenes.corrections import READY, locked_scene, object_in_use
from store.schema.database import Session
from store.schema.tables import SceneRow
from workers.ingest.intake_outcome import check_location, delete_after_commit, ingest_limits, work_folder


def rewrite_image(context: Context, job: JobRun) -> Commit | None:
    """Write the stored pixels of an image again, with other bands or another coordinate system."""
    payload = job.payload
    actor = Actor(payload["who"], address=payload["address"])
    with context.database.read() as session:
        scene = session.get(SceneRow, payload["scene"])
    if scene is None or scene.state != READY or scene.object_key != payload["object"]:
        return None  # it was withdrawn or changed in the meantime
    given = GivenMetadata(scene.date, payload["crs"], bool(payload["crs"]), tuple(payload["bands"]))
    with work_folder(context, job) as folder, context.objects.local(scene.object_key) as path:
        cog = folder / "scene.tif"
        try:
            image = ingest_image(
                path, scene.name, cog, limits=ingest_limits(context.settings.limits), today=context.today,
                workdir=folder, given=given, sandboxed=job.attempt > 1,
            )  # fmt: skip
            with context.database.read() as session:
                mismatch, _ = check_location(session, scene.area_code, image.footprint)
            if mismatch:
                raise ImageError(mismatch)
        except ImageError as error:
            return partial(_rewrite_failed, context, scene, actor, error.reason)
        key = f"scenes/{image.object_sha256[:2]}/{image.object_sha256}.tif"
        context.objects.put(key, cog)
    kept = scene.bands or [1, 2, 3]
    red, green, blue = (kept[band - 1] for band in payload["bands"] or (1, 2, 3))
    image = replace(image, bands=(red, green, blue), date=scene.date, date_source=scene.date_source)

    def commit(session: Session) -> None:
        current = locked_scene(session, payload["scene"])
        if current is None or current.state != READY or current.object_key != payload["object"]:
            delete_after_commit(context, session, [] if object_in_use(session, key) else [key])
            return
        _, unused = replace_pixels(session, context, current, image, key, actor)
        delete_after_commit(context, session, unused)

    return commit


def _rewrite_failed(context: Context, scene: SceneRow, actor: Actor, reason: Reason, session: Session) -> None:
    now = context.clock()
    log(session, actor, NOT_REWRITTEN, scene, now, reason=str(reason), why=reason.to_json())


JOB_KINDS = (JobKind(REWRITE_KIND, "ingest", rewrite_image),)
