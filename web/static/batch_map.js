// Outlines of a batch's placed images on a small map, drawn anew when there are more of them.
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
const map = new ol.Map({
  target: box,
  layers: [outlines],
  controls: ol.control.defaults.defaults({ attribution: false }).extend([new ol.control.ScaleLine()]),
  view: new ol.View({ center: ol.proj.fromLonLat([105, 35]), zoom: 4, maxZoom: 24 }),
});

let drawn = -1;

async function draw() {
  const placed = Number(document.getElementById("batch-files")?.dataset.placed ?? 0);
  if (placed === drawn) return;
  drawn = placed;
  try {
    const found = await ask(`/api/batches/${box.dataset.batch}/footprints`);
    places.clear();
    places.addFeatures(new ol.format.GeoJSON().readFeatures(found, { featureProjection: "EPSG:3857" }));
    box.dataset.drawn = places.getFeatures().length;
    empty.hidden = places.getFeatures().length > 0;
    box.hidden = !empty.hidden;
    if (!box.hidden) {
      map.updateSize();
      map.getView().fit(places.getExtent(), { padding: [40, 40, 40, 40], maxZoom: 20 });
    }
  } catch (error) {
    drawn = -1;
    notice(error.message);
  }
}

document.addEventListener("htmx:afterSettle", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => outlines.changed());
document.getElementById("theme")?.addEventListener("click", () => outlines.changed());
draw();
