"""Facts about one alert at a moment: the input of reports, indicators and documents.

:mod:`enforcement.figures.facts_from_steps` makes them from the steps of the alert; :mod:`store.figures.read_facts`
reads them from the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DETERMINATIONS = ("lawful", "farm_facility", "other_finding", "unlawful", "false_change")
"""States by which a person determines what an alert is."""

REOPENED = ("returned", "reviewed")
"""States that end a determination: the alert is judged again."""

BEFORE_REPORT = ("dispatched", "accepted", "field_checked")
"""States whose deadlines, one after the other, give the day by which a dispatched alert is reported."""

CONFIRMED = "unlawful"
"""The determination that a correction is required."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """A state that an alert entered, by a step that was not taken back.

    Attributes:
        state: of ``configs/states.yaml``.
        at: time of entering.
        day: local day of entering.
        who, role: who made the step.
        left_on: local day of the next step; None: it is still in this state.
        due: last day on time for leaving it, by the present deadlines and calendar; None: a final state.
        owner: role that has to act in it; "": a final state.
    """

    state: str
    at: dt.datetime
    day: dt.date
    who: str
    role: str
    left_on: dt.date | None
    due: dt.date | None
    owner: str

    def late(self, today: dt.date) -> bool:
        """Whether it was left after its deadline, or is overdue on ``today``."""
        return self.due is not None and (self.left_on or today) > self.due


@dataclass(frozen=True, slots=True)
class RelatedRecords:
    """What other rows say about an alert up to the moment.

    Attributes:
        tips, patrols: numbers of the tips and patrols that reported it.
        escalated: how often a deadline passed and the next level was told.
        went_on: local days on which a later image showed that works went on.
        supervised_on: day of the listed supervision in progress, or of the last one; None: never listed.
        supervision_due: its limit.
        supervision_open: whether it is in progress.
    """

    tips: tuple[str, ...] = ()
    patrols: tuple[str, ...] = ()
    escalated: int = 0
    went_on: tuple[dt.date, ...] = ()
    supervised_on: dt.date | None = None
    supervision_due: dt.date | None = None
    supervision_open: bool = False


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """Facts of one alert. Days are local, moments timezone-aware, areas in m².

    Attributes:
        alert_id, number: of the alert.
        county_code, township_code, village_code: areas that answer for it; "" where none is known.
        kind: construction, ground, demolition.
        official_type: of ``configs/change_types.yaml``; "": not set. The present one.
        source: of the first observation: satellite, drone, camera, patrol, hotline, report.
        origin: ``tip``, ``patrol``, ``drawn`` (by an inspector on an image) or ``scan``.
        found_on: day on which it was recorded.
        first_image_day: day of the first image that shows it.
        area_m2, farmland_m2, basic_farmland_m2: area, of which cultivated land, of which permanent basic farmland; by
            the present outline and layers, so that basic farmland ≤ cultivated land ≤ area.
        over_cap: beyond the weekly quota of its village: recorded, but not dispatched.
        state, category: at the moment.
        determination: one of :data:`DETERMINATIONS`; None until a person determined, or while it is judged again.
        determined_on, determined_by: day and person of the determination.
        history: the states entered, oldest first.
        entered: moment of first entering each state.
        last_entered: moment of last entering each state.
        dispatched_on, checked_on, reported_on, closed_on: day of the first dispatch, of the last check on the ground,
            of the first report, and of closing (None: not closed).
        checked_by: login of who checked it last; "".
        stop_notice: number of the stop or correction notice; "".
        stop_notice_on: its day; None: no notice.
        stopped: outcome of the notice by the findings: stopped, restored, ignored; "": unknown.
        report_due_on: day by which the report is due after the first dispatch: the deadlines of the states up to the
            report, one after the other, by the present settings; None: it was never dispatched.
        correct_by: day by which the correction has to be made.
        corrected_on: day of the recheck by which the correction is complete (it was closed after it); None: not yet.
        total_m2, demolished_m2, regularised_m2: areas of the correction; 0 until they are known.
        case_number, case_on: number and day of the case; "" and None: no case.
        entered_values: latest value of each entry of evidence, findings included.
        related: tips, patrols, escalations, listed supervision.
    """

    alert_id: int
    number: str
    county_code: str
    township_code: str
    village_code: str
    kind: str
    official_type: str
    source: str
    origin: str
    found_on: dt.date
    first_image_day: dt.date | None
    area_m2: float
    farmland_m2: float
    basic_farmland_m2: float
    over_cap: bool
    state: str
    category: str
    determination: str | None
    determined_on: dt.date | None
    determined_by: str
    history: tuple[StateEntry, ...]
    entered: Mapping[str, dt.datetime]
    last_entered: Mapping[str, dt.datetime]
    dispatched_on: dt.date | None
    checked_on: dt.date | None
    checked_by: str
    reported_on: dt.date | None
    stop_notice: str
    stop_notice_on: dt.date | None
    stopped: str
    correct_by: dt.date | None
    corrected_on: dt.date | None
    closed_on: dt.date | None
    total_m2: float
    demolished_m2: float
    regularised_m2: float
    case_number: str
    case_on: dt.date | None
    report_due_on: dt.date | None
    entered_values: Mapping[str, Any]
    related: RelatedRecords = field(default_factory=RelatedRecords)

    @property
    def open(self) -> bool:
        """Whether it requires work."""
        return self.category in ("open", "correcting")

    @property
    def confirmed(self) -> bool:
        """Whether a person determined that a correction is required."""
        return self.determination == CONFIRMED

    @property
    def due(self) -> dt.date | None:
        """Deadline of the state at the moment; None: it is closed."""
        return self.history[-1].due if self.history else None

    def overdue(self, today: dt.date) -> bool:
        """Whether the deadline of its state has passed on ``today``."""
        return bool(self.history) and self.history[-1].left_on is None and self.history[-1].late(today)

    def late_entries(self, today: dt.date) -> list[StateEntry]:
        """List the states that were left after their deadline, and the present one if it is overdue."""
        return [entry for entry in self.history if entry.late(today)]
