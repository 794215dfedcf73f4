"""Load a version of a layer, show what it would change, and take it into use; find approvals that have ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enforcement.layer_kinds import read_layer_kinds
from errors import Reason, SettingsError, TubanError
from service.context import Context
from service.layers.files import ReceivedFile, opened_layer_file
from store.access.audit_log import record_action
from store.alerts.land import Land
from store.areas.layer_options import LayerOptions
from store.areas.layer_rows import LayerRows
from store.areas.layer_versions import add_version, any_layers, delete_old_polygons, load_features, set_used
from store.areas.polygon_file import open_polygons
from store.chain_settings import read_chain_values
from store.jobs.queue import add_job
from store.layers.layer_impact import Effect, apply_effects, find_effects, impact_json
from store.schema.database import Session
from store.schema.tables import Layer, LayerVersion

Progress = Callable[[float], None]

USABLE = ("checked", "former")
"""States of a version that can be taken into use."""

_LOADED = 0.8  # share of the progress of loading; the rest is the comparison with open alerts


@dataclass(frozen=True)
class NewVersion:
    """A version that a person submits.

    Attributes:
        name: of the layer.
        area_code: it concerns alerts under this code; "": all.
        kind: of ``configs/layers.yaml``; "": proposed by the name of the file.
        dated: date of the data; None: unknown.
        options: how the file is read.
        who: login.
    """

    name: str
    area_code: str
    kind: str
    dated: dt.date | None
    options: LayerOptions
    who: str


def submit(context: Context, new: NewVersion, file: ReceivedFile, *, in_background: bool, address: str = "") -> int:
    """Add a version whose file is stored; return its id.

    Args:
        context: of the service.
        new: what it is.
        file: its file.
        in_background: load it by a job; otherwise the caller calls :func:`load`.
        address: IP address, for the audit log.

    Raises:
        SettingsError: unknown kind, or invalid name.
    """
    now = context.clock()
    kind = new.kind or read_layer_kinds().propose([Path(file.name).stem, new.name, new.options.table])
    with context.database.write() as session:
        version = add_version(
            session,
            name=new.name.strip(),
            area_code=new.area_code,
            kind=kind,
            dated=new.dated,
            file_name=file.name,
            options=new.options,
            who=new.who,
            now=now,
            sha256=file.sha256,
            size=file.size,
            object_key=file.object_key,
        )
        detail = {"version": version.number, "file": file.name, "sha256": file.sha256}
        _record(session, new.who, "loaded_layer", new.name, new.area_code, detail, now, address)
        if in_background:
            key = f"layers:load:{version.id}:"
            payload = {"version": version.id}
            add_job(session, kind="layers.load", queue="ingest", payload=payload, unique_key=key, now=now)
    return version.id


def load(context: Context, version_id: int, progress: Progress = lambda _share: None) -> Callable[[Session], None]:
    """Store the polygons of a version and find what it would change; return the function that writes the result.

    An unusable file is a result too: the version is ``failed``, with the reason.
    """
    with context.database.read() as session:
        version = session.get_one(LayerVersion, version_id)
        options = LayerOptions.from_json(version.options)
        months = read_chain_values(session).whole("layers.temporary_months")
    try:
        with opened_layer_file(context, version) as path:
            stream = open_polygons(path, options.table or None, options.crs)
            rows = LayerRows.of(stream, version.kind, options, months)
            load_features(context.database, version_id, rows, progress=lambda share: progress(_LOADED * share))
    except TubanError as error:
        reason = error.reason
        return lambda session: _set_failed(session, version_id, reason)
    with context.database.read() as session:
        effects = _effects_of(context, session, version_id, lambda s: progress(_LOADED + (1 - _LOADED) * s))
    return lambda session: _set_checked(session, version_id, impact_json(effects))


def request_use(context: Context, version_id: int, who: str, address: str = "") -> None:
    """Take a version into use by a job.

    Raises:
        SettingsError: it is not loaded, in use already, or its polygons were deleted.
    """
    now = context.clock()
    with context.database.write() as session:
        version = session.get_one(LayerVersion, version_id, with_for_update=True)
        check_usable(version)
        layer = session.get_one(Layer, version.layer_id)
        version.state, version.used_by = "using", who
        _record(session, who, "used_layer", layer.name, layer.area_code, {"version": version.number}, now, address)
        key = f"layers:use:{version_id}:{version.used_at or ''}"  # once after each former use
        payload = {"version": version_id, "who": who}
        add_job(session, kind="layers.use", queue="ingest", payload=payload, unique_key=key, now=now)


def check_usable(version: LayerVersion) -> None:
    """Check that a version can be taken into use.

    Raises:
        SettingsError: see :func:`request_use`.
    """
    if version.state not in USABLE:
        message = f"Version {version.number} is {version.state}; it cannot be taken into use."
        state = Reason(version.state, f"layer_state.{version.state}")
        raise SettingsError(message, "layer.not_ready", number=version.number, state=state)
    if not version.kept:
        message = f"The polygons of version {version.number} were deleted; load its file again."
        raise SettingsError(message, "layer.polygons_gone", number=version.number)


def use(
    context: Context, version_id: int, who: str, progress: Progress = lambda _share: None
) -> Callable[[Session], list[Effect]]:
    """Compare open alerts with a version; return the function that takes it into use and writes what it changes."""
    with context.database.read() as session:
        effects = _effects_of(context, session, version_id, progress)

    def write(session: Session) -> list[Effect]:
        now = context.clock()
        version = session.get_one(LayerVersion, version_id, populate_existing=True)
        layer = session.get_one(Layer, version.layer_id, populate_existing=True)
        set_used(session, version, who=who, now=now, today=context.today, applied={})
        applied = apply_effects(
            session,
            effects,
            Land.read(session),
            context.settings,
            now,
            why_covered=lambda approval: _covered(layer, version, approval),
            why_uncovered=Reason(
                f"approvals no longer cover it since version {version.number} of {layer.name}",
                "layer.uncovered",
                layer=layer.name,
                version=version.number,
            ),
            evidence={"layer": layer.name, "version": version.number, "file_sha256": version.sha256, "by": who},
        )
        version.applied = impact_json(applied)
        delete_old_polygons(session, layer.id, read_chain_values(session).whole("layers.keep_versions"))
        return applied

    return write


def discard(context: Context, version_id: int, who: str, address: str = "") -> None:
    """Discard a version that is not used; its file and row are kept.

    Raises:
        SettingsError: it is in use, was in use, or is being loaded.
    """
    now = context.clock()
    with context.database.write() as session:
        version = session.get_one(LayerVersion, version_id, with_for_update=True)
        if version.state not in ("checked", "failed"):
            state = Reason(version.state, f"layer_state.{version.state}")
            message = f"Version {version.number} is {version.state}; only a version that was never used is discarded."
            raise SettingsError(message, "layer.not_discarded", number=version.number, state=state)
        version.state = "discarded"
        layer = session.get_one(Layer, version.layer_id)
        _record(session, who, "discarded_layer", layer.name, layer.area_code, {"version": version.number}, now, address)
        delete_old_polygons(session, layer.id, read_chain_values(session).whole("layers.keep_versions"))


def return_ended(context: Context, progress: Progress = lambda _share: None) -> Callable[[Session], list[Effect]]:
    """Find suppressed alerts whose approvals have ended; return the function that returns them to the queue."""
    with context.database.read() as session:
        land = Land.read(session)
        found = find_effects(session, land, context.settings, context.today, only_suppressed=True, progress=progress)
    ended = [effect for effect in found if effect.outcome == "uncovered"]

    def write(session: Session) -> list[Effect]:
        now = context.clock()
        return [
            applied
            for effect in ended
            for applied in apply_effects(
                session,
                [effect],
                Land.read(session),
                context.settings,
                now,
                why_covered=lambda approval: Reason.combine([approval]),
                why_uncovered=_ended(effect),
                evidence={"checked_on": context.today.isoformat()},
            )
        ]

    return write


def add_ended_job(session: Session, day: dt.date, now: dt.datetime) -> int | None:
    """Add the daily job that looks for ended approvals, if there are any layers."""
    if not any_layers(session):
        return None
    key = f"layers:ended:{day}"
    return add_job(session, kind="layers.ended", queue="ingest", payload={}, unique_key=key, now=now)


def _effects_of(context: Context, session: Session, version_id: int, progress: Progress) -> list[Effect]:
    version = session.get_one(LayerVersion, version_id)
    layer = session.get_one(Layer, version.layer_id)
    land = Land.read(session, {layer.id: version.number})
    return find_effects(session, land, context.settings, context.today, area_code=layer.area_code, progress=progress)


def _covered(layer: Layer, version: LayerVersion, approval: str) -> Reason:
    message = f"version {version.number} of {layer.name} in use: {approval}"
    return Reason(message, "layer.covers", layer=layer.name, version=version.number, reason=approval)


def _ended(effect: Effect) -> Reason:
    names = sorted(
        f"{entry['number'] or entry['layer']} ({entry['to']})"
        for entry in effect.overlaps
        if entry.get("to") and entry["share"] > 0
    )
    listed = "、".join(names) or "–"
    return Reason(f"the approval has ended: {', '.join(names) or '–'}", "layer.ended", names=listed)


def _set_failed(session: Session, version_id: int, reason: Reason) -> None:
    version = session.get_one(LayerVersion, version_id)
    version.state, version.error, version.why = "failed", str(reason), reason.to_json()
    delete_old_polygons(session, version.layer_id, 1_000_000)


def _set_checked(session: Session, version_id: int, preview: dict[str, Any]) -> None:
    version = session.get_one(LayerVersion, version_id)
    version.state, version.preview, version.error, version.why = "checked", preview, "", {}


def _record(
    session: Session,
    who: str,
    what: str,
    name: str,
    code: str,
    detail: dict[str, Any],
    now: dt.datetime,
    address: str,
) -> None:
    record_action(session, who=who, what=what, about=name, code=code, detail=detail, now=now, address=address)
