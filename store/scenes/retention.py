"""Retention of images: which pixels nobody needs any more, because later images show the same ground."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import shapely
from sqlalchemy import exists, or_, select, union
from sqlalchemy.orm import Session

from enforcement.states import read_states
from imagery.set_operations import intersection
from store.scans.nights import UNFINISHED
from store.scenes.corrections import READY
from store.schema.camera_tables import CaptureRow
from store.schema.chain.evidence_tables import OutlineEdit
from store.schema.tables import Observation, Scan, SceneRow, Transition

COVERED_SHARE = 0.95
"""Share of an image's ground that a later image of the same kind must show to replace it."""


@dataclass(frozen=True)
class ReplacedScene:
    """An image that later images replace.

    Attributes:
        scene_id, name, area_code, object_key: of the image.
        received_at: when it was received.
        newer: number of later images that each show its ground.
    """

    scene_id: int
    name: str
    area_code: str
    object_key: str
    received_at: dt.datetime
    newer: int


def replaced_scenes(session: Session) -> list[ReplacedScene]:
    """List the images that at least one later image replaces, oldest first.

    Never listed are images of a scan that found something of an alert, or in which a person drew an alert, and the
    later images of rechecks, which are evidence; images of unfinished scans, undated images, and captures of cameras,
    which have a retention of their own. The caller leaves out images of areas on hold.
    """
    found = select(Observation.scan_id).where(Observation.scan_id.is_not(None))
    drawn = select(OutlineEdit.scan_id).where(OutlineEdit.scan_id.is_not(None))
    kept = or_(Scan.id.in_(found), Scan.id.in_(drawn), Scan.state.in_(UNFINISHED))
    needed = set(session.scalars(union(select(Scan.before_id).where(kept), select(Scan.after_id).where(kept))))
    needed |= _named_by_steps(session)
    rows = session.scalars(
        select(SceneRow)
        .where(SceneRow.state == READY, SceneRow.date.is_not(None))
        .where(~exists().where(CaptureRow.scene_id == SceneRow.id))
        .order_by(SceneRow.date, SceneRow.id)
    ).all()
    outlines = [shapely.make_valid(row.outline) for row in rows]
    tree = shapely.STRtree(outlines)
    replaced = []
    for number, row in enumerate(rows):
        if row.id in needed:
            continue
        outline = outlines[number]
        newer = sum(
            other > number
            and rows[other].kind == row.kind
            and rows[other].date != row.date
            and intersection(outline, outlines[other]).area >= COVERED_SHARE * outline.area
            for other in map(int, tree.query(outline))
        )
        if newer:
            replaced.append(ReplacedScene(row.id, row.name, row.area_code, row.object_key, row.created_at, newer))
    return replaced


def _named_by_steps(session: Session) -> set[int]:
    """Return the images that the evidence of steps names: chosen for a recheck, or drawn on."""
    states = {rule.to for rule in read_states().transitions if "later_image" in rule.evidence}
    named: set[int] = set()
    for evidence in session.scalars(select(Transition.evidence).where(Transition.to_state.in_(states))):
        image = evidence.get("later_image")
        if isinstance(image, dict) and isinstance(image.get("image"), int):
            named.add(image["image"])
    first = select(Transition.evidence).where(Transition.from_state == "")
    drawn_on = {str(evidence["image"]) for evidence in session.scalars(first) if evidence.get("drawn")}
    if drawn_on:
        named |= set(session.scalars(select(SceneRow.id).where(SceneRow.sha256.in_(drawn_on))))
    return named
