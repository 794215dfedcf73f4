// Distances on the map. OpenLayers is loaded by the page as a script (`ol`).

const GEOJSON = () => new ol.format.GeoJSON();

export const toMercator = (geometry) => GEOJSON().readGeometry(geometry, { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" });

/** Return the distance in metres from a place in degrees to an outline (GeoJSON), 0 inside. */
export function distanceToOutline(outline, lon, lat) {
  const geometry = toMercator(outline);
  const place = ol.proj.fromLonLat([lon, lat]);
  if (geometry.intersectsCoordinate(place)) return 0;
  return ol.sphere.getDistance([lon, lat], ol.proj.toLonLat(geometry.getClosestPoint(place)));
}

export const distanceBetween = (one, other) => ol.sphere.getDistance(one, other);
