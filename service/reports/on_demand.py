"""A report of an area and day without changing anything: the stored one, else one filled now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from configs.texts import text
from enforcement.figures.period import Period as FigurePeriod
from enforcement.reports.bulletin import Bulletin
from enforcement.reports.checks import run_checks
from enforcement.reports.layout import read_layout
from enforcement.reports.schedule import CODE_DIGITS, period_of, read_schedule
from enforcement.reports.sheet import Sheet
from errors import SettingsError
from service.reports.rendering import build_report, report_name, shown_report
from store.access.rights import COMMAND
from store.areas.areas import area_names
from store.deadlines.calendar import calendar_of
from store.reports.filling import fill_content
from store.reports.report_facts import ReportFacts
from store.reports.report_rows import report_at
from store.schema.chain.report_tables import ReportRow
from store.schema.database import Session

CALLED = ("week", "month", "quarter", "ledger", "ranking")
"""What the command line calls the reports."""

_BY_LEVEL = {12: "village_week", 9: "township_week", 6: "county_week"}


@dataclass(frozen=True)
class FoundReport:
    """A report to be written.

    Attributes:
        name: of its files, without an ending.
        shown: sheet or bulletin.
        row: stored report; None: it was filled now.
    """

    name: str
    shown: Sheet | Bulletin
    row: ReportRow | None


def kind_of(called: str, code: str) -> str:
    """Return the kind of report for a name of the command line; a week's is that of the area's level.

    Raises:
        SettingsError: the area has not the level of the report.
    """
    kind = _BY_LEVEL.get(len(code), "") if called == "week" else called
    rule = read_schedule().reports.get(kind)
    if rule is None or len(code) != CODE_DIGITS[rule.level]:
        digits = "6, 9 or 12" if called == "week" else str(CODE_DIGITS[rule.level] if rule else 6)
        raise SettingsError(
            f"The area {code[:20]!r} has no report {called!r}: expected a code of {digits} digits.",
            "reports.area_level",
            area=code[:20],
            digits=digits.replace(" or ", "、"),
        )
    return kind


def find_report(
    session: Session, kind: str, code: str, day: dt.date, now: dt.datetime, zone: dt.tzinfo, language: str
) -> FoundReport:
    """Return the stored report of a period, else one that is filled from the present rows.

    Args:
        session: a read transaction.
        kind: of ``configs/reports/schedule.yaml``.
        code: administrative code of the area.
        day: in the period.
        now: current time; what happened later than the period does not count.
        zone: time zone of local days.
        language: ``zh`` or ``en``.

    Raises:
        SettingsError: there is no such kind or area.
    """
    area = area_names(session, [code]).get(code)
    if area is None:
        raise SettingsError(
            f"There is no area {code[:20]!r}; `tuban areas list` lists them.", "reports.no_area", area=code[:20]
        )
    row = report_at(session, kind, code, day)
    if row is not None and row.filled_at is not None:
        return FoundReport(
            report_name(kind, area, row.last_day, language), shown_report(session, row, language, zone), row
        )
    period = period_of(read_schedule().rule(kind), calendar_of(session), day, zone)
    content = fill_content(
        session, kind, code, replace(period, until=min(period.until, now)), ReportFacts(session, code, zone)
    )
    checks = [one.words(language) for one in run_checks(read_layout(kind).checks, content)]
    status = text("reports.state_draft", language)
    shown = build_report(kind, content, period.last, language, {}, status, checks)
    return FoundReport(report_name(kind, area, period.last, language), shown, None)


def find_ranking(
    session: Session, code: str, day: dt.date, today: dt.date, zone: dt.tzinfo, language: str
) -> FoundReport:
    """Return the ranking of the parts of an area in the quarter of a day.

    Raises:
        SettingsError: there is no such area.
    """
    from service.figures.figure_sheets import read_ranking_sheet

    everything = COMMAND
    first = dt.date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    after = dt.date(first.year + first.month // 10, (first.month + 2) % 12 + 1, 1)
    period = FigurePeriod("quarter", first, after - dt.timedelta(days=1))
    sheet = read_ranking_sheet(session, everything, code, period, today=today, zone=zone, language=language)
    area = area_names(session, [code]).get(code, code)
    return FoundReport(f"{area} {sheet.name} {period.name}", sheet, None)
