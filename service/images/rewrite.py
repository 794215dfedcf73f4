"""Give an image new pixels: from its stored copy with other bands or system, or from its file submitted again."""

from __future__ import annotations

from dataclasses import replace

from errors import Reason
from imagery.conversion.given_metadata import GivenMetadata
from imagery.conversion.ingested_image import IngestedImage
from service.context import Context
from service.images.correct import CORRECTED
from service.images.requests import Actor, log
from store.alerts.withdrawal import alerts_of_scans, judged_alerts, withdraw_alerts
from store.scans.withdrawn_scans import withdraw_scans
from store.scenes.corrections import PURGED, READY, object_in_use, replace_image, scan_ids_of_scene
from store.schema.database import Session
from store.schema.tables import SceneRow


def is_replaced(known: SceneRow, given: GivenMetadata, area_code: str) -> bool:
    """Return whether a file with the content of a known image is ingested again, to replace it.

    Args:
        known: the image.
        given: what was stated with the file.
        area_code: of the batch; only images under it are replaced.
    """
    if not known.area_code.startswith(area_code):
        return False
    if known.state == PURGED:
        return True
    bands = list(given.bands) * (3 if len(given.bands) == 1 else 1)
    return known.state == READY and (
        bool(bands and known.bands and bands != list(known.bands))
        or bool(given.crs and given.override and given.crs != known.crs)
    )


def replace_pixels(
    session: Session, context: Context, scene: SceneRow, image: IngestedImage, object_key: str, actor: Actor
) -> tuple[Reason, list[str]]:
    """Replace pixels and metadata of an image, and withdraw its comparisons.

    Alerts that rest on it alone are withdrawn if it shows another place now.

    Args:
        session: a write transaction.
        context: of this process.
        scene: locked.
        image: its file or stored copy, ingested again.
        object_key: of the new COG.
        actor: the person.

    Returns:
        what was done, and the keys of objects that nothing needs any more.
    """
    now = context.clock()
    before = {"crs": scene.crs, "bands": list(scene.bands), "state": scene.state, "object": scene.object_key}
    moved = image.crs != scene.crs
    if scene.date_source == CORRECTED:
        image = replace(image, date=scene.date, date_source=CORRECTED)
    why = Reason(
        f"{scene.name} was read again, with the bands {list(image.bands)} and the system {image.crs}",
        "image.read_again",
        name=scene.name,
        bands=", ".join(map(str, image.bands)),
        crs=image.crs,
    )
    old_key = replace_image(session, scene, image, object_key)
    scans = withdraw_scans(session, [scene.id], why, now)
    withdrawn = (
        withdraw_alerts(session, scans, why, who=actor.login, settings=context.settings, now=now) if moved else []
    )
    needed = judged_alerts(alerts_of_scans(session, scan_ids_of_scene(session, scene.id)), session)
    unused = [] if needed or old_key == object_key or object_in_use(session, old_key) else [old_key]
    log(
        session, actor, "replaced_image", scene, now, before=before, crs=image.crs, bands=list(image.bands),
        scans=[scan.id for scan in scans], withdrawn=[alert.number for alert in withdrawn],
    )  # fmt: skip
    return why, unused
