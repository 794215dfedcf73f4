"""Hash chain of an alert's sightings: each holds the hash of the previous one, and the alert that of the latest.

A sighting that was changed, removed or inserted outside of the software is found by :mod:`store.alerts.audit`, also the
latest one. Comparisons of the ground that detected nothing are not rows of the chain: they follow from scans.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import shapely
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from enforcement.hash_chain import GENESIS_HASH, Row, first_break, row_hash
from store.schema.tables import AlertRow, Observation

_DIFFERENCES = {
    "missing": "sighting {0} is missing: the next one that is there is number {1}",
    "number": "sighting {0} carries the number {1}: it was renumbered or inserted",
    "link": "sighting {0} does not hold the hash of the one before it: one was changed, removed or inserted there",
    "content": "sighting {0} was changed: its content does not give its hash",
}


def append_sighting(session: Session, sighting: Observation) -> None:
    """Add a sighting to an alert, linked to the previous one.

    Args:
        session: a writing transaction that holds the alert's row.
        sighting: with ``alert_id`` set; not yet added.
    """
    alert = session.get_one(AlertRow, sighting.alert_id)
    last = session.execute(
        select(Observation.sequence, Observation.hash)
        .where(Observation.alert_id == alert.id)
        .order_by(Observation.sequence.desc())
        .limit(1)
    ).one_or_none()
    sighting.copied_from, sighting.evidence = sighting.copied_from or "", dict(sighting.evidence or {})
    _link(alert, sighting, *(last or (0, GENESIS_HASH)))
    session.add(sighting)
    session.flush()


def remove_copies(session: Session, alert: AlertRow, copied_from: Collection[str]) -> None:
    """Remove the sightings that a merge, which is taken back, had copied from other alerts; later ones are linked anew.

    Args:
        session: a writing transaction that holds the alert's row.
        alert: the alert that the others had been merged into.
        copied_from: numbers of these alerts.
    """
    session.execute(
        delete(Observation).where(Observation.alert_id == alert.id, Observation.copied_from.in_(copied_from))
    )
    alert.sighting_hash, sequence = "", 0
    rows = select(Observation).where(Observation.alert_id == alert.id).order_by(Observation.sequence)
    for sequence, sighting in enumerate(session.scalars(rows).all()):
        _link(alert, sighting, sequence, alert.sighting_hash or GENESIS_HASH)
        session.flush()  # one by one: numbers are unique


def verify_sightings(number: str, latest: str, sightings: Sequence[Any]) -> tuple[int, str, str] | None:
    """Verify the chain of an alert's sightings.

    Args:
        number: number of the alert.
        latest: hash of its latest sighting, as the alert holds it; "": it has none.
        sightings: by sequence, as objects or as rows of a query.

    Returns:
        position, difference (:class:`enforcement.hash_chain.Break`) and explanation of the first fault; None: intact.
    """
    bad = first_break(Row(row.sequence, _fields(number, row), row.previous_hash, row.hash) for row in sightings)
    if bad is not None:
        return bad.sequence, bad.difference, _DIFFERENCES[bad.difference].format(bad.sequence, bad.found)
    if latest != (sightings[-1].hash if sightings else ""):
        place = len(sightings) + 1
        return place, "missing", f"sighting {place} is missing: the alert holds the hash of another latest one"
    return None


def _link(alert: AlertRow, sighting: Observation, last: int, previous_hash: str) -> None:
    sighting.sequence, sighting.previous_hash = last + 1, previous_hash
    sighting.hash = alert.sighting_hash = row_hash(previous_hash, _fields(alert.number, sighting))


def _fields(number: str, row: Any) -> dict[str, Any]:
    """Return the hashed fields of a sighting, given as an object or as a row of a query."""
    return {
        "alert": number,
        "sequence": row.sequence,
        "scan": row.scan_id,
        "change": row.change_number,
        "source": row.source,
        "before": row.before_date.isoformat() if row.before_date else None,
        "after": row.after_date.isoformat() if row.after_date else None,
        "kind": row.kind,
        "score": float(row.score),
        "area_m2": float(row.area_m2),
        "position_error": row.position_error,
        "gsd_m": None if row.gsd_m is None else float(row.gsd_m),
        "copied_from": row.copied_from,
        "evidence": row.evidence,
        "outline": shapely.to_wkb(row.outline, hex=True, output_dimension=2, byte_order=1),
        "at": row.created_at,
    }
