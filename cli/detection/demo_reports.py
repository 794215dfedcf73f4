"""Last part of the demo: the most serious alert is dispatched, and its village's Friday sheet is written."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from enforcement.reports.schedule import period_of, read_schedule
from service.context import Context
from service.reports.on_demand import find_report
from service.reports.rendering import FORMATS, write_report
from store.access.rights import Viewer
from store.alerts.alert_data import alerts_by_severity
from store.alerts.transitions import append_transition
from store.deadlines.calendar import calendar_of
from store.search.alert_search import alert_by_number

FOLDER = "reports"
KIND = "village_week"
STEPS = {"new": "triaged", "triaged": "published", "published": "dispatched"}
"""State → next state, up to the one in which the village is informed."""

EVERYTHING = Viewer("demo", "demo", "county", "", True, 0)


def write_friday_sheet(context: Context, out: Path) -> list[Path]:
    """Dispatch the most serious alert of a village, and write the weekly sheet of that village in all formats.

    Args:
        context: of the demo's service.
        out: folder of the demo; the files are written to its folder :data:`FOLDER`.

    Returns:
        The paths of the files; none if there is no alert in a village.
    """
    zone = context.settings.zone
    with context.database.write() as session:
        waiting = [alert.number for alert in alerts_by_severity(session) if alert.state in STEPS]
        rows = [alert_by_number(session, EVERYTHING, number) for number in waiting]
        chosen = next((row for row in rows if row is not None and len(row.grid_code) == 12), None)
        if chosen is None:
            return []
        now = context.clock()
        while chosen.state in STEPS:
            append_transition(
                session, chosen, STEPS[chosen.state], who="demo", role="county", why="demo", at=now, zone=zone
            )
        code = chosen.grid_code
    with context.database.read() as session:
        now = context.clock()
        day = now.astimezone(zone).date()
        if period_of(read_schedule().rule(KIND), calendar_of(session), day, zone).until <= now:
            day += dt.timedelta(days=1)  # this week's sheet is closed already: the next one
        found = find_report(session, KIND, code, day, now, zone, "zh")
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{found.name}.{file_format}" for file_format in FORMATS]
    for file_format, path in zip(FORMATS, paths, strict=True):
        write_report(found.shown, file_format, path)
    return paths
