"""The parts of an evidence sheet that are tables: facts, corners, overlaps, sights, checksums, log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from reportlab.platypus import Flowable

from configs.texts import translate
from enforcement.alert import Alert, alert_feature
from enforcement.evidence.corners import corners_of
from enforcement.evidence.sheet_tables import CODE, facts, heading, line, table
from enforcement.evidence.sheet_texts import Words
from enforcement.hash_chain import Row
from enforcement.units import mu
from errors import Reason

_HASH_LETTERS = 10


def fact_section(alert: Alert, log: Sequence[Row], words: Words) -> Flowable:
    """What a reader wants first."""
    told = alert_feature(alert)["properties"]
    areas = [area for area in (alert.county, alert.township, alert.village) if area is not None]
    place = " · ".join(area.name or area.code for area in areas) + (f" ({areas[-1].code})" if areas else "")
    others = "; ".join(f"{area['name'] or area['code']} {area['share']:.0%}" for area in alert.also_in)
    by_last_step = bool(log) and log[-1].fields["why"] == alert.state_reason
    why = _why(log[-1], words) if by_last_step else alert.state_reason
    pairs = [
        (words("kind_found"), words.pair(alert.kind_names)),
        (words("type"), words.pair(alert.change_type_names) if alert.change_type_names else words("not_set")),
        (words("area"), words.area(alert.area_m2)),
        (words("place"), place or words("unknown")),
        (words("centre"), f"{told['centre']['lon']:.7f}°, {told['centre']['lat']:.7f}°"),
        (words("source"), words.source(alert.source)),
        (words("state"), words.state(alert.state) + (f": {why}" if why else "")),
        (words("works"), words.works(alert.works) if alert.works else words("unknown")),
        (words("seen"), _seen(told, words)),
        (words("score"), f"{alert.score:.2f}"),
    ]
    if others:
        pairs.insert(4, (words("also_in"), others))
    return facts(pairs)


def _seen(told: dict[str, Any], words: Words) -> str:
    first, last = told["first_seen"] or words("unknown"), told["last_seen"] or words("unknown")
    return words("seen_value", times=told["times_seen"], sources=told["sources_seen"], first=first, last=last)


def corner_section(alert: Alert, words: Words) -> list[Flowable]:
    """Corner coordinates in degrees and in the local zone."""
    corners = corners_of(alert.outline)
    zone = corners.zone
    count = "corners_few" if corners.simplified else "corners_all"
    lines = [words(count, total=corners.total, listed=len(corners.listed))]
    lines.append(
        words("corners_system", name=zone.name, code=zone.code, meridian=zone.meridian)
        if zone
        else words("corners_no_zone")
    )
    if corners.holes:
        lines.append(words("corners_holes", labels=", ".join(corners.holes)))
    head = [words(name) for name in ("point", "ring", "lon", "lat", *(("northing", "easting") if zone else ()))]
    rows = []
    for corner in corners.listed:
        row = [corner.label, str(corner.ring), *(f"{degrees:.8f}" for degrees in corner.lonlat)]
        rows.append(row + ([f"{corner.metres[1]:.3f}", f"{corner.metres[0]:.3f}"] if corner.metres else []))
    widths = (1, 0.7, 2, 2, 2, 2)[: len(head)]
    return [heading(words("corners")), *map(line, lines), table(head, rows, widths, range(2, len(head)))]


def overlap_section(alert: Alert, words: Words) -> list[Flowable]:
    """Each layer that was asked, those without overlap too."""
    if not alert.overlaps:
        return [heading(words("overlaps")), line(words("no_overlaps"))]
    names = ("layer", "layer_kind", "dated", "approval", "valid", "overlap", "share")
    rows = []
    for entry in alert.overlaps:
        share = entry.get("share") or 0.0
        valid = entry.get("valid")
        meets = share > 0
        rows.append(
            [
                str(entry.get("layer") or ""),
                words.layer(str(entry.get("kind") or "")),
                str(entry.get("dated") or words("unknown")),
                str(entry.get("number") or ""),
                (words("unknown") if valid is None else words("yes" if valid else "no")) if meets else "",
                words.area(float(entry.get("area_m2") or share * alert.area_m2)) if meets else words("none"),
                f"{share:.1%}",
            ]
        )
    widths = (2.2, 1.7, 1.5, 2, 0.8, 2.2, 0.9)
    return [heading(words("overlaps")), table([words(name) for name in names], rows, widths, (5, 6))]


def sight_section(alert: Alert, words: Words) -> list[Flowable]:
    """How often it was seen, and how its area grew."""
    if not alert.sights:
        return []
    first = alert.sights[0].area_m2
    rows = [
        [
            words.day(sight.date),
            words.source(sight.source),
            words.area(sight.area_m2),
            f"{sight.area_m2 - first:+,.1f} m² ({mu(sight.area_m2 - first):+,.2f})" if index else "",
            f"{sight.score:.2f}",
        ]
        for index, sight in enumerate(alert.sights)
    ]
    head = [words(name) for name in ("date", "source", "area", "growth", "score")]
    return [heading(words("sights")), table(head, rows, (1.5, 1.5, 2.5, 2.5, 1), (2, 3, 4))]


def origin_section(alert: Alert, words: Words) -> list[Flowable]:
    """By which the result can be computed again."""
    pairs = [
        (words("sha_before"), (alert.earlier.sha256 if alert.earlier else "") or "-"),
        (words("sha_after"), (alert.later.sha256 if alert.later else "") or "-"),
        (words("sha_weights"), alert.weights_sha256 or "-"),
        (words("sha_settings"), alert.settings_sha256 or "-"),
        (words("residual"), _residual(alert)),
    ]
    return [heading(words("origin")), facts(pairs, code=True)]


def _residual(alert: Alert) -> str:
    told = [
        f"{value:.2f} {unit}"
        for value, unit in ((alert.residual_px, "px"), (alert.residual_m, "m"))
        if value is not None
    ]
    return " = ".join(told) or "-"


def _actor(who: str, role: str, words: Words) -> str:
    return words.role(role) if who in ("", role) else f"{who} ({words.role(role)})"


def _why(row: Row, words: Words) -> str:
    """Of a step, in the sheet's language where the software said it."""
    return translate(
        Reason.from_json(str(row.fields["why"]), row.fields.get("evidence", {}).get("why")), words.language
    )


def log_section(log: Sequence[Row], zone: ZoneInfo, words: Words) -> list[Flowable]:
    """Each step, and the last hash in full: on paper it guards the whole log against being rewritten."""
    if not log:
        return [heading(words("log")), line(words("no_log"))]
    rows = []
    for row in log:
        step = row.fields
        at = step["at"] if isinstance(step["at"], dt.datetime) else dt.datetime.fromisoformat(str(step["at"]))
        came_from = words.state(step["from_state"]) if step["from_state"] else words("begin")
        rows.append(
            [
                str(row.sequence),
                words.moment(at, zone)[:16],
                _actor(str(step["who"]), str(step["role"]), words),
                f"{came_from} → {words.state(step['to_state'])}",
                _why(row, words),
                row.hash[:_HASH_LETTERS],
            ]
        )
    head = ["", *(words(name) for name in ("when", "who", "step", "why", "hash"))]
    listed = table(head, rows, (0.5, 1.75, 1.7, 2.4, 3.2, 1.3))
    return [heading(words("log")), line(words("times_in", zone=zone.key)), line(log[-1].hash, CODE), listed]
