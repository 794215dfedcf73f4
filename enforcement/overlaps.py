"""What the layers of the bureau say about a place: farmland, plans, approvals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry.base import BaseGeometry

from enforcement.overlap_ratio import covered, sound
from enforcement.settings import LegalWeight
from errors import Reason

APPROVAL = "approval"
PLAN = "plan"


@dataclass(frozen=True)
class KnownLayer:
    """A layer that the bureau loaded.

    Attributes:
        layer: its name.
        kind: approval, cultivated, basic_farmland, plan (where building is planned), farm_facility or protected.
        dated: of which date it is.
    """

    layer: str
    kind: str
    dated: dt.date | None


@dataclass(frozen=True)
class KnownFeature:
    """One polygon of a layer.

    Attributes:
        layer: name of its layer.
        kind: see :class:`KnownLayer`.
        dated: date of the layer.
        number: of the approval, or "".
        valid_from: first day on which it is valid; None: from ever.
        valid_to: last day; None: for ever.
        outline: longitude, latitude.
    """

    layer: str
    kind: str
    dated: dt.date | None
    number: str
    valid_from: dt.date | None
    valid_to: dt.date | None
    outline: BaseGeometry

    def valid(self, on: dt.date | None) -> bool | None:
        """Whether it is valid on a day; None: the day is not known and it is not valid always."""
        if self.valid_from is None and self.valid_to is None:
            return True
        if on is None:
            return None
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)


def overlaps_with(
    outline: BaseGeometry,
    features: Sequence[KnownFeature],
    on: dt.date | None,
    consulted: Iterable[KnownLayer] = (),
) -> list[dict[str, Any]]:
    """List the layers that a polygon lies on. What is not valid on the day is listed too, and marked.

    Args:
        outline: longitude, latitude.
        features: those that may touch it, in any order.
        on: date of the later image; None: not known.
        consulted: layers that were asked; one that nothing was found in is listed with the share 0, so that "not
            according to plan" can be told from "no plan is loaded".

    Returns:
        ``{"layer", "kind", "dated", "number", "valid", "share", "area_m2"}`` for each layer, number and validity,
        sorted by layer, number and share: ``dated`` as ISO text or None, ``valid`` as :meth:`KnownFeature.valid`,
        ``share`` of the polygon 0…1, the area ellipsoidal.
    """
    place = sound(outline)
    groups: dict[tuple[KnownLayer, str, bool | None], list[BaseGeometry]] = {}
    for feature in features:
        if feature.outline.intersects(place):
            layer = KnownLayer(feature.layer, feature.kind, feature.dated)
            groups.setdefault((layer, feature.number, feature.valid(on)), []).append(feature.outline)
    found: list[dict[str, Any]] = []
    for (layer, number, valid), outlines in groups.items():
        share, area = covered(place, outlines)
        if share > 0:
            found.append(_entry(layer, number, valid, share, area))
    met = {entry["layer"] for entry in found}
    found += [_entry(layer, "", True, 0.0, 0.0) for layer in set(consulted) if layer.layer not in met]
    return sorted(found, key=lambda e: (e["layer"], e["kind"], e["number"], -e["share"], str(e["valid"])))


def _entry(layer: KnownLayer, number: str, valid: bool | None, share: float, area: float) -> dict[str, Any]:
    return {
        "layer": layer.layer,
        "kind": layer.kind,
        "dated": None if layer.dated is None else layer.dated.isoformat(),
        "number": number,
        "valid": valid,
        "share": round(share, 4),
        "area_m2": round(area, 2),
    }


def approval_covers(
    outline: BaseGeometry, features: Sequence[KnownFeature], on: dt.date | None, share: float
) -> Reason | None:
    """Why approvals suppress an alert; None: they do not.

    An approval counts when it is valid on the date of the later image. Where that date is not known, only approvals
    without dates count: an alert is rather shown once too often.

    Args:
        outline: longitude, latitude.
        features: those that may touch it; only approvals are looked at. A register of farm facilities is none: what is
            built under its name is what inspectors look for.
        on: date of the later image.
        share: part of the polygon that approvals must cover together, 0…1.
    """
    place = sound(outline)
    approvals = [
        f for f in features if f.kind == APPROVAL and f.valid(on) and sound(f.outline).intersection(place).area > 0
    ]
    together, _ = covered(place, [approval.outline for approval in approvals])
    if not approvals or together < share:
        return None
    names = sorted({f"{a.number or 'without a number'} ({a.layer})" for a in approvals})
    day = f"valid on {on.isoformat()}" if on is not None else "valid without limit"
    return Reason(
        f"{together:.0%} of the polygon lie under approvals {day}: {', '.join(names)}",
        "alert.approved",
        share=together,
        on=on or "–",
        names="、".join(names),
    )


def legal_weight(overlaps: Sequence[Mapping[str, Any]], config: LegalWeight) -> int:
    """How grave an alert is by where it lies: the weight of the gravest land that enough of it lies on.

    Args:
        overlaps: as :func:`overlaps_with` lists them.
        config: weights and what counts as enough.
    """
    share: dict[str, float] = {}
    area: dict[str, float] = {}
    for entry in overlaps:
        if entry["valid"] is not False:
            share[entry["kind"]] = share.get(entry["kind"], 0.0) + entry["share"]
            area[entry["kind"]] = area.get(entry["kind"], 0.0) + entry["area_m2"]
    weights = config.weights
    reached = [weights.other]
    for kind, weight in (
        ("basic_farmland", weights.basic_farmland),
        ("cultivated", weights.cultivated),
        ("protected", weights.protected),
    ):
        if kind in share and share[kind] > 0 and (share[kind] >= config.least_share or area[kind] >= config.least_m2):
            reached.append(weight)
    if PLAN in share and share[PLAN] < config.plan_share:
        reached.append(weights.off_plan)
    return max(reached)
