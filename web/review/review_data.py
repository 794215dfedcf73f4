"""The data of one alert for the review page, as JSON in the user's language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

from fastapi import Request
from shapely.geometry import mapping

from configs.texts import catalogue, text, translate
from enforcement.change_types import read_change_types
from enforcement.map_apps.links import navigation_links
from enforcement.offered_steps import offered_steps
from enforcement.position_uncertainty import ellipse_outline
from enforcement.states import StateTable, read_states
from enforcement.units import mu
from service.context import Context
from store.access.rights import Viewer, may_see
from store.alerts.alert_geometry import areas_around
from store.alerts.sites import site_alerts, touching_alerts
from store.alerts.transitions import steps_of
from store.alerts.withdrawal import withdrawn_basis
from store.areas.areas import area_names
from store.cameras.sightings import CameraSighting, camera_sightings
from store.chain_settings import read_chain_values
from store.evidence.place_history import correction_findings
from store.integrity.damage import damaged_images_of
from store.patrols.patrol_records import patrols_of_alert
from store.retention.holds import holds_of_alert
from store.review.decisions import UNDO_WITHIN, Lock, lock_holder, split_at_gaps
from store.review.outline_edits import may_edit
from store.schema.database import Session
from store.schema.outlines import error_ellipse_from_json
from store.schema.tables import AlertRow, SceneRow, Transition
from store.search.alert_search import AlertFilter, neighbours
from store.tips.tip_search import tips_of_alert
from store.tips.tip_steps import may_read_tips
from store.views.alert_view import (
    AlertSighting,
    DrawnSighting,
    SightingImage,
    alert_sightings,
    assignable_users,
    drawn_sightings,
    user_names,
)
from web.etags import content_tag
from web.page import language_of, named
from web.review.place_image_routes import finding_data
from web.review.rejection_reasons import transition_reason
from web.review.shown_evidence import shown_evidence
from web.review.shown_pair import ShownPair, shown_pair
from web.review.shown_supervision import supervision_data

JUDGED_STATES = ("triaged", "false_change", "bad_imagery")
"""States that have their own buttons on the page."""

_MAX_AREAS = 40  # boundaries on the small map; more are illegible
_AREA_TOLERANCE = 4e-5  # degrees, about four metres: invisible on a map of a village


class AlertDetail:
    """Builds the data of alerts for one user, in one request."""

    def __init__(self, request: Request, context: Context, session: Session, viewer: Viewer) -> None:
        """``session``: a read or write transaction."""
        self.session, self.viewer, self.context = session, viewer, context
        self.language = language_of(request)
        self.now = context.clock()
        self.zone = context.settings.zone
        self.root = context.settings.path_prefix

    def _name(self, table: Mapping[str, Any], key: str) -> str:
        return named(table, key, self.language)

    def _text(self, prefix: str, key: str) -> str:
        return text(f"{prefix}.{key}", self.language) if f"{prefix}.{key}" in catalogue() else key

    def data(self, alert: AlertRow, list_filter: AlertFilter) -> dict[str, Any]:
        """Return all data of an alert, with its previous and next alert in the filtered list."""
        states, types = read_states(), read_change_types()
        sights, steps = alert_sightings(self.session, alert), steps_of(self.session, alert)
        users = assignable_users(self.session, alert)
        names = user_names(self.session, {step.who for step in steps} | {alert.assignee})
        lock = lock_holder(self.session, alert, self.now)
        neighbour = neighbours(self.session, self.viewer, list_filter, alert.number)
        today = self.now.astimezone(self.zone).date()
        address = f"{self.root}/alerts/{quote(alert.number, safe='')}"
        return {
            "number": alert.number,
            "as_of": alert.changed_at.isoformat(),
            "address": address,
            "query": urlencode(list_filter.to_query()),
            "kind": alert.kind,
            "kind_name": self._name(types.kinds, alert.kind),
            "type": alert.change_type,
            "kinds": [
                {
                    "name": kind,
                    "words": self._name(types.kinds, kind),
                    "types": [{"name": n, "words": self._name(types.types, n)} for n in types.of_kind(kind)],
                }
                for kind in types.kinds
            ],
            "state": alert.state,
            "state_name": self._name(states.states, alert.state),
            # reasons of the software's own steps appear only in the log
            "why": self._why(steps[-1]) if steps and steps[-1].who != "system" else "",
            "basis": self._basis(alert),
            "score": alert.score,
            "confidence": alert.confidence,
            "confidence_parts": [self._confidence_part(part) for part in alert.confidence_parts or ()],
            "area_error_m2": round(alert.area_error_m2 or 0, 1),
            "oblique": alert.position_error is not None,
            "estimate": "oblique" if sights else "reported",
            "position_error": alert.position_error,
            "ellipse": self._ellipse(alert),
            "not_yet_on": _day(alert.not_yet_on),
            "there_on": _day(alert.there_on),
            "gone_on": _day(alert.gone_on),
            "site": self._related(site_alerts(self.session, alert), alert),
            "touching": self._related(
                touching_alerts(self.session, alert, self.context.settings.alerts.adjacent_m)
                if alert.state in states.open
                else [],
                alert,
            ),
            "area_m2": round(alert.area_m2, 1),
            "mu": round(mu(alert.area_m2), 2),
            "place": self._place(alert),
            "also_in": [str(area.get("name") or area.get("code")) for area in alert.also_in],
            "centre": [round((alert.west + alert.east) / 2, 7), round((alert.south + alert.north) / 2, 7)],
            "outline": mapping(alert.outline),
            "parts": len(split_at_gaps(alert)),
            "first_date": _day(alert.first_date),
            "last_date": _day(alert.last_date),
            "due_on": _day(alert.due_on),
            "supervision": supervision_data(self.session, alert, self.viewer, today, self.root, self.language),
            "held": [hold.reason for hold in holds_of_alert(self.session, alert)],
            "overdue": bool(alert.due_on and alert.due_on < today and alert.state in states.open),
            "assignee": alert.assignee,
            "assignee_name": names.get(alert.assignee, alert.assignee),
            "people": [
                {"login": user.login, "name": user.name, "role": self._name(states.roles, user.role)} for user in users
            ],
            "over_cap": alert.over_cap,
            "week": alert.week,
            "rank": alert.rank,
            "seen": alert.seen,
            "sources_seen": alert.sources_seen,
            "overlaps": [self._overlap(overlap) for overlap in alert.overlaps],
            "images": self._images(alert, address, sights),
            "navigation": self._navigation(alert),
            "origins": self._origins(alert),
            "residual": self._residual(sights),
            "cameras": [self._camera(sight, address) for sight in camera_sightings(self.session, alert)],
            "sights": [*(self._drawn(one) for one in drawn_sightings(self.session, alert)), *map(self._sight, sights)],
            "log": [
                self._step(step, names)
                | {"evidence": shown_evidence(step.evidence, alert.number, self.root, self.language)}
                for step in steps
            ],
            "findings": [
                finding_data(found, self.root, alert.number, self.language)
                for found in correction_findings(self.session, alert, self.zone)
            ],
            "areas": [
                {"code": a.code, "name": a.name, "level": a.level, "outline": mapping(a.outline)}
                for a in areas_around(
                    self.session,
                    self.viewer,
                    alert,
                    extent="area",
                    tolerance=_AREA_TOLERANCE,
                    limit=_MAX_AREAS,
                )
            ],
            "steps": self._steps(states, alert, steps),
            "can": self._can(states, alert) | {"undo": self._can_undo(steps)},
            "viewing": self.viewer.views_only,
            "lock": self.lock(lock),
            "previous": neighbour.previous,
            "next": neighbour.next,
            "position": neighbour.position,
            "total": neighbour.total,
        }

    def lock(self, lock: Lock | None) -> dict[str, Any]:
        """Return whether the user holds the lock, and the name of another holder."""
        mine = lock is not None and lock.person_id == self.viewer.person_id
        return {"mine": mine, "by": "" if lock is None or mine else lock.name or lock.login}

    def _basis(self, alert: AlertRow) -> str:
        """Return what happened to the images of an alert: withdrawn, or damaged; "": nothing."""
        why = withdrawn_basis(self.session, alert.id)
        if why is None:
            damaged = damaged_images_of(self.session, alert.id)
            return text("review.damaged_images", self.language, names=", ".join(damaged)) if damaged else ""
        return (
            f"{text('image.basis', self.language)}{text('image.colon', self.language)}{translate(why, self.language)}"
        )

    def _place(self, alert: AlertRow) -> list[dict[str, str]]:
        codes = dict.fromkeys(code for code in (alert.county_code, alert.township_code, alert.grid_code) if code)
        names = area_names(self.session, codes)
        return [{"code": code, "name": names.get(code, "")} for code in codes]

    def _overlap(self, overlap: dict[str, Any]) -> dict[str, Any]:
        kind = str(overlap.get("kind", ""))
        return {
            "layer": str(overlap.get("layer", "")),
            "kind": kind,
            "kind_name": self._text("layer", kind),
            "dated": overlap.get("dated"),
            "share": overlap.get("share"),
            "number": str(overlap.get("number") or ""),
            "version": int(overlap.get("version") or 0),
            "to": overlap.get("to"),
            "valid": overlap.get("valid"),
        }

    def _navigation(self, alert: AlertRow) -> list[dict[str, str]]:
        """Return the links of map apps to an alert, in the coordinates of each."""
        point = alert.outline.representative_point()
        links = navigation_links(point.x, point.y, alert.number)
        return [{"name": getattr(link.name, self.language), "address": link.address} for link in links]

    def _origins(self, alert: AlertRow) -> list[dict[str, str]]:
        """Return the tips and patrols that led to an alert, as far as the user may see them."""
        patrols = patrols_of_alert(self.session, self.viewer, alert.id)
        found = [{"number": one.number, "address": f"{self.root}/patrols/{one.id}"} for one in patrols]
        if may_read_tips(self.viewer, read_chain_values(self.session)):
            tips = tips_of_alert(self.session, self.viewer, alert.id)
            found += [{"number": one.number, "address": f"{self.root}/tips/{one.id}"} for one in tips]
        return found

    def _images(self, alert: AlertRow, address: str, sights: list[AlertSighting]) -> dict[str, Any]:
        latest: AlertSighting | ShownPair | None = sights[-1] if sights else shown_pair(self.session, alert)
        images = {}
        for when in ("before", "after"):
            image: SightingImage | SceneRow | None = getattr(latest, when) if latest else None
            picture = picture_url(alert.number, alert.evidence, when)
            images[when] = {
                "date": _day(image.date) if image else None,
                "source": self._text("review.source", image.source) if image else "",
                "gsd_m": image.gsd_m if image else None,
                "name": image.name if image else "",
                "picture": f"{self.root}{picture}" if picture else None,
                "tiles": f"{self.root}/tiles/alerts/{quote(alert.number, safe='')}/{when}" if image else None,
            }
        return images

    def _residual(self, sights: list[AlertSighting]) -> dict[str, Any] | None:
        latest = sights[-1] if sights else None
        if latest is None:
            return None
        remark = ""
        if latest.registration_method == "georeferencing":
            key = "review.georeferenced" if latest.accuracy_m is None else "review.georeferenced_within"
            remark = text(key, self.language, metres=f"{latest.accuracy_m or 0.0:.1f}")
        return {"metres": latest.residual_m, "pixels": latest.residual_px, "remark": remark}

    def _camera(self, sight: CameraSighting, address: str) -> dict[str, Any]:
        frames = {
            when: {
                "at": f"{frame.taken_at.astimezone(self.zone):%Y-%m-%d %H:%M}",
                "address": f"{address}/frames/{frame.capture_id}",
            }
            for when, frame in (("before", sight.before), ("after", sight.after))
        }
        outlines = [[[round(x, 1), round(y, 1)] for x, y in one.exterior.coords] for one in sight.outlines]
        return {"camera": sight.camera, "view": sight.view, "size": sight.size, "outlines": outlines, **frames}

    def _sight(self, sight: AlertSighting) -> dict[str, Any]:
        return {
            "before": _day(sight.before.date),
            "after": _day(sight.after.date),
            "source": self._text("review.source", sight.after.source),
            "kind_name": self._name(read_change_types().kinds, sight.kind),
            "score": sight.score,
            "mu": round(mu(sight.area_m2), 2),
        }

    def _drawn(self, sight: DrawnSighting) -> dict[str, Any]:
        return {
            "before": None,
            "after": _day(sight.date),
            "source": self._text("review.source", sight.source),
            "kind_name": self._name(read_change_types().kinds, sight.kind),
            "score": sight.score,
            "mu": round(mu(sight.area_m2), 2),
        }

    def _ellipse(self, alert: AlertRow) -> dict[str, Any] | None:
        """Return the outline of the error ellipse of an oblique position, drawn on the maps."""
        error = error_ellipse_from_json(alert.position_error)
        if error is None:
            return None
        sigmas = self.context.settings.alerts.sigmas
        return cast(dict[str, Any], mapping(ellipse_outline(alert.outline, error, sigmas)))

    def _confidence_part(self, part: Mapping[str, Any]) -> dict[str, Any]:
        return {**part, "source": self._text("review.source", str(part["source"]))}

    def _related(self, alerts: list[AlertRow], alert: AlertRow) -> list[dict[str, Any]]:
        """Return other alerts that the user may see, with their state and area."""
        states = read_states()
        return [
            {
                "number": other.number,
                "address": f"{self.root}/alerts/{quote(other.number, safe='')}",
                "state_name": self._name(states.states, other.state),
                "mu": round(mu(other.area_m2), 2),
            }
            for other in alerts
            if other.id != alert.id and may_see(self.viewer, other.grid_code)
        ]

    def _step(self, step: Transition, names: dict[str, str]) -> dict[str, Any]:
        states = read_states()
        undoes = "undoes" in step.evidence
        return {
            "at": f"{step.at.astimezone(self.zone):%Y-%m-%d %H:%M}",
            "who": self._text("review.who", step.who) if step.who == "system" else names.get(step.who, step.who),
            "role": self._name(states.roles, step.role),
            "from": self._name(states.states, step.from_state) if step.from_state else "",
            "to": self._name(states.states, step.to_state),
            "why": text("review.taken_back", self.language) if undoes else self._why(step),
            "alerts": _numbers(step.evidence),
        }

    def _can_undo(self, steps: list[Transition]) -> bool:
        """Return whether the last step is the user's own and recent; the undo itself checks further conditions."""
        if not steps or "undoes" in steps[-1].evidence or not (steps[-1].from_state or "from" in steps[-1].evidence):
            return False
        return steps[-1].who == self.viewer.login and self.now - steps[-1].at <= UNDO_WITHIN

    def _why(self, step: Transition) -> str:
        return translate(transition_reason(step), self.language)

    def _steps(self, states: StateTable, alert: AlertRow, log: list[Transition]) -> list[dict[str, Any]]:
        """Return the steps that the user may take, except those with their own buttons."""
        history = [(step.to_state, step.who) for step in log]
        return [
            {
                "to": step.to,
                "words": states.verb(alert.state, step.to, self.language),
                "state_name": self._name(states.states, step.to),
                "evidence": [{"name": name, "words": self._text("review.evidence", name)} for name in step.evidence],
                "balanced": step.balanced,
                "forward": step.forward,
            }
            for step in offered_steps(states, alert.state, self.viewer.roles, self.viewer.login, history)
            if not (step.to in JUDGED_STATES and alert.state != "disputed")
            and (alert.state, step.to) != (states.initial, "published")
        ]

    def _can(self, states: StateTable, alert: AlertRow) -> dict[str, bool]:
        targets = set(states.allowed_targets(alert.state, self.viewer.roles))
        fixed = states.category(alert.state) == "gone" or self.viewer.views_only
        return {
            "true": "triaged" in targets or (alert.state == "triaged" and "published" in targets),
            "false": "false_change" in targets,
            "bad_imagery": "bad_imagery" in targets,
            "split": "split" in targets,
            "type": not fixed,
            "assign": not fixed,
            "edit_outline": may_edit(self.viewer, alert),
            "merge": "merged" in targets and alert.state in states.open,
        }


def picture_url(number: str, evidence: Mapping[str, Any], when: str) -> str | None:
    """Return the path of a stored picture of an alert. Its content never changes, so browsers can cache it."""
    key = evidence.get(when)
    if not isinstance(key, str):
        return None
    return f"/alerts/{quote(number, safe='')}/evidence/{when}?key={content_tag(key)}"


def _numbers(evidence: Mapping[str, Any]) -> list[str]:
    """Return the numbers of the alerts that a step created, came from or merged into."""
    related = evidence.get("into") or evidence.get("from") or []
    if isinstance(related, str):
        return [related]
    return [str(number) for number in related] if isinstance(related, list) else []


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day is not None else None


def requested_filter(request: Request, context: Context) -> AlertFilter:
    """Read the filter of a request's URL.

    Raises:
        SettingsError: a parameter is invalid.
    """
    return AlertFilter.from_query(cast(Any, request.query_params), context.settings.zone)
