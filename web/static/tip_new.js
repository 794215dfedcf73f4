// Registration of a tip: the place by a click, typed coordinates or an alert; nearby tips and the latest images at once.
import { PlaceMap } from "./place_map.js";
import { notice, request, root } from "./tuban.js";

const form = document.getElementById("tip-form");
const settings = JSON.parse(document.getElementById("map-settings").textContent);
const field = (name) => form.elements[name];
const places = new PlaceMap("place-map", settings, choose);

function choose(lon, lat, move = false) {
  field("lon").value = lon.toFixed(7);
  field("lat").value = lat.toFixed(7);
  field("coordinates").value = `${lon.toFixed(6)}, ${lat.toFixed(6)}`;
  places.showPlace(lon, lat, Number(field("radius_m").value) || 0, move);
  const query = `lon=${lon.toFixed(7)}&lat=${lat.toFixed(7)}`;
  htmx.ajax("GET", `${root}/tips/near?${query}`, { target: "#near", swap: "innerHTML" });
  htmx.ajax("GET", `${root}/places/pair?${query}`, { target: "#pair", swap: "innerHTML" });
}

async function findTyped() {
  const text = field("coordinates").value.trim();
  field("lon").value = field("lat").value = "";
  if (!text) return;
  const [lon] = ol.proj.toLonLat(places.view.getCenter());
  try {
    const place = await request(`${root}/map/goto?${new URLSearchParams({ text, lon })}`);
    choose(place.lon, place.lat, true);
  } catch (error) {
    notice(error.message);
  }
}
field("coordinates").addEventListener("change", findTyped);
if (!field("lon").value) findTyped(); // coordinates typed before this script ran
field("radius_m").addEventListener("input", () => {
  if (field("lon").value) places.showPlace(Number(field("lon").value), Number(field("lat").value), Number(field("radius_m").value), false);
});
field("handling").addEventListener("change", showAssignment);
field("anonymous").addEventListener("change", showInformant);
function showInformant() {
  document.getElementById("informant").hidden = field("anonymous").checked;
}
function showAssignment() {
  document.getElementById("assignment").hidden = field("handling").value !== "assign";
}
document.getElementById("near").addEventListener("click", (event) => {
  const { alert, tip } = event.target.dataset;
  if (alert) field("alert").value = alert;
  if (tip) field("duplicate_of").value = tip;
  if (alert || tip) notice(event.target.dataset.said, "good");
});
showAssignment();
showInformant();
window.placeMap = places; // for tests
