"""Look up alerts and scenes with the user's rights: what they may not see is reported as not found."""

from __future__ import annotations

from store.access.rights import Viewer
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
        raise NotFound
    return alert


def scene_of(session: Session, viewer: Viewer, scene_id: int) -> SceneRow:
    """Return the scene with this id, including its footprint.

    Raises:
        NotFound: it does not exist, or the user may not see it.
    """
    scene = visible_scene(session, viewer, scene_id)
    if scene is None:
        raise NotFound
    return scene
