"""Look up alerts and scenes with the user's rights: what they may not see is reported as not found."""

from __future__ import annotations

from store.access.rights import Viewer, may_see
from store.schema.database import Session
from store.schema.tables import AlertRow, SceneRow
from store.search.alert_search import alert_by_number
from store.search.image_search import visible_scene
from web.http_errors import NotFound


def alert_of(session: Session, viewer: Viewer, number: str) -> AlertRow:
    """Return the alert with this number.

    Raises:
        NotFound: it does not exist, or the user may not see it.
    """
    alert = alert_by_number(session, viewer, number)
    if alert is None:
        raise NotFound("error.no_alert")
    return alert


def whole_scene_of(session: Session, viewer: Viewer, scene_id: int) -> SceneRow:
    """Return the scene with this id if the user may see all of its ground.

    Raises:
        NotFound: it does not exist, was purged, or shows ground outside the user's area.
    """
    scene = scene_of(session, viewer, scene_id)
    if not may_see(viewer, scene.area_code):
        raise NotFound
    return scene


def scene_of(session: Session, viewer: Viewer, scene_id: int) -> SceneRow:
    """Return the scene with this id, including its footprint.

    Raises:
        NotFound: it does not exist, or the user may not see it.
    """
    scene = visible_scene(session, viewer, scene_id)
    if scene is None:
        raise NotFound
    return scene
