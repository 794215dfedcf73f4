// A new patrol record: its GPX file or drawn line, and up to five places that were found.
import { formatLength, lengthOf } from "./measure.js";
import { PlaceMap } from "./place_map.js";
import { fill, notice, pageTexts, post, root } from "./tuban.js";

const texts = pageTexts();
const form = document.getElementById("patrol-form");
const settings = JSON.parse(document.getElementById("map-settings").textContent);
const places = new PlaceMap("place-map", settings, null);
const said = document.getElementById("track-said");
const clientId = crypto.randomUUID?.() ?? String(Math.random()).slice(2) + Date.now();
let line = null;
let gpx = "";

document.getElementById("draw-line").addEventListener("click", () => {
  said.textContent = texts.drawing;
  places.draw("LineString", (drawn) => {
    line = drawn;
    gpx = "";
    form.elements.file.value = "";
    said.textContent = fill(texts.line, { length: formatLength(lengthOf(drawn)) });
  });
});
document.getElementById("clear-line").addEventListener("click", () => {
  places.clearDrawing();
  line = null;
  said.textContent = texts.no_track;
});
form.elements.file.addEventListener("change", async ({ target }) => {
  gpx = target.files[0] ? await target.files[0].text() : "";
  if (!gpx) return;
  line = null;
  places.clearDrawing();
  const found = new ol.format.GPX().readFeatures(gpx, { featureProjection: "EPSG:3857" }).filter((one) => one.getGeometry().getType() !== "Point");
  places.drawn.getSource().addFeatures(found.flatMap((one) => (one.getGeometry().getLineStrings?.() ?? [one.getGeometry()]).map((part) => new ol.Feature(part))));
  if (found.length) places.view.fit(places.drawn.getSource().getExtent(), { size: places.map.getSize(), padding: [40, 40, 40, 40], maxZoom: 17 });
  said.textContent = found.length ? fill(texts.file, { name: target.files[0].name }) : texts.not_gpx;
});

const blocks = [...form.querySelectorAll("[data-finding]")];
const add = document.getElementById("add-finding");
function showFindings() {
  const found = form.elements.found.value === "true";
  document.getElementById("findings").hidden = !found;
  if (found && blocks.every((block) => block.hidden)) blocks[0].hidden = false;
  add.hidden = blocks.every((block) => !block.hidden);
}
for (const radio of form.querySelectorAll("[name=found]")) radio.addEventListener("change", showFindings);
add.addEventListener("click", () => {
  const next = blocks.find((block) => block.hidden);
  if (next) next.hidden = false;
  next?.querySelector("input").focus();
  showFindings();
});
showFindings();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const found = form.elements.found.value === "true";
  const findings = found
    ? blocks
        .filter((block) => !block.hidden)
        .map((block) => Object.fromEntries([...block.querySelectorAll("input")].map((input) => [input.dataset.name, input.value.trim()])))
        .filter((values) => Object.values(values).some(Boolean))
    : [];
  const text = (name) => form.elements[name].value.trim();
  const values = Object.fromEntries(["area", "day", "unit", "region", "people", "route", "approvals", "opinion", "remarks"].map((name) => [name, text(name)]));
  const button = form.querySelector("button.primary");
  button.disabled = true;
  try {
    const { id } = await post(`${root}/patrols`, { ...values, found, findings, gpx, client_id: clientId, ...(line ? { line } : {}) });
    location.assign(`${root}/patrols/${id}`);
  } catch (error) {
    notice(error.message);
    button.disabled = false;
  }
});
window.placeMap = places; // for tests
