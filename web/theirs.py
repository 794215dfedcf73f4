"""Leads and scenes that a person asks for: theirs, or answered as if they were not there."""

from __future__ import annotations

from sqlalchemy.orm import Session

from store.alert_search import alert_by_number
from store.image_search import scene_seen
from store.rights import Viewer
from store.tables import Alert, SceneRow
from web.refusals import NotFound


def lead_of(session: Session, viewer: Viewer, number: str) -> Alert:
    """The lead of that number.

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
    scene = scene_seen(session, viewer, scene_id)
    if scene is None:
        raise NotFound
    return scene
