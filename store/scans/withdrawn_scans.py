"""Withdraw the scans of images that were corrected or withdrawn, so that the next night plans their ground again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from errors import Reason
from store.scans.nights import UNFINISHED, update_night_state
from store.schema.tables import Scan, UncomparedGround

WITHDRAWN = "withdrawn"
"""State of a scan that was unfinished when it was withdrawn; its jobs then have no effect. Others keep their state."""


def scans_of_scenes(session: Session, scene_ids: Collection[int]) -> list[Scan]:
    """Return the scans that compared any of these scenes and were not withdrawn, by id."""
    of_scenes = or_(Scan.before_id.in_(scene_ids), Scan.after_id.in_(scene_ids))
    return list(session.scalars(select(Scan).where(of_scenes, Scan.withdrawn_at.is_(None)).order_by(Scan.id)))


def withdraw_scans(session: Session, scene_ids: Collection[int], why: Reason, now: dt.datetime) -> list[Scan]:
    """Withdraw all scans of some scenes; they stay in the database with the reason.

    The ground that was reported as not compared because of these scenes is to be reported again.

    Args:
        session: a write transaction.
        scene_ids: scenes that were corrected or withdrawn.
        why: what happened to them.
        now: current time.

    Returns:
        the scans that were withdrawn.
    """
    scans = scans_of_scenes(session, scene_ids)
    nights = set()
    for scan in scans:
        scan.withdrawn_at, scan.withdrawn_why = now, str(why)
        scan.reason, scan.why = str(why), why.to_json()
        scan.unique_key = f"{scan.unique_key}:withdrawn:{scan.id}"[:200]  # the pair may be planned again
        if scan.state in UNFINISHED:
            scan.state, scan.finished_at = WITHDRAWN, now
            nights.add(scan.night_id)
    ids = [scan.id for scan in scans]
    session.execute(
        update(UncomparedGround)
        .where(or_(UncomparedGround.scene_id.in_(scene_ids), UncomparedGround.scan_id.in_(ids)))
        .values(superseded=True)
        .execution_options(synchronize_session=False)
    )
    session.flush()
    for night_id in sorted(night for night in nights if night is not None):
        update_night_state(session, night_id, now)
    return scans
