"""Withdraw, restore and purge images.

A withdrawn image stays, but is not compared. A purged one has no pixels any more; its row, its comparisons and the log
remain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from errors import Reason
from service.context import Context
from service.images.requests import Actor, ImageOutcome, ImageRequestError, for_each_image, log
from store.alerts.withdrawal import alerts_of_scans, judged_alerts, withdraw_alerts
from store.objects.object_store import ObjectStoreUnavailable
from store.scans.withdrawn_scans import withdraw_scans
from store.scenes.corrections import PURGED, READY, WITHDRAWN, object_in_use, scan_ids_of_scene
from store.schema.database import Session
from store.schema.tables import SceneRow

MAX_REASON = 500
_LISTED = 5


def withdraw_images(context: Context, actor: Actor, scene_ids: Sequence[int], reason: str) -> list[ImageOutcome]:
    """Withdraw images: they are not compared any more, and alerts that rest on them alone are withdrawn.

    Args:
        context: of this process.
        actor: the person.
        scene_ids: images.
        reason: of the person; logged with the images and the alerts.

    Raises:
        ImageRequestError: the reason is missing or too long.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= MAX_REASON:
        raise ImageRequestError(
            f"A withdrawal needs a reason of 1 to {MAX_REASON} characters.", "image.reason", most=MAX_REASON
        )

    def change(session: Session, scene: SceneRow, now: dt.datetime) -> Reason:
        if scene.state != READY:
            raise ImageRequestError(f"{scene.name} is withdrawn already.", "image.withdrawn_before", name=scene.name)
        why = Reason(f"{scene.name} was withdrawn: {reason}", "image.withdrawn_why", name=scene.name, reason=reason)
        scene.state, scene.state_reason = WITHDRAWN, reason
        scans = withdraw_scans(session, [scene.id], why, now)
        alerts = withdraw_alerts(session, scans, why, who=actor.login, settings=context.settings, now=now)
        log(
            session, actor, "withdrew_image", scene, now, reason=reason,
            scans=[scan.id for scan in scans], alerts=[alert.number for alert in alerts],
        )  # fmt: skip
        return Reason(
            f"withdrawn, with {len(scans)} comparisons and {len(alerts)} alerts that rest on it alone",
            "image.withdrawn",
            scans=len(scans),
            alerts=len(alerts),
        )

    return for_each_image(context, actor, scene_ids, change)


def restore_images(context: Context, actor: Actor, scene_ids: Sequence[int]) -> list[ImageOutcome]:
    """Use withdrawn images again; the next night plans their comparisons."""

    def change(session: Session, scene: SceneRow, now: dt.datetime) -> Reason:
        if scene.state == PURGED:
            raise ImageRequestError(
                f"{scene.name} was purged; submit the file again.", "image.purged_before", name=scene.name
            )
        if scene.state != WITHDRAWN:
            raise ImageRequestError(f"{scene.name} is not withdrawn.", "image.not_withdrawn", name=scene.name)
        scene.state, scene.state_reason = READY, ""
        log(session, actor, "restored_image", scene, now)
        return Reason("restored; the next night compares it", "image.restored")

    return for_each_image(context, actor, scene_ids, change)


def purge_images(context: Context, actor: Actor, scene_ids: Sequence[int]) -> list[ImageOutcome]:
    """Delete the pixels of withdrawn images, except of those that are evidence of alerts that people judged."""
    keys: dict[int, str] = {}

    def change(session: Session, scene: SceneRow, now: dt.datetime) -> Reason:
        if scene.state == PURGED:
            raise ImageRequestError(
                f"{scene.name} was purged; submit the file again.", "image.purged_before", name=scene.name
            )
        if scene.state != WITHDRAWN:
            raise ImageRequestError(
                f"{scene.name} is in use; withdraw it first (`tuban images withdraw {scene.id}`).",
                "image.in_use",
                name=scene.name,
                image=scene.id,
            )
        needed = judged_alerts(alerts_of_scans(session, scan_ids_of_scene(session, scene.id)), session)
        if needed:
            numbers = ", ".join(alert.number for alert in needed[:_LISTED]) + (" …" if len(needed) > _LISTED else "")
            raise ImageRequestError(
                f"{scene.name} is evidence of {len(needed)} judged alerts ({numbers}) and has to be kept.",
                "image.evidence",
                name=scene.name,
                alerts=len(needed),
                numbers=numbers,
            )
        scene.state = PURGED
        session.flush()
        keys[scene.id] = "" if object_in_use(session, scene.object_key) else scene.object_key
        log(session, actor, "purged_image", scene, now, object_sha256=scene.object_sha256)
        return Reason("purged", "image.purged")

    outcomes = for_each_image(context, actor, scene_ids, change, purge=True)
    return [_delete(context, outcome, keys[outcome.scene_id]) if outcome.done else outcome for outcome in outcomes]


def _delete(context: Context, outcome: ImageOutcome, key: str) -> ImageOutcome:
    """Delete the object after the commit; a store that is unavailable is told, and the object stays unused."""
    try:
        if key:
            context.objects.delete(key)
    except ObjectStoreUnavailable as error:
        message = Reason(f"purged, but its file {key} could not be deleted: {error}", "image.not_deleted", key=key)
        return ImageOutcome(outcome.scene_id, outcome.name, False, message)
    return outcome
