// Fill in the own position in the public form; the form works without this script.
import { pageTexts } from "./tuban.js";

const texts = pageTexts();
const button = document.getElementById("here");
const said = document.getElementById("here-said");
if (button && "geolocation" in navigator && window.isSecureContext) {
  button.hidden = false;
  button.addEventListener("click", () => {
    said.textContent = texts.locating;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        document.querySelector("[name=coordinates]").value = `${coords.longitude.toFixed(6)}, ${coords.latitude.toFixed(6)}`;
        said.textContent = texts.located.replace("{metres}", Math.round(coords.accuracy));
      },
      () => {
        said.textContent = texts.not_located;
      },
      { enableHighAccuracy: true, timeout: 20000 },
    );
  });
}
