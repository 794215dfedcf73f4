// One patrol record: its track with gaps, and the alerts of what was found.
import { drawAlert } from "./found_alert.js";
import { PlaceMap } from "./place_map.js";
import { pageTexts } from "./tuban.js";

const settings = JSON.parse(document.getElementById("map-settings").textContent);
let move = null;
const places = new PlaceMap("place-map", settings, (lon, lat) => {
  if (!move) return;
  places.showPlace(lon, lat, Number(document.querySelector("[data-open] [name=radius_m]").value), false);
  move(lon, lat);
});
if (settings.track?.length) places.showTrack(settings.track, settings.gaps);
for (const details of document.querySelectorAll("details[data-finding]")) {
  const form = details.querySelector("form");
  let own = null;
  details.addEventListener("toggle", () => {
    delete details.dataset.open;
    if (!details.open) return;
    for (const other of document.querySelectorAll("details[data-finding]")) if (other !== details) other.open = false;
    details.dataset.open = "";
    own ??= drawAlert(form, places, pageTexts(), null);
    move = own;
  });
}
window.placeMap = places; // for tests
