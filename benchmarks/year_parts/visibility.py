"""Who sees what: lists, searches, counts and exports of sampled viewers, compared with all rows by one plain rule.

A row is visible if its administrative code begins with that of the viewer; tips also need a role from the township up.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.year_parts.county import Officer
from benchmarks.year_parts.legal_steps import categories, is_open
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.deadlines.supervision import visible_supervisions
from store.figures.read_facts import read_facts
from store.messages.inbox import inbox_messages
from store.patrols.patrol_records import list_patrols, patrol_statistics, visible_patrol
from store.review.todo import TodoFilter, todo_counts, todo_page
from store.schema.chain.deadline_tables import SupervisionRow
from store.schema.chain.tip_tables import PatrolRow, TipRow
from store.schema.tables import AlertRow, SceneArea, SceneRow
from store.search.alert_filter import AlertFilter
from store.search.alert_search import alert_by_number, count_alerts, search_alerts
from store.search.image_search import visible_scene
from store.tips.tip_search import TipFilter, list_tips, visible_tip
from store.tips.tip_steps import may_read_tips


@dataclass(frozen=True)
class Truth:
    """Codes of all rows by id: what each viewer is compared with."""

    alerts: dict[int, tuple[str, str, str]]
    tips: dict[int, str]
    patrols: dict[int, tuple[str, dt.date]]
    supervisions: dict[int, str]
    scenes: dict[int, set[str]]

    @classmethod
    def read(cls, session: Session) -> Truth:
        """Read all rows, without regard to rights."""
        shown: dict[int, set[str]] = {}
        for scene_id, code in session.execute(select(SceneRow.id, SceneRow.area_code)):
            shown.setdefault(scene_id, set()).add(code)
        for scene_id, code in session.execute(select(SceneArea.scene_id, SceneArea.code)):
            shown.setdefault(scene_id, set()).add(code)
        listed = select(SupervisionRow.id, AlertRow.grid_code).join(AlertRow, AlertRow.id == SupervisionRow.alert_id)
        alerts = select(AlertRow.id, AlertRow.number, AlertRow.grid_code, AlertRow.state)
        return cls(
            {row[0]: (row[1], row[2], row[3]) for row in session.execute(alerts)},
            {row[0]: row[1] for row in session.execute(select(TipRow.id, TipRow.area_code))},
            {r[0]: (r[1], r[2]) for r in session.execute(select(PatrolRow.id, PatrolRow.area_code, PatrolRow.day))},
            {row[0]: row[1] for row in session.execute(listed)},
            shown,
        )


def visibility_faults(session: Session, officers: Iterable[Officer], today: dt.date, now: dt.datetime) -> list[str]:
    """Return where one of some officers sees another's rows, or misses their own."""
    truth = Truth.read(session)
    rng = random.Random(f"viewers {today}")
    faults: list[str] = []
    for officer in officers:
        faults += _alert_faults(session, officer.viewer, truth, today, now, rng)
        faults += _record_faults(session, officer.viewer, truth, today, rng)
    return faults


def _alert_faults(
    session: Session, viewer: Viewer, truth: Truth, today: dt.date, now: dt.datetime, rng: random.Random
) -> list[str]:
    who = f"{viewer.login} ({viewer.role} {viewer.code})"
    own = {number for number, code, _ in truth.alerts.values() if code.startswith(viewer.code)}
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = search_alerts(session, viewer, AlertFilter(), now=now, after=cursor, limit=200)
        found += [item.number for item in page.rows]
        cursor = page.after
        if not cursor:
            break
    faults = _compare(f"{who} lists", own, found)
    total = count_alerts(session, viewer, AlertFilter())
    if total != len(own):
        faults.append(f"{who} counts {total} alerts; expected {len(own)}")
    open_here = {number for number, code, state in truth.alerts.values() if is_open(state) and number in own}
    todo = todo_page(session, viewer, today, now, TodoFilter())
    waiting = {item.row.number for item in todo.items}
    if not waiting <= open_here:
        faults.append(f"{who} has to do {sorted(waiting - open_here)[:3]}")
    if todo_counts(session, viewer, today) != todo.counts or sum(todo.counts.states.values()) != todo.counts.total:
        faults.append(f"{who}: the counts of the to-do list do not agree: {todo.counts}")
    for number in rng.sample(sorted(number for number, *_ in truth.alerts.values()), min(10, len(truth.alerts))):
        if (alert_by_number(session, viewer, number) is not None) != (number in own):
            faults.append(f"{who}: {number} is {'hidden' if number in own else 'shown'}")
    if viewer.code:
        facts = [fact.number for fact in read_facts(session, viewer.code, None)]
        standing = {n for n, code, state in truth.alerts.values() if n in own and categories()[state] != "gone"}
        if not standing <= set(facts) <= own:
            faults.append(f"{who}: figures are of {len(facts)} alerts; expected {len(standing)} to {len(own)}")
    return faults


def _record_faults(session: Session, viewer: Viewer, truth: Truth, today: dt.date, rng: random.Random) -> list[str]:
    who = f"{viewer.login} ({viewer.role} {viewer.code})"
    own = {patrol for patrol, (code, _) in truth.patrols.items() if code.startswith(viewer.code)}
    recent = [row.id for row in list_patrols(session, viewer, limit=100)]
    faults = _compare(f"{who} lists patrols", set(sorted(own)[-100:]), recent)
    week = sum(today - dt.timedelta(days=6) <= truth.patrols[patrol][1] <= today for patrol in own)
    counted = sum(row.patrols for row in patrol_statistics(session, viewer, today - dt.timedelta(days=6), today))
    if week != counted:
        faults.append(f"{who}: {counted} patrols in the week's statistics; expected {week}")
    for patrol in rng.sample(sorted(truth.patrols), min(5, len(truth.patrols))):
        if (visible_patrol(session, viewer, patrol) is not None) != (patrol in own):
            faults.append(f"{who}: patrol {patrol}")
    if may_read_tips(viewer, read_chain_values(session)):
        tips = {tip for tip, code in truth.tips.items() if code.startswith(viewer.code)}
        seen = [row.id for row in list_tips(session, viewer, TipFilter(), today, limit=500)]
        faults += _compare(f"{who} lists tips", set(sorted(tips)[-500:]), seen)
        for tip in rng.sample(sorted(truth.tips), min(5, len(truth.tips))):
            if (visible_tip(session, viewer, tip) is not None) != (tip in tips):
                faults.append(f"{who}: tip {tip}")
    listed = {row for row, code in truth.supervisions.items() if code.startswith(viewer.code)}
    faults += _compare(f"{who} follows", listed, [one.row.id for one in visible_supervisions(session, viewer)])
    for scene in rng.sample(sorted(truth.scenes), min(8, len(truth.scenes))):
        allowed = any(code.startswith(viewer.code) for code in truth.scenes[scene])
        if (visible_scene(session, viewer, scene) is not None) != allowed:
            faults.append(f"{who}: image {scene}")
    for message in inbox_messages(session, viewer):
        row = message.message
        if row.person_id != viewer.person_id or not row.code.startswith(viewer.code):
            faults.append(f"{who} reads message {row.id} about {row.code}")
    return faults


def _compare(what: str, expected: set[int] | set[str], found: list[int] | list[str]) -> list[str]:
    if len(found) != len(set(found)):
        return [f"{what} some rows twice"]
    more, missing = set(found) - set(expected), set(expected) - set(found)
    if more or missing:
        return [f"{what} {len(more)} rows of others and misses {len(missing)}: {sorted(map(str, more | missing))[:3]}"]
    return []
