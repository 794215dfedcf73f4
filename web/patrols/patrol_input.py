"""Fields of a patrol record, and its track: a GPX file or a drawn line."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Annotated

from fastapi import Request
from pydantic import Field

from enforcement.patrols.track import Track, drawn_track, read_gpx
from errors import Reason, SettingsError
from service.context import Context
from store.access.rights import Viewer, may_see
from store.chain_settings import read_chain_values
from store.patrols.patrol_records import MAX_FINDINGS, NewPatrol, add_patrol
from store.schema.chain.tip_tables import PatrolRow
from web.auth.audit_log import log_action
from web.http_errors import InvalidInput
from web.plain_text import PlainModel

Long = Annotated[str, Field(max_length=2000)]
Short = Annotated[str, Field(max_length=300)]

MOST_LINE_POINTS = 5000


class FindingInput(PlainModel):
    """A place that was found (建设项目)."""

    project: Annotated[Short, Field(description="建设项目")] = ""
    party: Annotated[Short, Field(description="建设单位")] = ""
    started: Annotated[Short, Field(description="动工时间")] = ""
    works: Annotated[Short, Field(description="建设情况")] = ""
    area_mu: Annotated[Short, Field(description="占地面积（亩）")] = ""
    place: Annotated[Short, Field(description="占地位置")] = ""
    notice_state: Annotated[Short, Field(description="抄告单状态")] = ""


class PatrolInput(PlainModel):
    """Fields of 巡查日志."""

    area: Annotated[str, Field(max_length=12, description="administrative code; empty: the user's own")] = ""
    day: Annotated[dt.date, Field(description="巡查日期")]
    unit: Annotated[str, Field(max_length=200, description="巡查单位")] = ""
    region: Annotated[str, Field(max_length=300, description="巡查区域")] = ""
    people: Annotated[str, Field(max_length=300, description="巡查人员")] = ""
    route: Annotated[Long, Field(description="巡查路线")] = ""
    found: Annotated[bool, Field(description="是否发现疑似变化")] = False
    findings: list[FindingInput] = Field(default=[], max_length=MAX_FINDINGS)
    approvals: Annotated[Long, Field(description="项目建设及用地手续审批情况")] = ""
    opinion: Annotated[Long, Field(description="处理意见")] = ""
    remarks: Long = ""
    line: Annotated[
        list[tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]]] | None,
        Field(max_length=MOST_LINE_POINTS, description="drawn route, longitude and latitude"),
    ] = None
    gpx: Annotated[str, Field(max_length=1_900_000, description="content of a GPX file")] = ""
    client_id: Annotated[
        str | None, Field(max_length=64, min_length=8, description="made by the client; a repetition adds nothing")
    ] = None


def register_patrol(request: Request, context: Context, viewer: Viewer, given: PatrolInput) -> PatrolRow:
    """Add a patrol record and return it. A GPX file is kept as received.

    Raises:
        InvalidInput: the area is not the user's.
        SettingsError: a field is invalid.
        TrackError: the track cannot be read.
    """
    code = given.area.strip() or viewer.code
    if code and not (code.isascii() and code.isdigit()):
        raise SettingsError(
            f"{code[:12]!r} is not an administrative code; expected digits.", "tip.area", given=code[:12]
        )
    if not may_see(viewer, code):
        raise InvalidInput(Reason("The area is not yours.", "patrol.elsewhere"))
    with context.database.read() as session:
        values = read_chain_values(session)
    track: Track | None = None
    source, key, sha256 = "", "", ""
    if given.gpx.strip():
        data = given.gpx.encode()
        track = read_gpx(
            data,
            gap_seconds=values.number("patrol.gap_minutes") * 60,
            gap_m=values.whole("patrol.gap_m"),
            most_bytes=int(values.number("patrol.gpx_mib") * 2**20),
        )
        sha256 = hashlib.sha256(data).hexdigest()
        source, key = "gpx", f"patrols/{sha256[:2]}/{sha256}.gpx"
        context.objects.put(key, data)
    elif given.line:
        track, source = drawn_track(given.line), "drawn"
    with context.database.write() as session:
        row = add_patrol(
            session,
            NewPatrol(
                area_code=code,
                day=given.day,
                unit=given.unit,
                region=given.region,
                people=given.people,
                route=given.route,
                found=given.found,
                approvals=given.approvals,
                opinion=given.opinion,
                remarks=given.remarks,
                client_id=given.client_id,
                findings=[found.model_dump() for found in given.findings],
            ),
            track,
            track_source=source,
            track_key=key,
            track_sha256=sha256,
            who=viewer.login,
            now=context.clock(),
            settings=context.settings,
        )
        log_action(request, session, viewer, "added_patrol", about=row.number, code=row.area_code)
    return row
