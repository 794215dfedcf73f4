// Draw the alert of a tip or of a patrol's finding: a polygon, or a point with a radius.
import { formatArea, areaOf } from "./measure.js";
import { fill, notice, post, request, root } from "./tuban.js";

/** Wire the form `form` to the map `places`; `start`: {lon, lat} or null. */
export function drawAlert(form, places, texts, start) {
  let corners = null;
  let point = start;
  const said = form.querySelector("[data-part=drawn]");
  const radius = form.elements.radius_m;
  const show = () => {
    if (corners) said.textContent = fill(texts.drawn, { area: formatArea(areaOf(corners), texts.mu) });
    else if (point) said.textContent = fill(texts.point, { lon: point.lon.toFixed(6), lat: point.lat.toFixed(6), radius: radius.value });
    else said.textContent = texts.choose;
    if (!corners && point) places.showPlace(point.lon, point.lat, Number(radius.value), false);
  };
  form.querySelector("[data-act=draw]").addEventListener("click", () => {
    said.textContent = texts.drawing;
    places.draw("Polygon", (drawn) => {
      corners = drawn;
      show();
    });
  });
  form.querySelector("[data-act=clear]").addEventListener("click", () => {
    places.clearDrawing();
    corners = null;
    show();
  });
  radius.addEventListener("input", show);
  const findTyped = async () => {
    const text = form.elements.coordinates.value.trim();
    if (!text) return;
    try {
      const place = await request(`${root}/map/goto?${new URLSearchParams({ text })}`);
      point = { lon: place.lon, lat: place.lat };
      places.showPlace(point.lon, point.lat, Number(radius.value));
      show();
    } catch (error) {
      notice(error.message);
    }
  };
  if (form.elements.coordinates) {
    form.elements.coordinates.addEventListener("change", findTyped);
    findTyped(); // coordinates typed before this script ran
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!corners && !point) return notice(texts.choose, "warn");
    const values = {
      kind: form.elements.kind.value,
      radius_m: Number(radius.value),
      alert: form.elements.alert.value.trim(),
      always_new: form.elements.always_new.checked,
      ...(form.elements.with_files ? { with_files: form.elements.with_files.checked } : {}),
      ...(corners ? { corners } : point),
    };
    const button = form.querySelector("button.primary");
    button.disabled = true;
    try {
      const { number, new: created } = await post(form.dataset.address, values);
      notice(fill(created ? texts.created : texts.joined, { number }), "good");
      setTimeout(() => location.reload(), 600);
    } catch (error) {
      notice(error.message);
      button.disabled = false;
    }
    return undefined;
  });
  show();
  return (lon, lat) => {
    point = { lon, lat };
    show();
  };
}
