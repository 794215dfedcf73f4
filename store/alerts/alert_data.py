"""Alerts as plain data: the row, its observations, images and responsible areas."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.alert import Alert, AlertArea, AlertImage, EvidencePicture, Sighting
from enforcement.change_types import read_change_types
from enforcement.steps.evidence_words import latest_evidence
from store.alerts.image_pairs import ImagePair, latest_pairs
from store.areas.areas import area_names
from store.schema.outlines import error_ellipse_from_json
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition


def read_alert(session: Session, alert: AlertRow, public_url: str = "") -> Alert:
    """Return an alert as plain data.

    Args:
        session: a transaction.
        alert: a row with its number and id set.
        public_url: base URL of the pages; "": evidence is referred to by object key.
    """
    return read_alerts(session, [alert], public_url)[0]


def read_alerts(session: Session, alerts: Sequence[AlertRow], public_url: str = "") -> list[Alert]:
    """Return several alerts as :func:`read_alert` does, in the given order and with few statements."""
    ids = {alert.id for alert in alerts}
    sightings, pairs, entered = _sightings(session, ids), latest_pairs(session, ids), _entered(session, ids)
    names = area_names(session, {code for alert in alerts for code in _codes(alert)})
    return [
        _alert(alert, sightings.get(alert.id, []), pairs.get(alert.id), entered.get(alert.id, {}), names, public_url)
        for alert in alerts
    ]


def _alert(
    alert: AlertRow,
    sightings: Sequence[Sighting],
    pair: ImagePair | None,
    entered: Mapping[str, Any],
    names: Mapping[str, str],
    public_url: str,
) -> Alert:
    scan = pair.scan if pair else None
    alignment = (scan.result.get("alignment") or {}) if scan else {}
    # responsible areas by the length of their code: 6 county, 9 township, 12 village
    areas = {len(code): AlertArea(code, names.get(code, "")) for code in _codes(alert)}
    types = read_change_types()
    kind, change_type = types.kinds.get(alert.kind), types.types.get(alert.change_type)
    page = f"{public_url.rstrip('/')}/alerts/{quote(alert.number, safe='')}" if public_url else ""
    return Alert(
        number=alert.number,
        source=alert.source,
        kind=alert.kind,
        kind_names=(kind.zh, kind.en) if kind else (alert.kind, alert.kind),
        change_type=alert.change_type,
        change_type_names=(change_type.zh, change_type.en) if change_type else None,
        state=alert.state,
        state_reason=alert.state_reason,
        works=str(entered["works"]) if entered.get("works") else None,
        entered=entered,
        outline=alert.outline,
        detected=alert.detected,
        area_m2=alert.area_m2,
        score=alert.score,
        earlier=alert_image(pair.before) if pair else None,
        later=alert_image(pair.after) if pair else None,
        village=areas.get(12),
        township=areas.get(9),
        county=areas.get(6),
        also_in=tuple(alert.also_in),
        overlaps=tuple(alert.overlaps),
        sightings=tuple(sightings),
        week=alert.week,
        rank=alert.rank,
        over_cap=alert.over_cap,
        legal_weight=alert.legal_weight,
        weights_sha256=scan.weights_sha256 if scan else "",
        settings_sha256=scan.settings_sha256 if scan else "",
        residual_px=alignment.get("residual_px"),
        residual_m=alignment.get("residual_m"),
        registration_method=alignment.get("method"),
        registration_accuracy_m=alignment.get("accuracy_m"),
        evidence=tuple(
            EvidencePicture(name, f"{page}/evidence/{quote(name, safe='')}" if page else str(key), str(key))
            for name, key in alert.evidence.items()
        ),
        page=page,
        error=error_ellipse_from_json(alert.position_error),
        area_error_m2=alert.area_error_m2 or 0.0,
        not_yet_on=alert.not_yet_on,
        there_on=alert.there_on,
        gone_on=alert.gone_on,
        confidence=alert.confidence,
        confidence_parts=tuple(alert.confidence_parts or ()),
        site=alert.site or "",
    )


def alerts_by_severity(session: Session) -> list[AlertRow]:
    """List all alerts, farmland first, then by descending score."""
    return list(
        session.scalars(select(AlertRow).order_by(AlertRow.legal_weight.desc(), AlertRow.score.desc(), AlertRow.id))
    )


def _codes(alert: AlertRow) -> list[str]:
    return [code for code in (alert.county_code, alert.township_code, alert.grid_code) if code]


def _sightings(session: Session, alert_ids: Collection[int]) -> dict[int, list[Sighting]]:
    rows = session.execute(
        select(
            Observation.alert_id,
            Observation.after_date,
            Observation.source,
            Observation.area_m2,
            Observation.score,
            Observation.position_error,
        )
        .outerjoin(Scan, Scan.id == Observation.scan_id)
        .where(Observation.alert_id.in_(alert_ids), Scan.withdrawn_at.is_(None))
        .order_by(Observation.after_date, Observation.id)
    )
    sightings: dict[int, list[Sighting]] = {}
    for alert_id, day, source, area, score, error in rows:
        sightings.setdefault(alert_id, []).append(Sighting(day, source, area, score, error_ellipse_from_json(error)))
    return sightings


def alert_image(scene: SceneRow) -> AlertImage:
    """Return a scene as an image of an alert."""
    return AlertImage(scene.date, scene.source, scene.gsd_m, scene.sha256)


def _entered(session: Session, alert_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return the latest values that people entered with steps that were not undone, by alert id."""
    rows = session.execute(
        select(Transition.alert_id, Transition.sequence, Transition.evidence)
        .where(Transition.alert_id.in_(alert_ids))
        .order_by(Transition.alert_id, Transition.sequence)
    )
    steps: dict[int, list[tuple[int, Mapping[str, Any]]]] = {}
    for alert_id, sequence, evidence in rows:
        log = steps.setdefault(alert_id, [])
        if "undoes" in evidence:
            log[:] = [step for step in log if step[0] < int(evidence["undoes"])]
        else:
            log.append((sequence, evidence))
    return {alert_id: latest_evidence(evidence for _, evidence in log) for alert_id, log in steps.items()}
