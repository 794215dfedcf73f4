"""A file whose content is known: what its submission says about the known image."""

from __future__ import annotations

import datetime as dt

from configs.service import AlertSettings
from errors import Reason
from imagery.conversion.given_metadata import GivenMetadata
from imagery.dates import find_acquisition_date
from service.images.correct import give_date
from service.images.requests import Actor
from store.scenes.corrections import WITHDRAWN, locked_scene
from store.schema.database import Session
from store.schema.tables import SceneRow


def duplicate_of(scene: SceneRow) -> Reason:
    """Return the reason recorded for a file identical to ``scene``."""
    return Reason(
        f"the same content as {scene.name} of {scene.date or 'unknown date'} (scene {scene.id})",
        "duplicate.known",
        name=scene.name,
        date=scene.date or "–",
        scene=scene.id,
    )


def record_duplicate(
    session: Session,
    known: SceneRow,
    name: str,
    given: GivenMetadata,
    *,
    area_code: str,
    who: str,
    settings: AlertSettings,
    today: dt.date,
    now: dt.datetime,
) -> Reason:
    """Give a known image without a day the one that is stated now, or say how it can be corrected.

    Args:
        session: a write transaction.
        known: the image.
        name: of the submitted file, which may hold a day.
        given: what was stated with it.
        area_code: of its batch; only images under it are changed.
        who: login of the person who submitted it.
        settings: of alerts.
        today: local day.
        now: current time.

    Returns:
        the reason to record with the file.
    """
    same = duplicate_of(known)
    if known.state == WITHDRAWN:
        words = f"{same}, which was withdrawn: {known.state_reason}. To use it: `tuban images restore {known.id}`"
        return Reason(words, "duplicate.withdrawn", same=same, reason=known.state_reason, scene=known.id)
    found = find_acquisition_date({}, name, today, given=given.date, given_for_all=given.override, folder=given.folder)
    if found.date is None or found.date == known.date:
        return same
    scene = locked_scene(session, known.id) if known.date is None else None
    if scene is not None and scene.date is None and scene.area_code.startswith(area_code):
        give_date(session, scene, found.date, found.source, Actor(who, area_code), settings, now)
        words = f"the same content as {scene.name} (scene {scene.id}), whose day is now {found.date}"
        return Reason(words, "duplicate.dated", name=scene.name, scene=scene.id, day=found.date)
    words = f"{same}. To correct its day: `tuban images set {known.id} --date {found.date}`"
    return Reason(words, "duplicate.other_date", same=same, scene=known.id, day=found.date)
