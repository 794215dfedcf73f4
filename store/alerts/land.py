"""Land layers as alerts are compared with them: the versions in use, or others, to see what they would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.overlaps import LandFeature, LandLayer
from store.areas.layers import features_of_versions
from store.schema.tables import Layer, LayerVersion


@dataclass(frozen=True)
class UsedLayer:
    """One version of a layer.

    Attributes:
        layer_id: id of the layer.
        area_code: it concerns alerts under this code; "": all.
        layer: name, kind, date and version.
    """

    layer_id: int
    area_code: str
    layer: LandLayer


@dataclass(frozen=True)
class Land:
    """All layers that alerts are compared with.

    Attributes:
        layers: one version of each.
    """

    layers: Sequence[UsedLayer]

    @classmethod
    def read(cls, session: Session, instead: Mapping[int, int] | None = None) -> Land:
        """Return the versions in use.

        Args:
            session: a transaction.
            instead: layer id → version that replaces the one in use.
        """
        found = []
        for layer in session.scalars(select(Layer).order_by(Layer.id)):
            number = (instead or {}).get(layer.id, layer.version)
            if not number:
                continue
            kind, dated = layer.kind, layer.dated
            if number != layer.version:
                row = session.scalars(
                    select(LayerVersion).where(LayerVersion.layer_id == layer.id, LayerVersion.number == number)
                ).one()
                kind, dated = row.kind, row.dated
            found.append(UsedLayer(layer.id, layer.area_code, LandLayer(layer.name, kind, dated, number)))
        return cls(found)

    def layers_at(self, code: str) -> list[LandLayer]:
        """Return the layers that concern alerts of an area."""
        return [used.layer for used in self.layers if code.startswith(used.area_code)]

    def features(self, session: Session, outline: BaseGeometry, code: str) -> list[LandFeature]:
        """Return the polygons that intersect an outline of an area, in longitude and latitude."""
        used = {each.layer_id: each.layer for each in self.layers if code.startswith(each.area_code)}
        versions = {layer_id: layer.version for layer_id, layer in used.items()}
        return [
            LandFeature(
                used[feature.layer_id].layer,
                feature.kind or used[feature.layer_id].kind,
                used[feature.layer_id].dated,
                feature.number,
                feature.valid_from,
                feature.valid_to,
                feature.outline,
                feature.version,
            )
            for feature in features_of_versions(session, outline, versions)
        ]
