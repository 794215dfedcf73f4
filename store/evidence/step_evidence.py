"""Evidence of a step: values are checked, files of the alert resolved and fixed to the transition.

The transition holds ``{"file", "sha256", "name", "type", "size"}`` of each file, so that the hash chain of the log
covers the bytes too, and ``{"image", "date", "source", "name", "sha256"}`` of a later image.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.texts import text
from enforcement.chain_settings import ChainValues
from enforcement.steps.evidence_form import (
    FILE_KINDS,
    FINDINGS_STATE,
    EvidenceLimits,
    EvidenceRejected,
    check_values,
    read_evidence_form,
)
from store.chain_settings import read_chain_values
from store.evidence.alert_images import PlaceImage, images_after
from store.evidence.evidence_files import PHOTO, attach_to_transition, file_by_uid
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.tables import AlertRow, Transition


def prepare_evidence(
    session: Session,
    alert: AlertRow,
    evidence: Mapping[str, Any],
    *,
    states: Sequence[str] = (),
    now: dt.datetime,
    zone: dt.tzinfo,
) -> dict[str, Any]:
    """Check the evidence of a step that a person takes.

    A check on the ground has as many photos as the settings require, whether it comes from a phone, a page or the API.

    Args:
        session: a write transaction.
        alert: before the step.
        evidence: by name, as entered; files as their ids.
        states: that the step enters.
        now: current time.
        zone: time zone of the local day.

    Returns:
        the evidence that may be stored with a transition.

    Raises:
        EvidenceRejected: a value is not plausible, or a file is not one of this alert.
    """
    if not evidence:
        return {}
    values = read_chain_values(session)
    checked = check_values(evidence, evidence_limits(alert, values, now.astimezone(zone).date()))
    for name, field in read_evidence_form().fields.items():
        if name not in checked:
            continue
        if field.kind in FILE_KINDS:
            files = [_file(session, alert, entry, photo=field.kind == "photos") for entry in _listed(checked[name])]
            found = list({file.uid: file for file in files}.values())  # one file counts once
            least = photos_least(values) if name == "photos" and FINDINGS_STATE in states else field.least
            if len(found) < least:
                raise EvidenceRejected(
                    f"{field.en}: {len(found)} files, expected at least {least}.",
                    "evidence.files_least",
                    name=field.zh,
                    found=len(found),
                    least=least,
                )
            checked[name] = [file_entry(file) for file in found]
        elif field.kind == "image":
            checked[name] = _image(session, alert, checked[name], values, zone)
    return checked


def photos_least(values: ChainValues) -> int:
    """Return the least number of photos of a check on the ground, by the chain settings."""
    return min(values.whole("field.photos_least"), values.whole("evidence.files_most"))


def files_in(evidence: Mapping[str, Any]) -> list[str]:
    """Return the ids of the files that the evidence of a transition names, in order, each once."""
    found: list[str] = []
    for value in evidence.values():
        entries = value.get("photos") if isinstance(value, Mapping) else value
        if isinstance(entries, list):
            found += [str(entry["file"]) for entry in entries if isinstance(entry, Mapping) and "file" in entry]
    return list(dict.fromkeys(found))


def fix_files(session: Session, alert: AlertRow, transition: Transition) -> None:
    """Fix the files that a transition names as its evidence.

    Raises:
        EvidenceConflict: a file is evidence of another step that was not undone.
    """
    attach_to_transition(session, files_in(transition.evidence), alert.id, transition.id, transition.to_state)


def evidence_limits(alert: AlertRow, values: ChainValues, today: dt.date) -> EvidenceLimits:
    """Return what values are plausible for an alert, by the chain settings."""
    return EvidenceLimits(
        today=today,
        area_m2=alert.area_m2,
        area_factor=values.number("evidence.area_factor"),
        correct_days_most=values.whole("evidence.correct_days_most"),
        files_most=values.whole("evidence.files_most"),
    )


def file_entry(file: EvidenceFile) -> dict[str, Any]:
    """Return a file as it is named in the evidence of a transition."""
    return {
        "file": file.uid, "sha256": file.sha256, "name": file.name, "type": file.media_type, "size": file.size
    }  # fmt: skip


def correcting_since(session: Session, alert: AlertRow, zone: dt.tzinfo) -> dt.date | None:
    """Return the local day on which the alert last entered the correction; None: it never did."""
    entered = select(Transition.at).where(Transition.alert_id == alert.id, Transition.to_state == "correcting")
    at = session.scalar(entered.order_by(Transition.sequence.desc()).limit(1))
    return None if at is None else at.astimezone(zone).date()


def later_images(session: Session, alert: AlertRow, zone: dt.tzinfo) -> list[PlaceImage]:
    """List the images that show the place after the correction was ordered, latest first."""
    since = correcting_since(session, alert, zone)
    return [] if since is None else images_after(session, alert, since)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _file(session: Session, alert: AlertRow, entry: Any, *, photo: bool) -> EvidenceFile:
    uid = entry.get("file") if isinstance(entry, Mapping) else entry
    file = file_by_uid(session, uid) if isinstance(uid, str) else None
    if file is None or file.alert_id != alert.id:
        raise EvidenceRejected(
            f"{str(uid)[:60]!r} is not a file that was uploaded for {alert.number}; upload the file first.",
            "evidence.no_file",
            found=str(uid)[:60],
        )
    if photo and file.kind != PHOTO:
        raise EvidenceRejected(f"{file.name} is a document; expected a photo.", "evidence.not_a_photo", name=file.name)
    return file


def _image(session: Session, alert: AlertRow, value: Any, values: ChainValues, zone: dt.tzinfo) -> dict[str, Any]:
    images = later_images(session, alert, zone)
    chosen = value.get("image") if isinstance(value, Mapping) else value
    for image in images:
        if str(chosen) in (str(image.scene_id), image.sha256):
            return image.evidence()
    photos = value.get("photos") if isinstance(value, Mapping) else value if isinstance(value, list) else None
    if photos and not images and values.flag("evidence.recheck_photos"):
        return {"photos": [file_entry(_file(session, alert, entry, photo=True)) for entry in _listed(photos)]}
    if images:
        listed = ", ".join(f"{image.date} {image.name}" for image in images[:5])
        listed_zh = "、".join(f"{image.date} {text(f'review.source.{image.source}', 'zh')}" for image in images[:5])
        raise EvidenceRejected(
            f"The later image is not one that shows the place after the correction; expected one of: {listed}.",
            "evidence.choose_image",
            images=listed_zh,
        )
    raise EvidenceRejected(
        "No image shows the place after the correction was ordered. Upload a later image of it first"
        + (", or photos taken there." if values.flag("evidence.recheck_photos") else "."),
        "evidence.no_image_photos" if values.flag("evidence.recheck_photos") else "evidence.no_image",
    )
