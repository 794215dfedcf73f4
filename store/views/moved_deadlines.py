"""How many deadlines a change of the calendar has moved."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.schema.chain.deadline_tables import DeadlineLogRow


def moved_by_calendar(session: Session, year: int) -> int:
    """Return the number of deadlines that the last change of a year's holidays has moved."""
    of_calendar = DeadlineLogRow.kind == "calendar"
    last = session.scalar(select(func.max(DeadlineLogRow.at)).where(of_calendar))
    if last is None:
        return 0
    rows = session.scalars(select(DeadlineLogRow.detail).where(of_calendar, DeadlineLogRow.at == last))
    return sum(1 for detail in rows if detail.get("year") == year)
