"""Render tiles of one scene, or of the latest scenes of each place, in the format asked for."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any, Literal

import numpy as np
from PIL import Image

from service.context import Context
from store.access.rights import Viewer, may_see, visible_region
from store.objects.object_store import ObjectNotFound
from store.schema.tables import SceneRow
from store.views.map_scenes import scenes_in_box
from web.maps.region_mask import clip_to_region
from web.maps.tiles import TILE_PX, MercatorBox, Picture, degrees_of, read_tile, to_image

Suffix = Literal["png", "webp", "jpg"]
MEDIA_TYPES: dict[Suffix, str] = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}

_MOST_SCENES = 12
"""Scenes that one tile is composed of at most."""


def scenes_of_tile(
    session: Any, viewer: Viewer, bounds: MercatorBox, day: dt.date | None
) -> tuple[list[SceneRow], dict[int, Any]]:
    """Return the dated scenes that touch a tile, the latest first, and the region that clips each of them.

    Args:
        session: a read transaction.
        viewer: the current user.
        bounds: of the tile.
        day: only images up to this day; None: all.
    """
    scenes = scenes_in_box(session, viewer, degrees_of(bounds), until=day, limit=_MOST_SCENES)
    scenes = [scene for scene in scenes if scene.date is not None]
    foreign = [scene.id for scene in scenes if not may_see(viewer, scene.area_code)]
    region = visible_region(session, viewer) if foreign else None
    return scenes, dict.fromkeys(foreign, region)


def compose(context: Context, scenes: list[SceneRow], regions: dict[int, Any], bounds: MercatorBox) -> Picture | None:
    """Lay scenes over each other, the first one on top; None: none of them has data there."""
    result: Picture | None = None
    for scene in scenes:
        try:
            picture = read_tile(context, scene, bounds)
        except ObjectNotFound:
            continue
        if scene.id in regions:
            picture = clip_to_region(picture, bounds, regions[scene.id])
        if picture is None:
            continue
        if result is None:
            result = picture
        else:
            above = result.valid
            result = Picture(np.where(above[..., None], result.rgb, picture.rgb), above | picture.valid)
        if result.valid.all():
            break
    return result


def encode(picture: Picture | None, suffix: Suffix) -> bytes:
    """Encode a tile; transparent without data, in JPEG white."""
    out = io.BytesIO()
    if picture is None:
        picture = Picture(np.zeros((TILE_PX, TILE_PX, 3), np.uint8), np.zeros((TILE_PX, TILE_PX), np.bool_))
    if suffix == "jpg":
        rgb = np.where(picture.valid[..., None], picture.rgb, np.uint8(255))
        Image.fromarray(rgb).save(out, "JPEG", quality=85)
    elif suffix == "webp":
        to_image(picture).save(out, "WEBP", quality=85, method=1)
    else:
        to_image(picture).save(out, "PNG", compress_level=3)
    return out.getvalue()
