"""Who reads tips, and look-ups of tips with the user's rights.

A tip may concern the village committee itself: below the level that registers tips, they are reported as not found.
"""

from __future__ import annotations

from enforcement.chain_settings import ChainValues
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.schema.chain.tip_tables import TipRow
from store.schema.database import Session
from store.tips.tip_search import visible_tip
from store.tips.tip_steps import may_read_tips
from web.http_errors import Forbidden, NotFound


def check_reader(session: Session, viewer: Viewer) -> ChainValues:
    """Return the chain settings if a user reads tips.

    Raises:
        Forbidden: they do not.
    """
    values = read_chain_values(session)
    if not may_read_tips(viewer, values):
        raise Forbidden("tips.not_yours")
    return values


def tip_of(session: Session, viewer: Viewer, tip_id: int, *, lock: bool = False) -> TipRow:
    """Return a tip; with ``lock`` for a change.

    Raises:
        NotFound: it does not exist, or the user may not see it.
    """
    tip = visible_tip(session, viewer, tip_id, lock=lock)
    if tip is None or not may_read_tips(viewer, read_chain_values(session)):
        raise NotFound
    return tip
