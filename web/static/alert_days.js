// An alert as of a day: a slider over the days of its images, which also changes the outline on both images.
import { createElement } from "./alert_panel.js";
import { fill, request } from "./tuban.js";

const toMercator = (geometry) => new ol.format.GeoJSON().readGeometry(geometry, { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" });

/** Show the closed section; its days are fetched when it is opened. */
export function showDays(place, alert, maps, t) {
  const details = createElement("details", {}, createElement("summary", {}, t.as_of_title));
  details.addEventListener("toggle", () => details.open && load(details, alert, maps, t), { once: true });
  place.replaceChildren(details);
}

async function load(details, alert, maps, t) {
  let days;
  try {
    ({ days } = await request(`${alert.address}/days`));
  } catch {
    return details.append(createElement("p", { class: "muted" }, t.as_of_failed));
  }
  if (!days.length) return details.append(createElement("p", { class: "muted" }, t.unknown));
  const slider = createElement("input", { type: "range", min: 0, max: days.length - 1, step: 1, value: days.length - 1, disabled: days.length < 2, "aria-label": t.as_of_title });
  const facts = createElement("dl", { "aria-live": "polite" });
  const back = createElement("button", { type: "button", class: "small" }, t.as_of_now);
  const showOutline = (outline) => maps.alert === alert && maps.setGeometry(toMercator(outline));
  const show = () => {
    const day = days[Number(slider.value)];
    slider.setAttribute("aria-valuetext", day.day);
    const error = day.oblique ? ` ± ${Math.round(day.area_error_m2)} m² · ${t[day.estimate]}` : "";
    const dates = ["not_yet_on", "there_on", "gone_on"].filter((name) => day[name]).map((name) => fill(t[name], { day: day[name] }));
    const rows = [
      [t.area, `${day.mu.toFixed(2)} ${t.mu} ${Math.round(day.area_m2)} m²${error}`],
      [t.kind, day.kind_name],
      [t.dates, dates.join(t.comma)],
      [t.confidence, `${Math.round(day.confidence * 100)} %`],
    ];
    facts.replaceChildren(...rows.flatMap(([name, value]) => [createElement("dt", {}, name), createElement("dd", {}, value)]));
    label.textContent = fill(t.as_of, { day: day.day });
  };
  const label = createElement("b", {});
  slider.addEventListener("input", () => (show(), showOutline(days[Number(slider.value)].outline)));
  back.addEventListener("click", () => ((slider.value = days.length - 1), show(), showOutline(alert.outline)));
  details.append(createElement("label", { class: "days" }, label, slider), facts, back, createElement("p", { class: "muted small" }, t.as_of_hint));
  show();
}
