"""Collect the data of an alert for its evidence sheet and evidence bundle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
import structlog
from numpy.typing import NDArray
from shapely.geometry import Polygon

from enforcement.alert import Alert
from enforcement.evidence.bundle import Bundle, BundleFile
from enforcement.evidence.outline_history import OutlineChange
from enforcement.evidence.sheet import EvidenceSheet, render_evidence_sheet
from enforcement.evidence.sheet_drawing import SheetPicture
from enforcement.evidence.sheet_evidence import SheetPhoto
from enforcement.evidence.sheet_texts import Language
from enforcement.position_uncertainty import ellipse_offsets
from errors import ImageError
from imagery.files.evidence_content import EXTENSIONS
from service.context import Context
from store.access.rights import Viewer
from store.alerts.alert_data import alert_image, read_alert
from store.alerts.alert_geometry import areas_around
from store.alerts.transitions import log_of
from store.evidence.evidence_files import PHOTO, files_of_alert
from store.evidence.place_history import correction_findings
from store.evidence.shown_copies import blacked_out_boxes
from store.objects.object_store import ObjectNotFound
from store.review.outline_edits import edits_of
from store.schema.database import Session
from store.schema.tables import AlertRow
from store.views.alert_view import user_names
from web.review.alert_pictures import AlertViews, alert_views

SIDE_PX = 1024
"""Side of the pictures in pixels: 290 dots per inch on the sheet."""

_MOST_FILES, _MOST_BYTES = 48, 120 * 2**20
"""Evidence files in a bundle: with the other files, what :mod:`enforcement.evidence.bundle_check` accepts."""

logger = structlog.get_logger("tuban.web")


def sheet_data(context: Context, session: Session, viewer: Viewer, row: AlertRow, base: str) -> EvidenceSheet:
    """Collect the data of an alert's evidence sheet.

    A missing or unreadable image is left empty, and the sheet says so: the rest is still evidence.

    Args:
        context: settings and object store.
        session: a read transaction.
        viewer: the current user; the map contains only boundaries of areas that they may see.
        row: the alert, which the user may see.
        base: public URL of the service, for the QR code.
    """
    alert = read_alert(session, row, base)
    views = _views(context, session, row)

    placed = (views.metre_px, views.rings) if views else (1.0, [])
    ellipse = _ellipse(alert, views, context.settings.alerts.sigmas) if views and alert.error else None

    def picture(which: str) -> SheetPicture | None:
        pixels = getattr(views, which)
        scene = views.images[which == "after"] if views else None
        image = None if scene is None else alert_image(scene)
        return None if pixels is None or views is None else SheetPicture(pixels, *placed, image, ellipse)

    return EvidenceSheet(
        alert=alert,
        before=picture("before") if views else None,
        after=picture("after") if views else None,
        log=log_of(session, row),
        areas=areas_around(session, viewer, row),
        zone=context.settings.zone,
        generated_at=context.clock(),
        photos=_photos(context, session, row),
        findings=[found.finding for found in correction_findings(session, row, context.settings.zone)],
        outlines=_outlines(session, row),
    )


def _outlines(session: Session, row: AlertRow) -> list[OutlineChange]:
    edits = edits_of(session, row.id)
    names = user_names(session, {edit.who for edit in edits})
    return [
        OutlineChange(
            at=edit.at,
            who=edit.who,
            name=names.get(edit.who, edit.who),
            role=edit.role,
            action=edit.action,
            why=edit.why,
            before_m2=edit.before.get("area_m2"),
            area_m2=edit.after.get("area_m2"),
            outline=edit.outline,
            detected=shapely.from_wkb(edit.detected_wkb) if edit.detected_wkb else None,
        )
        for edit in edits
    ]


def _photos(context: Context, session: Session, row: AlertRow) -> dict[str, SheetPhoto]:
    files = [file for file in files_of_alert(session, row.id) if file.kind == PHOTO and file.transition_id]
    names = user_names(session, {file.who for file in files})
    return {
        file.uid: SheetPhoto(_bytes(context, file.shown_key), file.record, file.taken_at, names.get(file.who, file.who))
        for file in files
    }


def bundle_files(context: Context, row: AlertRow) -> list[BundleFile]:
    """Read the original bytes of the evidence files of an alert's steps, as many as a bundle may hold.

    A bundle leaves the office, so it does not hold originals of photos whose parts were blacked out.
    """
    with context.database.read() as session:
        files = [file for file in files_of_alert(session, row.id) if file.transition_id is not None]
    found: list[BundleFile] = []
    left = _MOST_BYTES
    for file in files:
        held = len(found) < _MOST_FILES and file.size <= left and not blacked_out_boxes(file)
        content = _bytes(context, file.object_key) if held else b""
        left -= len(content)
        about = {
            "name": file.name,
            "type": file.media_type,
            "size": file.size,
            "sha256": file.sha256,
            "who": file.who,
            "step": file.step,
            "received_at": file.received_at.isoformat(),
            "taken_at": file.taken_at.isoformat() if file.taken_at else None,
            "record": file.record,
        }
        found.append(BundleFile(file.uid, EXTENSIONS[file.media_type], about, content or None))
    return found


def _bytes(context: Context, key: str) -> bytes:
    try:
        return context.objects.read(key) if key else b""
    except ObjectNotFound:
        logger.warning("an evidence file is missing", key=key)
        return b""


def _ellipse(alert: Alert, views: AlertViews, sigmas: float) -> NDArray[np.float64]:
    """Return the error ellipse of an oblique position around the outline's centre, in pixels of the pictures."""
    assert alert.error is not None
    centre = Polygon(views.rings[0]).centroid
    return np.array([centre.x, centre.y]) + ellipse_offsets(alert.error, sigmas) * (1, -1) / views.metre_px


def bundle_data(sheet: EvidenceSheet, files: Sequence[BundleFile] = ()) -> Bundle:
    """Return the content of a bundle: the sheet in both languages, the pictures without outlines, and the log."""
    languages: tuple[Language, ...] = ("zh", "en")
    pictures = {"before": sheet.before, "after": sheet.after}
    return Bundle(
        alert=sheet.alert,
        log=sheet.log,
        created_at=sheet.generated_at,
        sheets={language: render_evidence_sheet(sheet, language) for language in languages},
        files=files,
        outlines=sheet.outlines,
        pictures={name: picture.pixels for name, picture in pictures.items() if picture is not None},
    )


def _views(context: Context, session: Session, alert: AlertRow) -> AlertViews | None:
    try:
        return alert_views(context, session, alert, SIDE_PX)
    except (ObjectNotFound, ImageError) as error:
        logger.warning("evidence sheet without pictures", alert=alert.number, error=str(error))
        return None
