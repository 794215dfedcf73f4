"""Table sections of an evidence sheet: summary, corners, overlaps, sightings, checksums, log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from configs.texts import translate
from enforcement.alert import Alert, alert_feature
from enforcement.evidence.corners import list_corners
from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.hash_chain import Row
from enforcement.typesetting.blocks import Block, data_table, heading, paragraph, value_table
from enforcement.units import mu
from errors import Reason

REPORTED = ("hotline", "report", "patrol")
"""Sources by which people report a place, whose position is not that of an image."""

_HASH_DIGITS = 10


def summary_section(alert: Alert, log: Sequence[Row], texts: SheetTexts) -> Block:
    """Type, area, place, state and score of the alert."""
    properties = alert_feature(alert)["properties"]
    areas = [area for area in (alert.county, alert.township, alert.village) if area is not None]
    place = " · ".join(area.name or area.code for area in areas) + (f" ({areas[-1].code})" if areas else "")
    others = "; ".join(f"{area['name'] or area['code']} {area['share']:.0%}" for area in alert.also_in)
    from_log = bool(log) and log[-1].fields["why"] == alert.state_reason
    reason = _reason(log[-1], texts) if from_log else alert.state_reason
    pairs = [
        (texts("kind_found"), texts.pick(alert.kind_names)),
        (texts("type"), texts.pick(alert.change_type_names) if alert.change_type_names else texts("not_set")),
        (texts("area"), _area(alert, texts)),
        (texts("dates"), _dates(alert, texts)),
        (texts("place"), place or texts("unknown")),
        (texts("centre"), texts.place(properties["centre"]["lon"], properties["centre"]["lat"])),
        (texts("source"), texts.source(alert.source)),
        (texts("state"), texts.state(alert.state) + (f": {reason}" if reason else "")),
        (texts("works"), texts.works(alert.works) if alert.works else texts("unknown")),
        (texts("seen"), _sighting_summary(properties, texts)),
        (texts("score"), _score(alert, texts)),
    ]
    if alert.error is not None:
        axes = {"major": f"{alert.error.major_m:.0f}", "minor": f"{alert.error.minor_m:.0f}"}
        pairs.append((texts("position_error"), texts("ellipse", direction=f"{alert.error.direction_deg:.0f}", **axes)))
    if others:
        pairs.insert(4, (texts("also_in"), others))
    return value_table(pairs)


def _area(alert: Alert, texts: SheetTexts) -> str:
    """Area; of oblique images with the error by its position, as an estimate."""
    area = texts.area(alert.area_m2)
    if alert.error is None:
        return area
    estimates = {sighting.source for sighting in alert.sightings if sighting.error is not None}
    reported = bool(estimates) and estimates <= set(REPORTED)
    basis = "reported" if reported else "oblique"
    return f"{area} ± {alert.area_error_m2:,.0f} m² ({texts(basis)})"


def _dates(alert: Alert, texts: SheetTexts) -> str:
    """When the works were not there yet, there, and gone."""
    days = (("not_yet_on", alert.not_yet_on), ("there_on", alert.there_on), ("gone_on", alert.gone_on))
    return "; ".join(texts(name, day=day.isoformat()) for name, day in days if day) or texts("unknown")


def _score(alert: Alert, texts: SheetTexts) -> str:
    score = f"{alert.score:.2f}"
    if alert.confidence is None:
        return score
    return f"{score}; {texts('over_sources', confidence=f'{alert.confidence:.0%}')}"


def _sighting_summary(properties: dict[str, Any], texts: SheetTexts) -> str:
    first = properties["first_seen"] or texts("unknown")
    last = properties["last_seen"] or texts("unknown")
    times, sources = properties["times_seen"], properties["sources_seen"]
    return texts("seen_value", times=times, sources=sources, first=first, last=last)


def corner_section(alert: Alert, texts: SheetTexts) -> list[Block]:
    """Corner coordinates in degrees and in the local zone."""
    corners = list_corners(alert.outline)
    zone = corners.zone
    count = "corners_few" if corners.simplified else "corners_all"
    lines = [texts(count, total=corners.total, listed=len(corners.listed))]
    lines.append(
        texts("corners_system", name=zone.name, code=zone.code, meridian=zone.meridian)
        if zone
        else texts("corners_no_zone")
    )
    if corners.holes:
        lines.append(texts("corners_holes", labels=", ".join(corners.holes)))
    head = [texts(name) for name in ("point", "ring", "lon", "lat", *(("northing", "easting") if zone else ()))]
    rows = []
    for corner in corners.listed:
        # to the millimetre; an oblique position, which is known to some metres, to the metre
        decimals, digits = (8, 3) if alert.error is None else (5, 0)
        row = [corner.label, str(corner.ring), *(f"{degrees:.{decimals}f}" for degrees in corner.lonlat)]
        metres = [f"{value:.{digits}f}" for value in reversed(corner.metres)] if corner.metres else []
        rows.append(row + metres)
    widths = (1, 0.7, 2, 2, 2, 2)[: len(head)]
    return [heading(texts("corners")), *map(paragraph, lines), data_table(head, rows, widths, range(2, len(head)))]


def overlap_section(alert: Alert, texts: SheetTexts) -> list[Block]:
    """All searched layers, including those without overlap."""
    if not alert.overlaps:
        return [heading(texts("overlaps")), paragraph(texts("no_overlaps"))]
    names = ("layer", "layer_kind", "dated", "approval", "valid", "overlap", "share")
    rows = []
    for entry in alert.overlaps:
        share = entry.get("share") or 0.0
        valid = entry.get("valid")
        overlapping = share > 0
        rows.append(
            [
                str(entry.get("layer") or ""),
                texts.layer(str(entry.get("kind") or "")),
                str(entry.get("dated") or texts("unknown")),
                str(entry.get("number") or ""),
                (texts("unknown") if valid is None else texts("yes" if valid else "no")) if overlapping else "",
                texts.area(float(entry.get("area_m2") or share * alert.area_m2)) if overlapping else texts("none"),
                f"{share:.1%}",
            ]
        )
    widths = (2.2, 1.7, 1.5, 2, 0.8, 2.2, 0.9)
    return [heading(texts("overlaps")), data_table([texts(name) for name in names], rows, widths, (5, 6))]


def sighting_section(alert: Alert, texts: SheetTexts) -> list[Block]:
    """All sightings, with the growth of the area."""
    if not alert.sightings:
        return []
    first = alert.sightings[0].area_m2
    rows = [
        [
            texts.day(sighting.date),
            texts.source(sighting.source),
            texts.area(sighting.area_m2),
            f"{sighting.area_m2 - first:+,.1f} m² ({mu(sighting.area_m2 - first):+,.2f})" if index else "",
            f"{sighting.score:.2f}",
        ]
        for index, sighting in enumerate(alert.sightings)
    ]
    head = [texts(name) for name in ("date", "source", "area", "growth", "score")]
    return [heading(texts("sights")), data_table(head, rows, (1.5, 1.5, 2.5, 2.5, 1), (2, 3, 4))]


def origin_section(alert: Alert, texts: SheetTexts) -> list[Block]:
    """Checksums of the inputs, by which the result can be reproduced."""
    pairs = [
        (texts("sha_before"), (alert.earlier.sha256 if alert.earlier else "") or "-"),
        (texts("sha_after"), (alert.later.sha256 if alert.later else "") or "-"),
        (texts("sha_weights"), alert.weights_sha256 or "-"),
        (texts("sha_settings"), alert.settings_sha256 or "-"),
        (texts("residual"), _residual(alert, texts)),
    ]
    return [heading(texts("origin")), value_table(pairs, code=True)]


def _residual(alert: Alert, texts: SheetTexts) -> str:
    if alert.registration_method == "georeferencing":
        if alert.registration_accuracy_m is None:
            return texts("georeferenced")
        return texts("georeferenced_within", metres=f"{alert.registration_accuracy_m:.1f}")
    values = [
        f"{value:.2f} {unit}"
        for value, unit in ((alert.residual_px, "px"), (alert.residual_m, "m"))
        if value is not None
    ]
    return " = ".join(values) or "-"


def _actor(who: str, role: str, texts: SheetTexts) -> str:
    return texts.role(role) if who in ("", role) else f"{who} ({texts.role(role)})"


def _reason(row: Row, texts: SheetTexts) -> str:
    """Reason of a transition; reasons given by the software are translated."""
    return translate(
        Reason.from_json(str(row.fields["why"]), row.fields.get("evidence", {}).get("why")), texts.language
    )


def log_section(log: Sequence[Row], zone: ZoneInfo, texts: SheetTexts) -> list[Block]:
    """All transitions, and the complete last hash, whose printed copy protects the log against being rewritten."""
    if not log:
        return [heading(texts("log")), paragraph(texts("no_log"))]
    rows = []
    for row in log:
        fields = row.fields
        time = fields["at"] if isinstance(fields["at"], dt.datetime) else dt.datetime.fromisoformat(str(fields["at"]))
        from_state = texts.state(fields["from_state"]) if fields["from_state"] else texts("begin")
        rows.append(
            [
                str(row.sequence),
                texts.time(time, zone)[:16],
                _actor(str(fields["who"]), str(fields["role"]), texts),
                f"{from_state} → {texts.state(fields['to_state'])}",
                _reason(row, texts),
                row.hash[:_HASH_DIGITS],
            ]
        )
    head = ["", *(texts(name) for name in ("when", "who", "step", "why", "hash"))]
    transitions = data_table(head, rows, (0.5, 1.75, 1.7, 2.4, 3.2, 1.3))
    return [
        heading(texts("log")),
        paragraph(texts("times_in", zone=zone.key)),
        paragraph(log[-1].hash, "code"),
        transitions,
    ]
