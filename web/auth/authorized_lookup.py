"""Alerts and scenes that a person asks for: theirs, or answered as if they were not there."""

from __future__ import annotations

from store.access.rights import Viewer
from store.schema.database import Session
from store.schema.tables import AlertRow, SceneRow
from store.search.alert_search import alert_by_number
from store.search.image_search import visible_scene
from web.http_errors import NotFound


def alert_of(session: Session, viewer: Viewer, number: str) -> AlertRow:
    """The alert of that number.

    Raises:
        NotFound: there is none, or it is not theirs.
    """
    alert = alert_by_number(session, viewer, number)
    if alert is None:
        raise NotFound
    return alert


def scene_of(session: Session, viewer: Viewer, scene_id: int) -> SceneRow:
    """The scene of that id, with its footprint.

    Raises:
        NotFound: there is none, or it is not theirs.
    """
    scene = visible_scene(session, viewer, scene_id)
    if scene is None:
        raise NotFound
    return scene
