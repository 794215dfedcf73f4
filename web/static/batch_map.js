// Map of a batch: footprints of its scenes, and of raw photos with their position error; updated as files are processed.
import { notice, request, root } from "./tuban.js";

const box = document.getElementById("batch-map");
const empty = document.getElementById("no-footprints");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const footprintSource = new ol.source.Vector();
const footprints = new ol.layer.Vector({
  source: footprintSource,
  declutter: true,
  style: (feature) => [
    new ol.style.Style({
      stroke: new ol.style.Stroke({ color: colour("--accent"), width: 2 }),
      fill: new ol.style.Fill({ color: `${colour("--accent")}26` }),
      text: new ol.style.Text({
        text: feature.get("name").split("/").pop(),
        overflow: true,
        font: "13px system-ui, sans-serif",
        fill: new ol.style.Fill({ color: colour("--ink") }),
        stroke: new ol.style.Stroke({ color: colour("--card"), width: 3 }),
      }),
    }),
  ],
});
const photoStyles = {
  reference: { colour: "--good" },
  neighbours: { colour: "--warn" },
  nothing: { colour: "--bad", dash: [6, 4] },
};
const legend = document.getElementById("photo-legend");
const photoSource = new ol.source.Vector();
const photos = new ol.layer.Vector({
  source: photoSource,
  declutter: true,
  style: (feature) => {
    const style = photoStyles[feature.get("tied")] ?? { colour: "--muted", dash: [2, 4] };
    const error = feature.get("error_m");
    return new ol.style.Style({
      stroke: new ol.style.Stroke({ color: colour(style.colour), width: 1.5, lineDash: style.dash }),
      text: new ol.style.Text({
        text: error === null ? "" : `±${error < 10 ? Math.max(0.1, error).toFixed(1) : Math.round(error)} m`,
        overflow: true,
        textBaseline: "top",
        offsetY: 8,
        font: "11px system-ui, sans-serif",
        fill: new ol.style.Fill({ color: colour(style.colour) }),
        stroke: new ol.style.Stroke({ color: colour("--card"), width: 3 }),
      }),
    });
  },
});
const map = new ol.Map({
  target: box,
  layers: [footprints, photos],
  controls: ol.control.defaults.defaults({ attribution: false, zoomOptions: { zoomInTipLabel: document.body.dataset.zoomIn, zoomOutTipLabel: document.body.dataset.zoomOut } }).extend([new ol.control.ScaleLine()]),
  view: new ol.View({ center: ol.proj.fromLonLat([105, 35]), zoom: 4, maxZoom: 24 }),
});

let drawnCount = -1;

async function draw() {
  const placed = Number(document.getElementById("batch-files")?.dataset.placed ?? 0);
  if (placed === drawnCount) return;
  drawnCount = placed;
  try {
    const [scenes, photoFeatures] = await Promise.all(
      ["footprints", "photos"].map((part) => request(`${root}/api/batches/${box.dataset.batch}/${part}`)),
    );
    for (const [source, features] of [[footprintSource, scenes], [photoSource, photoFeatures]]) {
      source.clear();
      source.addFeatures(new ol.format.GeoJSON().readFeatures(features, { featureProjection: "EPSG:3857" }));
    }
    box.dataset.drawn = footprintSource.getFeatures().length;
    box.dataset.photos = photoSource.getFeatures().length;
    legend.hidden = photoSource.getFeatures().length === 0;
    empty.hidden = footprintSource.getFeatures().length + photoSource.getFeatures().length > 0;
    box.hidden = !empty.hidden;
    if (!box.hidden) {
      const extent = ol.extent.extend(ol.extent.createEmpty(), footprintSource.getExtent());
      ol.extent.extend(extent, photoSource.getExtent());
      map.updateSize();
      map.getView().fit(extent, { padding: [40, 40, 40, 40], maxZoom: 20 });
    }
  } catch (error) {
    drawnCount = -1;
    notice(error.message);
  }
}

function recolour() {
  footprints.changed();
  photos.changed();
}

document.addEventListener("htmx:afterSettle", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
document.getElementById("theme")?.addEventListener("click", recolour);
draw();
