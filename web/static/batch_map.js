// Outlines of a batch's placed images on a small map, and of raw photos with the error of each, drawn anew when there
// are more of them.
import { ask, notice } from "/static/tuban.js";

const box = document.getElementById("batch-map");
const empty = document.getElementById("no-footprints");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const places = new ol.source.Vector();
const outlines = new ol.layer.Vector({
  source: places,
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
const lines = {
  reference: { colour: "--good" },
  neighbours: { colour: "--warn" },
  nothing: { colour: "--bad", dash: [6, 4] },
};
const legend = document.getElementById("photo-legend");
const shots = new ol.source.Vector();
const photos = new ol.layer.Vector({
  source: shots,
  declutter: true,
  style: (feature) => {
    const line = lines[feature.get("tied")] ?? { colour: "--muted", dash: [2, 4] };
    const off = feature.get("error_m");
    return new ol.style.Style({
      stroke: new ol.style.Stroke({ color: colour(line.colour), width: 1.5, lineDash: line.dash }),
      text: new ol.style.Text({
        text: off === null ? "" : `±${off < 10 ? Math.max(0.1, off).toFixed(1) : Math.round(off)} m`,
        overflow: true,
        textBaseline: "top",
        offsetY: 8,
        font: "11px system-ui, sans-serif",
        fill: new ol.style.Fill({ color: colour(line.colour) }),
        stroke: new ol.style.Stroke({ color: colour("--card"), width: 3 }),
      }),
    });
  },
});
const map = new ol.Map({
  target: box,
  layers: [outlines, photos],
  controls: ol.control.defaults.defaults({ attribution: false }).extend([new ol.control.ScaleLine()]),
  view: new ol.View({ center: ol.proj.fromLonLat([105, 35]), zoom: 4, maxZoom: 24 }),
});

let drawn = -1;

async function draw() {
  const placed = Number(document.getElementById("batch-files")?.dataset.placed ?? 0);
  if (placed === drawn) return;
  drawn = placed;
  try {
    const [found, taken] = await Promise.all(
      ["footprints", "photos"].map((part) => ask(`/api/batches/${box.dataset.batch}/${part}`)),
    );
    for (const [source, features] of [[places, found], [shots, taken]]) {
      source.clear();
      source.addFeatures(new ol.format.GeoJSON().readFeatures(features, { featureProjection: "EPSG:3857" }));
    }
    box.dataset.drawn = places.getFeatures().length;
    box.dataset.photos = shots.getFeatures().length;
    legend.hidden = shots.getFeatures().length === 0;
    empty.hidden = places.getFeatures().length + shots.getFeatures().length > 0;
    box.hidden = !empty.hidden;
    if (!box.hidden) {
      const extent = ol.extent.extend(ol.extent.createEmpty(), places.getExtent());
      ol.extent.extend(extent, shots.getExtent());
      map.updateSize();
      map.getView().fit(extent, { padding: [40, 40, 40, 40], maxZoom: 20 });
    }
  } catch (error) {
    drawn = -1;
    notice(error.message);
  }
}

function recolour() {
  outlines.changed();
  photos.changed();
}

document.addEventListener("htmx:afterSettle", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
document.getElementById("theme")?.addEventListener("click", recolour);
draw();
