"""A tip with an attachment in quarantine, and a patrol with a track and a finding, of one village."""

from __future__ import annotations

from enforcement.patrols.track import drawn_track
from service.context import Context
from store.chain_settings import change_chain_setting
from store.evidence.evidence_files import QUARANTINE, Owner, ReceivedFile, add_file, new_uid
from store.patrols.patrol_records import NewPatrol, add_patrol
from store.tips.informant_key import Informant, informant_key
from store.tips.tip_steps import NewTip, add_tip
from tests.store.sample_rows import ground
from tests.web.people import NOW

_CENTRE = ground(1060, 60, 1100, 100).centroid
PLACE_B = f"lon={_CENTRE.x:.7f}&lat={_CENTRE.y:.7f}"
"""The alert of village B, as a query."""


def add_tip_and_patrol(context: Context, code: str, login: str) -> dict[str, str]:
    """Add both, and let villages handle tips; return the values of path parameters."""
    key = informant_key(context.settings)
    context.objects.put("files/aa/tip.pdf", b"%PDF-1.4")
    context.objects.put("patrols/aa/track.gpx", b"<gpx/>")
    with context.database.write() as session:
        change_chain_setting(session, "tips.registrar", "village", who="admin", now=NOW)
        change_chain_setting(session, "public.form", True, who="admin", now=NOW)
        tip = add_tip(
            session,
            NewTip("hotline", "flight b is being built over", code, lon=_CENTRE.x, lat=_CENTRE.y, radius_m=20),
            Informant("village_b's informant", "13800138000"),
            key,
            origin="desk",
            who=login,
            now=NOW,
            settings=context.settings,
        )
        received = ReceivedFile(new_uid(), "document", "files/aa/tip.pdf", "0" * 64, 8, "application/pdf", "a.pdf")
        file = add_file(session, received, Owner(kind="tip", id=tip.id), who="", now=NOW, state=QUARANTINE)
        patrol = add_patrol(
            session,
            NewPatrol(code, NOW.date(), people="village_b", found=True, findings=[{"project": "flight b"}]),
            drawn_track([(_CENTRE.x, _CENTRE.y), (_CENTRE.x, _CENTRE.y + 0.001)]),
            track_source="gpx",
            track_key="patrols/aa/track.gpx",
            track_sha256="0" * 64,
            who=login,
            now=NOW,
            settings=context.settings,
        )
        return {"tip_id": str(tip.id), "file_uid": file.uid, "patrol_id": str(patrol.id)}
