"""Overlaps of an alert with the bureau's land layers: farmland, plans, approvals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry.base import BaseGeometry

from enforcement.layer_kinds import read_layer_kinds
from enforcement.overlap_ratio import coverage
from enforcement.settings import LegalWeight
from errors import Reason
from imagery.set_operations import intersection, make_valid

PLAN = "plan"


@dataclass(frozen=True)
class LandLayer:
    """A layer loaded by the bureau.

    Attributes:
        layer: name of the layer.
        kind: of ``configs/layers.yaml``: approval, cultivated, plan (land planned for building) …
        dated: reference date of the layer.
        version: number of the version; 0: unknown.
    """

    layer: str
    kind: str
    dated: dt.date | None
    version: int = 0


@dataclass(frozen=True)
class LandFeature:
    """One polygon of a layer.

    Attributes:
        layer: name of the layer.
        kind: see :class:`LandLayer`.
        dated: reference date of the layer.
        number: number of the approval, or "".
        valid_from: first day of validity; None: unlimited.
        valid_to: last day of validity; None: unlimited.
        outline: longitude, latitude.
        version: number of the layer's version; 0: unknown.
    """

    layer: str
    kind: str
    dated: dt.date | None
    number: str
    valid_from: dt.date | None
    valid_to: dt.date | None
    outline: BaseGeometry
    version: int = 0

    def valid(self, on: dt.date | None) -> bool | None:
        """Whether it is valid on a day; None: the day is unknown and the validity is limited."""
        if self.valid_from is None and self.valid_to is None:
            return True
        if on is None:
            return None
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)

    def ended(self, today: dt.date | None) -> bool:
        """Whether its validity ended before a day; None: not asked."""
        return today is not None and self.valid_to is not None and self.valid_to < today


def find_overlaps(
    outline: BaseGeometry,
    features: Sequence[LandFeature],
    on: dt.date | None,
    layers: Iterable[LandLayer] = (),
) -> list[dict[str, Any]]:
    """List the layers that a polygon overlaps, including those not valid on the day, which are marked.

    Args:
        outline: longitude, latitude.
        features: features that may touch it, in any order.
        on: date of the later image; None: unknown.
        layers: all searched layers; one without overlap is listed with the share 0, which distinguishes "not according
            to plan" from "no plan is loaded".

    Returns:
        ``{"layer", "kind", "dated", "version", "number", "valid", "to", "share", "area_m2"}`` for each layer, number
        and validity, sorted by layer, number and share: ``dated`` and the last day ``to`` as ISO 8601, ``valid``
        as of :meth:`LandFeature.valid`, ``share`` of the polygon 0…1, the area ellipsoidal.
    """
    polygon = make_valid(outline)
    groups: dict[tuple[LandLayer, str, bool | None, dt.date | None], list[BaseGeometry]] = {}
    for feature in features:
        if feature.outline.intersects(polygon):
            layer = LandLayer(feature.layer, feature.kind, feature.dated, feature.version)
            group = layer, feature.number, feature.valid(on), feature.valid_to
            groups.setdefault(group, []).append(feature.outline)
    overlaps: list[dict[str, Any]] = []
    for (layer, number, valid, last), outlines in groups.items():
        share, area = coverage(polygon, outlines)
        if share > 0:
            overlaps.append(_entry(layer, number, valid, last, share, area))
    overlapping = {entry["layer"] for entry in overlaps}
    overlaps += [_entry(layer, "", True, None, 0.0, 0.0) for layer in set(layers) if layer.layer not in overlapping]
    return sorted(overlaps, key=lambda e: (e["layer"], e["kind"], e["number"], -e["share"], str(e["valid"])))


def _entry(
    layer: LandLayer, number: str, valid: bool | None, last: dt.date | None, share: float, area: float
) -> dict[str, Any]:
    return {
        "layer": layer.layer,
        "kind": layer.kind,
        "dated": None if layer.dated is None else layer.dated.isoformat(),
        "version": layer.version,
        "number": number,
        "valid": valid,
        "to": None if last is None else last.isoformat(),
        "share": round(share, 4),
        "area_m2": round(area, 2),
    }


def suppressing_approvals(
    outline: BaseGeometry,
    features: Sequence[LandFeature],
    on: dt.date | None,
    share: float,
    today: dt.date | None = None,
) -> Reason | None:
    """Return the reason why approvals suppress an alert; None if they do not.

    Approvals valid on the date of the later image count. If that date is unknown, only approvals without dates count:
    an unnecessary alert is better than a missed one.

    Args:
        outline: longitude, latitude.
        features: features that may touch it; only approvals count. Registered farm facilities do not, because illegal
            buildings are often declared as such.
        on: date of the later image.
        share: minimum share of the polygon that approvals cover together, 0…1.
        today: approvals that ended before this day do not count; None: they do if they were valid on ``on``.
    """
    polygon = make_valid(outline)
    covering = read_layer_kinds().covering
    approvals = [
        feature
        for feature in features
        if feature.kind in covering
        and feature.valid(on)
        and not feature.ended(today)
        and intersection(make_valid(feature.outline), polygon).area > 0
    ]
    covered, _ = coverage(polygon, [approval.outline for approval in approvals])
    if not approvals or covered < share:
        return None
    names = sorted({f"{a.number or 'without a number'} ({a.layer})" for a in approvals})
    validity = f"valid on {on.isoformat()}" if on is not None else "valid indefinitely"
    return Reason(
        f"{covered:.0%} of the polygon is covered by approvals {validity}: {', '.join(names)}",
        "alert.approved",
        share=covered,
        on=on or "–",
        names="、".join(names),
    )


def shares_by_kind(overlaps: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the share, 0…1, of an alert on each kind of land that it overlaps, without polygons that are not valid.

    ``overlaps`` are as of :func:`find_overlaps`.
    """
    shares: dict[str, float] = {}
    for entry in overlaps:
        if entry.get("valid") is not False:
            kind = str(entry["kind"])
            shares[kind] = min(1.0, shares.get(kind, 0.0) + float(entry.get("share") or 0.0))
    return shares


def legal_weight(overlaps: Sequence[Mapping[str, Any]], config: LegalWeight) -> int:
    """Compute the legal weight of an alert: that of the land that it overlaps, by how much of it.

    The weight of a kind of land counts in full where the alert lies on it completely or with ``full_m2``, and in
    proportion below. From ``least_share`` on, it is above that of an alert off the plan.

    Args:
        overlaps: as of :func:`find_overlaps`.
        config: weights, and the minimum overlaps that count.
    """
    share = shares_by_kind(overlaps)
    area: dict[str, float] = {}
    for entry in overlaps:
        if entry["valid"] is not False:
            area[entry["kind"]] = area.get(entry["kind"], 0.0) + entry["area_m2"]
    weights = config.weights
    weights_reached = [weights.other]
    for kind, weight in (
        ("basic_farmland", weights.basic_farmland),
        ("cultivated", weights.cultivated),
        ("protected", weights.protected),
    ):
        if kind in share and share[kind] > 0 and (share[kind] >= config.least_share or area[kind] >= config.least_m2):
            floor = weights.off_plan if share[kind] >= config.least_share else weights.other
            extent = min(1.0, max(share[kind], area[kind] / config.full_m2))
            weights_reached.append(round(floor + (weight - floor) * extent))
    if PLAN in share and share[PLAN] < config.plan_share:
        weights_reached.append(weights.off_plan)
    return max(weights_reached)
