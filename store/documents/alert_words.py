"""What documents say about an alert, read from the database."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.change_types import read_change_types
from enforcement.documents.kinds import Bureau, Documents
from enforcement.documents.values import AlertWords, TransferHint, transfer_hint
from enforcement.figures.alert_facts import AlertFacts
from enforcement.settings import read_enforcement
from store.areas.areas import area_names
from store.chain_settings import read_chain_values
from store.figures.read_facts import facts_of_alerts
from store.schema.chain.document_tables import DocumentRow
from store.schema.tables import AlertRow

ISSUED = ("issued", "served", "replied")
"""States of documents that are in force."""


def alert_facts(session: Session, alert: AlertRow, zone: dt.tzinfo) -> AlertFacts:
    """Return the facts of one alert."""
    [facts] = facts_of_alerts(session, [alert.id], zone=zone)
    return facts


def alert_words(session: Session, alert: AlertRow, facts: AlertFacts) -> AlertWords:
    """Return what documents say about an alert."""
    names = area_names(session, [alert.county_code, alert.township_code, alert.grid_code])
    point = alert.outline.representative_point()
    types, sources = read_change_types(), read_enforcement().sources
    change = types.types.get(alert.change_type) or types.kinds.get(alert.kind)
    return AlertWords(
        number=alert.number,
        county=names.get(alert.county_code, ""),
        township=names.get(alert.township_code, ""),
        village=names.get(alert.grid_code, ""),
        lon=float(point.x),
        lat=float(point.y),
        area_m2=facts.area_m2,
        farmland_m2=facts.farmland_m2,
        basic_farmland_m2=facts.basic_farmland_m2,
        change=change.zh if change else alert.kind,
        source=sources[alert.source].zh if alert.source in sources else alert.source,
        found_on=facts.found_on,
        before_on=alert.not_yet_on,
        after_on=alert.there_on or alert.first_date,
        determined=facts.confirmed,
        determined_on=facts.determined_on if facts.confirmed else None,
        stop=_latest(session, alert, "stop_notice") or _of_step(facts),
        correction=_latest(session, alert, "correction_order") or ("", None),
    )


def bureau_of(session: Session, settings: Documents, county_code: str) -> Bureau:
    """Return the names of the bureau that issues for a county: of the file, else of the settings."""
    own, values = settings.bureau_of(county_code), read_chain_values(session)
    return Bureau(**{name: getattr(own, name) or values.text(f"documents.{name}") for name in Bureau.model_fields})


def hint_of(session: Session, facts: AlertFacts) -> TransferHint:
    """Return whether the areas of an alert reach those from which a transfer is considered."""
    values = read_chain_values(session)
    return transfer_hint(
        facts.basic_farmland_m2,
        facts.farmland_m2,
        values.number("documents.transfer_basic_mu"),
        values.number("documents.transfer_other_mu"),
    )


def _latest(session: Session, alert: AlertRow, kind: str) -> tuple[str, dt.date | None] | None:
    query = (
        select(DocumentRow.number, DocumentRow.issued_on)
        .where(DocumentRow.alert_id == alert.id, DocumentRow.kind == kind, DocumentRow.state.in_(ISSUED))
        .order_by(DocumentRow.issued_on.desc(), DocumentRow.id.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    return None if found is None else (str(found[0]), found[1])


def _of_step(facts: AlertFacts) -> tuple[str, dt.date | None]:
    """Return the notice that a person named in a step of the alert, where it was not issued here."""
    return facts.stop_notice, facts.stop_notice_on
