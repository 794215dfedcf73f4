"""Alerts under listed supervision, for the lists and pages of alerts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.schema.chain.deadline_tables import SupervisionRow


class SupervisedAlert(NamedTuple):
    """The open supervision of an alert.

    Attributes:
        id: of the supervision.
        due_on: its limit.
        progress_due: day by which the next progress report is due.
        late: whether one of the two has passed.
    """

    id: int
    due_on: dt.date
    progress_due: dt.date
    late: bool


def supervised_alerts(session: Session, alert_ids: Collection[int], today: dt.date) -> dict[int, SupervisedAlert]:
    """Return id → open supervision of those of the alerts that are supervised."""
    columns = SupervisionRow.alert_id, SupervisionRow.id, SupervisionRow.due_on, SupervisionRow.progress_due
    rows = session.execute(
        select(*columns).where(SupervisionRow.state == "open", SupervisionRow.alert_id.in_(alert_ids))
    )
    return {
        alert_id: SupervisedAlert(row_id, due_on, progress, min(due_on, progress) < today)
        for alert_id, row_id, due_on, progress in rows
    }
