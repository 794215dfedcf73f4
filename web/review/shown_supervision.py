"""Listed supervision on the page of an alert: what is due, or the link that lists it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote

from configs.texts import text
from enforcement.states import read_states
from store.access.rights import Viewer
from store.deadlines.supervised_alerts import supervised_alerts
from store.deadlines.supervision import LISTING_ROLES
from store.schema.database import Session
from store.schema.tables import AlertRow


def supervision_data(
    session: Session, alert: AlertRow, viewer: Viewer, today: dt.date, root: str, language: str
) -> dict[str, Any] | None:
    """Return address and words of the alert's supervision, or of the form that lists it; None: neither."""
    found = supervised_alerts(session, [alert.id], today).get(alert.id)
    if found is not None:
        days = {"progress": found.progress_due.isoformat(), "due": found.due_on.isoformat()}
        words = text("supervision.of_alert", language, **days)
        return {"address": f"{root}/supervision/{found.id}", "words": words, "late": found.late}
    if alert.state in read_states().open and set(LISTING_ROLES) & set(viewer.roles):
        address = f"{root}/supervision?alert={quote(alert.number, safe='')}#add"
        return {"address": address, "words": text("supervision.list_it", language), "late": False}
    return None
