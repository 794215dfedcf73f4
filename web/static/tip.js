// One tip: its place on the map, and the alert that it becomes.
import { drawAlert } from "./found_alert.js";
import { PlaceMap } from "./place_map.js";
import { pageTexts } from "./tuban.js";

const settings = JSON.parse(document.getElementById("map-settings").textContent);
const form = document.querySelector("form.found");
let move = null;
const places = new PlaceMap("place-map", settings, (lon, lat) => {
  if (!move) return;
  places.showPlace(lon, lat, Number(form.elements.radius_m.value), false);
  move(lon, lat);
});
if (settings.place) places.showPlace(...settings.place);
if (form) move = drawAlert(form, places, pageTexts(), settings.place ? { lon: settings.place[0], lat: settings.place[1] } : null);
window.placeMap = places; // for tests
