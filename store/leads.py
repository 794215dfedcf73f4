"""A lead as plain data, put together from its alert, what was observed, and the areas that answer for it."""

from __future__ import annotations

from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.change_types import read_change_types
from enforcement.lead import Evidence, Lead, LeadArea, LeadImage, Sight
from store.areas import area_names
from store.map_scenes import last_pair
from store.outlines import error_of
from store.tables import Alert, Observation, SceneRow, Transition


def read_lead(session: Session, alert: Alert, public_url: str = "") -> Lead:
    """Return everything that is told of ``alert``.

    Args:
        session: a transaction.
        alert: one that has its number and its id.
        public_url: where people reach the pages; "": evidence is named by the keys of its objects.
    """
    seen = session.execute(
        select(
            Observation.after_date,
            Observation.source,
            Observation.area_m2,
            Observation.score,
            Observation.position_error,
        )
        .where(Observation.alert_id == alert.id)
        .order_by(Observation.after_date, Observation.id)
    ).all()
    pair = last_pair(session, alert.id)
    scan = pair.scan if pair else None
    alignment = (scan.result.get("alignment") or {}) if scan else {}
    areas = _areas(session, alert)
    words = read_change_types()
    kind, change_type = words.kinds.get(alert.kind), words.types.get(alert.change_type)
    page = f"{public_url.rstrip('/')}/alerts/{quote(alert.number, safe='')}" if public_url else ""
    return Lead(
        number=alert.number,
        source=alert.source,
        kind=alert.kind,
        kind_names=(kind.zh, kind.en) if kind else (alert.kind, alert.kind),
        change_type=alert.change_type,
        change_type_names=(change_type.zh, change_type.en) if change_type else None,
        state=alert.state,
        state_reason=alert.state_reason,
        works=_works(session, alert),
        outline=alert.outline,
        detected=alert.detected,
        area_m2=alert.area_m2,
        score=alert.score,
        earlier=_image(pair.before) if pair else None,
        later=_image(pair.after) if pair else None,
        village=areas.get(12),
        township=areas.get(9),
        county=areas.get(6),
        also_in=tuple(alert.also_in),
        overlaps=tuple(alert.overlaps),
        sights=tuple(Sight(day, source, area, score, error_of(error)) for day, source, area, score, error in seen),
        week=alert.week,
        rank=alert.rank,
        over_cap=alert.over_cap,
        legal_weight=alert.legal_weight,
        weights_sha256=scan.weights_sha256 if scan else "",
        settings_sha256=scan.settings_sha256 if scan else "",
        residual_px=alignment.get("residual_px"),
        residual_m=alignment.get("residual_m"),
        evidence=tuple(
            Evidence(name, f"{page}/evidence/{quote(name, safe='')}" if page else str(key))
            for name, key in alert.evidence.items()
        ),
        page=page,
        error=error_of(alert.position_error),
    )


def gravest_first(session: Session) -> list[Alert]:
    """All alerts: farmland first, then by score."""
    return list(session.scalars(select(Alert).order_by(Alert.legal_weight.desc(), Alert.score.desc(), Alert.id)))


def _areas(session: Session, alert: Alert) -> dict[int, LeadArea]:
    """The areas that answer for it, by the length of their code: 6 county, 9 township, 12 village."""
    codes = {len(code): code for code in (alert.county_code, alert.township_code, alert.grid_code) if code}
    names = area_names(session, codes.values())
    return {length: LeadArea(code, names.get(code, "")) for length, code in codes.items()}


def _image(scene: SceneRow) -> LeadImage:
    return LeadImage(scene.date, scene.source, scene.gsd_m, scene.sha256)


def _works(session: Session, alert: Alert) -> str | None:
    """The state of works that was last told with a step in the lead's life."""
    told = session.scalars(
        select(Transition.evidence).where(Transition.alert_id == alert.id).order_by(Transition.sequence.desc())
    )
    return next((str(evidence["works"]) for evidence in told if evidence.get("works")), None)
