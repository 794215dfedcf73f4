"""Correct images: day and source at once; bands and coordinate system by a job, since the pixels are written again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from configs.service import AlertSettings
from errors import Reason
from service.context import Context
from service.images.requests import Actor, ImageOutcome, ImageRequestError, for_each_image, log
from store.alerts.withdrawal import alerts_of_scans, update_observed_dates
from store.jobs.queue import add_job
from store.scans.withdrawn_scans import withdraw_scans
from store.scenes.corrections import READY, set_date
from store.schema.database import Session
from store.schema.tables import SceneRow

SOURCES = ("drone", "satellite", "camera")
"""Sources of images."""

CORRECTED = "corrected"
"""Source of a day that a person corrected."""

REWRITE_KIND = "ingest.rewrite"


@dataclass(frozen=True)
class Correction:
    """Values to be corrected; None or empty: unchanged.

    Attributes:
        date: day of acquisition.
        source: drone, satellite or camera.
        bands: numbers of the red, green and blue band of the received file, from 1.
        crs: like "EPSG:4547"; coordinates stay as they are and are read in this system.
    """

    date: dt.date | None = None
    source: str = ""
    bands: tuple[int, ...] = ()
    crs: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is corrected."""
        return self == Correction()


def correct_images(
    context: Context, actor: Actor, scene_ids: Sequence[int], correction: Correction
) -> list[ImageOutcome]:
    """Correct images. Their comparisons are withdrawn, and the next night plans them again.

    Raises:
        ImageRequestError: nothing is corrected, the day is in the future, or the source is unknown.
    """
    _check(correction, context.today)

    def change(session: Session, scene: SceneRow, now: dt.datetime) -> Reason | ImageOutcome:
        if scene.state != READY:
            raise ImageRequestError(
                f"{scene.name} is withdrawn; restore it first (`tuban images restore {scene.id}`).",
                "image.not_ready",
                name=scene.name,
                image=scene.id,
            )
        return _correct(session, scene, correction, actor, context.settings.alerts, now)

    return for_each_image(context, actor, scene_ids, change)


def give_date(
    session: Session,
    scene: SceneRow,
    date: dt.date,
    source: str,
    actor: Actor,
    settings: AlertSettings,
    now: dt.datetime,
) -> None:
    """Give an image without a day the one that is now known.

    Args:
        session: a write transaction.
        scene: locked; its day is unknown.
        date: the day.
        source: of the day, as of :class:`imagery.dates.AcquisitionDate`.
        actor: who submitted it.
        settings: of alerts.
        now: current time.
    """
    _set_date(session, scene, date, source, actor, settings, now)


def _check(correction: Correction, today: dt.date) -> None:
    if correction.empty:
        raise ImageRequestError("Nothing is to be corrected: give a date, source, bands or system.", "image.nothing")
    if correction.date is not None and correction.date > today + dt.timedelta(days=1):
        raise ImageRequestError(
            f"The day {correction.date} is in the future; today is {today}.", "image.future", day=correction.date
        )
    if correction.source and correction.source not in SOURCES:
        raise ImageRequestError(f"The source is {correction.source!r}; expected one of {', '.join(SOURCES)}.")


def _correct(
    session: Session,
    scene: SceneRow,
    correction: Correction,
    actor: Actor,
    settings: AlertSettings,
    now: dt.datetime,
) -> Reason | ImageOutcome:
    done: list[Reason] = []
    if correction.date is not None and correction.date != scene.date:
        done.append(_set_date(session, scene, correction.date, CORRECTED, actor, settings, now))
    if correction.source and correction.source != scene.source:
        log(session, actor, "corrected_image", scene, now, source=[scene.source, correction.source])
        scene.source = correction.source
        done.append(
            Reason(
                f"its source is now {scene.source}",
                "image.source_set",
                source=Reason(scene.source, f"source.{scene.source}"),
            )
        )
    bands = stored_bands(scene, correction.bands) if correction.bands else ()
    crs = correction.crs if correction.crs not in ("", scene.crs) else ""
    if (bands and bands != (1, 2, 3)) or crs:
        return _rewrite(session, scene, bands, crs, actor, now, done)
    if not done:
        return Reason("it has these values already", "image.unchanged")
    return done[0] if len(done) == 1 else Reason.combine(done)


def _set_date(
    session: Session,
    scene: SceneRow,
    date: dt.date,
    source: str,
    actor: Actor,
    settings: AlertSettings,
    now: dt.datetime,
) -> Reason:
    before = scene.date
    why = Reason(
        f"the day of {scene.name} was corrected from {before or 'unknown'} to {date}",
        "image.date_corrected",
        name=scene.name,
        before=before or "–",
        day=date,
    )
    set_date(session, scene, date, source)
    scans = withdraw_scans(session, [scene.id], why, now)
    alerts = alerts_of_scans(session, [scan.id for scan in scans])
    update_observed_dates(session, scene, settings, now)
    log(
        session, actor, "corrected_image", scene, now, date=[before and before.isoformat(), date.isoformat()],
        date_source=source, scans=[scan.id for scan in scans], alerts=[alert.number for alert in alerts],
    )  # fmt: skip
    return Reason(
        f"its day is now {date}, before {before or 'unknown'}; {len(scans)} comparisons with {len(alerts)} alerts are "
        "planned again in the next night",
        "image.date_set",
        day=date,
        before=before or "–",
        scans=len(scans),
        alerts=len(alerts),
    )


def stored_bands(scene: SceneRow, bands: tuple[int, ...]) -> tuple[int, ...]:
    """Return the bands of the stored image that hold these bands of the received file.

    Raises:
        ImageRequestError: the stored image, which holds only what is compared, lacks one of them.
    """
    kept = list(scene.bands) or [1, 2, 3]
    missing = [band for band in bands if band not in kept]
    if missing:
        stored = ", ".join(map(str, dict.fromkeys(kept)))
        wanted = ",".join(map(str, bands))
        raise ImageRequestError(
            f"Of {scene.name} only the bands {stored} are stored. Submit the file again with these bands "
            f"(`tuban ingest FILE --bands {wanted}`): it then replaces this image.",
            "image.bands_missing",
            name=scene.name,
            stored=stored,
            bands=wanted,
        )
    numbers = tuple(kept.index(band) + 1 for band in bands)
    return numbers * 3 if len(numbers) == 1 else numbers


def _rewrite(
    session: Session,
    scene: SceneRow,
    bands: tuple[int, ...],
    crs: str,
    actor: Actor,
    now: dt.datetime,
    done: list[Reason],
) -> ImageOutcome:
    payload = {
        "scene": scene.id,
        "object": scene.object_key,
        "bands": list(bands),
        "crs": crs,
        "who": actor.login,
        "address": actor.address,
    }
    key = f"rewrite:{scene.id}:{now.isoformat()}"
    job_id = add_job(session, kind=REWRITE_KIND, queue="ingest", payload=payload, unique_key=key, now=now)
    waiting = Reason("its pixels are being written again", "image.rewriting")
    return ImageOutcome(scene.id, scene.name, True, Reason.combine([*done, waiting]), job_id)
