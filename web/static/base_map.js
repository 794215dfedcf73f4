// The intranet's base map: XYZ tiles, or a WMTS by its capabilities document.

const PLACEHOLDERS = { TileMatrix: "z", TileRow: "y", TileCol: "x" };

/** Register EPSG:4490, which most WMTS of bureaus use and OpenLayers does not define. */
function registerEpsg4490() {
  if (ol.proj.get("EPSG:4490")) return;
  ol.proj.addProjection(new ol.proj.Projection({ code: "EPSG:4490", units: "degrees", axisOrientation: "neu", metersPerUnit: (Math.PI * 6378137) / 180, extent: [-180, -90, 180, 90], global: true }));
  ol.proj.addCoordinateTransforms("EPSG:4490", "EPSG:3857", (place) => ol.proj.fromLonLat(place), (place) => ol.proj.toLonLat(place));
}

/** Correct capabilities like those of the national map service: scales for 96 dpi instead of 0.28 mm, and swapped corners. */
function normalizeCapabilities(capabilities) {
  for (const { TileMatrix } of capabilities.Contents.TileMatrixSet) {
    for (const matrix of TileMatrix) {
      const level = Math.log2(295829355.4545656 / matrix.ScaleDenominator);
      if (Math.abs(level - Math.round(level)) < 1e-3) matrix.ScaleDenominator *= 279541132.0143589 / 295829355.4545656;
      const [first, second] = matrix.TopLeftCorner;
      if (first > 1e6 && second < -1e6) matrix.TopLeftCorner = [second, first];
    }
  }
  return capabilities;
}

async function createSource({ wmts_url: address, layer, matrix_set: matrixSet, format, attribution, max_zoom: maxZoom }) {
  let url = address;
  for (const [name, letter] of Object.entries(PLACEHOLDERS)) url = url.replaceAll(new RegExp(`\\{${name}\\}`, "gi"), `{${letter}}`);
  if (url.includes("{z}")) return new ol.source.XYZ({ url, maxZoom, attributions: attribution });
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status}`);
  registerEpsg4490();
  const selection = { layer, format, ...(matrixSet ? { matrixSet } : {}) };
  const options = ol.source.WMTS.optionsFromCapabilities(normalizeCapabilities(new ol.format.WMTSCapabilities().read(await response.text())), selection);
  return new ol.source.WMTS({ ...options, attributions: attribution });
}

/** Add the base map below all layers, shown while the checkbox is checked; throws if it is unavailable or invalid. */
export async function addBaseMap(map, settings, box) {
  const base = new ol.layer.Tile({ source: await createSource(settings), zIndex: 0 });
  map.addLayer(base);
  base.setVisible(box.checked);
  box.addEventListener("change", () => base.setVisible(box.checked));
}
