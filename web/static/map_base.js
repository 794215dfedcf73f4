// The intranet's own map behind everything else: tiles by address, or a WMTS by its capabilities.

const LETTERS = { TileMatrix: "z", TileRow: "y", TileCol: "x" };

/** China's own degrees, in which most WMTS of a bureau are cut; OpenLayers does not know them by itself. */
function knowChina() {
  if (ol.proj.get("EPSG:4490")) return;
  ol.proj.addProjection(new ol.proj.Projection({ code: "EPSG:4490", units: "degrees", axisOrientation: "neu", metersPerUnit: (Math.PI * 6378137) / 180, extent: [-180, -90, 180, 90], global: true }));
  ol.proj.addCoordinateTransforms("EPSG:4490", "EPSG:3857", (place) => ol.proj.fromLonLat(place), (place) => ol.proj.toLonLat(place));
}

/** Scales of the national map service count pixels of 96 to the inch, not of 0.28 mm, and its corners are written north first. */
function mend(capabilities) {
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

async function sourceOf({ wmts_url: address, layer, matrix_set: matrixSet, format, attribution, max_zoom: maxZoom }) {
  let url = address;
  for (const [name, letter] of Object.entries(LETTERS)) url = url.replaceAll(new RegExp(`\\{${name}\\}`, "gi"), `{${letter}}`);
  if (url.includes("{z}")) return new ol.source.XYZ({ url, maxZoom, attributions: attribution });
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status}`);
  knowChina();
  const asked = { layer, format, ...(matrixSet ? { matrixSet } : {}) };
  const options = ol.source.WMTS.optionsFromCapabilities(mend(new ol.format.WMTSCapabilities().read(await answer.text())), asked);
  return new ol.source.WMTS({ ...options, attributions: attribution });
}

/** Lay it under all; the box says whether it is shown. Fails where it cannot be understood or reached. */
export async function background(map, settings, box) {
  const base = new ol.layer.Tile({ source: await sourceOf(settings), zIndex: 0 });
  map.addLayer(base);
  base.setVisible(box.checked);
  box.addEventListener("change", () => base.setVisible(box.checked));
}
