"""Objects that rows refer to, with their checksums where the row has one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.objects.object_store import KEY
from store.retention.expired_rows import PURGED
from store.schema.camera_tables import CaptureRow, PresetRow
from store.schema.chain.document_tables import DocumentRow, DocumentTemplateRow
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.report_tables import ReportRow
from store.schema.chain.tip_tables import PatrolRow
from store.schema.tables import AlertRow, BatchFile, LayerVersion, Observation, SceneRow
from store.schema.weights_tables import WeightsRow


@dataclass(frozen=True)
class Reference:
    """A reference to an object.

    Attributes:
        owner: what refers to it, like "image flight.tif".
        sha256: checksum in the row; "": none.
    """

    owner: str
    sha256: str = ""


def references(session: Session) -> dict[str, Reference]:
    """Return the references of all rows by object key; of several rows with one object, one with a checksum wins."""
    found: dict[str, Reference] = {}
    for key, reference in _all(session):
        if key not in found or reference.sha256:
            found[key] = reference
    return found


def _all(session: Session) -> Iterator[tuple[str, Reference]]:
    for column, number in ((AlertRow.evidence, AlertRow.number), (Observation.evidence, Observation.alert_id)):
        for evidence, name in session.execute(select(column, number)):
            yield from ((key, Reference(f"pictures of alert {name}")) for key in _keys(evidence))
    for key, camera in session.execute(select(PresetRow.reference_key, PresetRow.camera_id)):
        yield key, Reference(f"reference frame of camera {camera}")
    for key, camera in session.execute(select(CaptureRow.object_key, CaptureRow.camera_id)):
        yield key, Reference(f"capture of camera {camera}")
    templates = select(DocumentTemplateRow.object_key, DocumentTemplateRow.name, DocumentTemplateRow.sha256)
    for key, name, sha256 in session.execute(templates):
        yield key, Reference(f"template {name}", sha256)
    columns = DocumentRow.docx_key, DocumentRow.docx_sha256, DocumentRow.pdf_key, DocumentRow.pdf_sha256
    for docx, docx_sha256, pdf, pdf_sha256, document in session.execute(select(*columns, DocumentRow.id)):
        if docx:
            yield docx, Reference(f"document {document}", docx_sha256)
        if pdf:
            yield pdf, Reference(f"PDF of document {document}", pdf_sha256)
    for files_of_report, report in session.execute(select(ReportRow.files, ReportRow.id)):
        for file in (files_of_report or {}).values():
            yield str(file["key"]), Reference(f"file of report {report}", str(file["sha256"]))
    files = select(EvidenceFile.object_key, EvidenceFile.shown_key, EvidenceFile.name, EvidenceFile.sha256)
    for key, shown, name, sha256 in session.execute(files.where(EvidenceFile.state != PURGED)):
        yield key, Reference(f"evidence file {name}", sha256)
        if shown:
            yield shown, Reference(f"copy of evidence file {name}")
    layers = select(LayerVersion.object_key, LayerVersion.file_name, LayerVersion.sha256)
    for key, name, sha256 in session.execute(layers.where(LayerVersion.object_key != "")):
        yield key, Reference(f"layer {name}", sha256)
    tracks = select(PatrolRow.track_key, PatrolRow.number, PatrolRow.track_sha256).where(PatrolRow.track_key != "")
    for key, name, sha256 in session.execute(tracks):
        yield key, Reference(f"track of patrol {name}", sha256)
    waiting = select(BatchFile.received, BatchFile.name).where(BatchFile.state == "waiting", BatchFile.received != "")
    for key, name in session.execute(waiting):
        yield key, Reference(f"received file {name}")
    scenes = select(SceneRow.object_key, SceneRow.name, SceneRow.object_sha256).where(SceneRow.state != "purged")
    for key, name, sha256 in session.execute(scenes):
        yield key, Reference(f"image {name}", sha256)
    for key, name, sha256 in session.execute(select(WeightsRow.object_key, WeightsRow.name, WeightsRow.sha256)):
        yield key, Reference(f"weights {name}", sha256)


def _keys(evidence: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the object keys of ``{"before": key, "after": key}``."""
    for when in ("before", "after"):
        key = (evidence or {}).get(when)
        if isinstance(key, str) and KEY.fullmatch(key):
            yield key
