"""What an evidence sheet and an evidence bundle are made from, gathered of one alert."""

from __future__ import annotations

import structlog

from enforcement.evidence.bundle import Bundle
from enforcement.evidence.sheet import EvidenceSheet, evidence_sheet
from enforcement.evidence.sheet_drawing import SheetPicture
from enforcement.evidence.sheet_texts import Language
from errors import ImageError
from service.context import Context
from store.access.rights import Viewer
from store.alerts.alert_data import read_alert
from store.alerts.alert_geometry import areas_around
from store.alerts.transitions import log_of
from store.objects.object_store import ObjectNotFound
from store.schema.database import Session
from store.schema.tables import AlertRow
from web.review.alert_pictures import AlertViews, alert_views

SIDE_PX = 1024
"""Of the pictures: 290 dots per inch on the sheet."""

logger = structlog.get_logger("tuban.web")


def gather_sheet(context: Context, session: Session, viewer: Viewer, row: AlertRow, base: str) -> EvidenceSheet:
    """Gather what the sheet of an alert is made from.

    An image that is gone or broken leaves its place empty, and the sheet says so: the rest is still evidence.

    Args:
        context: where objects are.
        session: reads.
        viewer: who asks; boundaries of areas that are not theirs are left out of the map.
        row: the alert, one of theirs.
        base: where people reach the pages; goes into the QR code.
    """
    alert = read_alert(session, row, base)
    views = _views(context, session, row)

    def picture(which: str) -> SheetPicture | None:
        pixels = getattr(views, which)
        image = alert.earlier if which == "before" else alert.later
        return None if pixels is None or views is None else SheetPicture(pixels, views.metre_px, views.rings, image)

    return EvidenceSheet(
        alert=alert,
        before=picture("before") if views else None,
        after=picture("after") if views else None,
        log=log_of(session, row),
        areas=areas_around(session, viewer, row),
        zone=context.settings.zone,
        generated_at=context.clock(),
    )


def bundle_of(sheet: EvidenceSheet) -> Bundle:
    """The bundle of a gathered sheet: both languages, the pictures without outlines, the log."""
    languages: tuple[Language, ...] = ("zh", "en")
    pictures = {"before": sheet.before, "after": sheet.after}
    return Bundle(
        alert=sheet.alert,
        log=sheet.log,
        created_at=sheet.generated_at,
        sheets={language: evidence_sheet(sheet, language) for language in languages},
        pictures={name: picture.pixels for name, picture in pictures.items() if picture is not None},
    )


def _views(context: Context, session: Session, alert: AlertRow) -> AlertViews | None:
    try:
        return alert_views(context, session, alert, SIDE_PX)
    except (ObjectNotFound, ImageError) as fault:
        logger.warning("a sheet without pictures", alert=alert.number, error=str(fault))
        return None
