// The map page. What it shows stands behind the # of its address, so that a link shares the view.
import { ask, fill, notice, pageTexts } from "/static/tuban.js";
import { background } from "/static/map_base.js";
import { areaStyle, footprintStyle, layerStyle, markStyle, outlineStyle, statesOf } from "/static/map_marks.js";
import { Images } from "/static/map_images.js";
import { Measure } from "/static/map_measure.js";
import { saidArea } from "/static/measure.js";
import { Swipe } from "/static/swipe.js";

const texts = pageTexts();
const settings = JSON.parse(document.getElementById("map-settings").textContent);
const element = (id) => document.getElementById(id);
const boxes = (selector) => [...document.querySelectorAll(selector)];
const LISTED = 60;

const read = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const at = read();
const chosen = { image: at.image ?? "latest", compare: at.compare ?? "none" };

const view = new ol.View({ maxZoom: 23, minZoom: 3, enableRotation: false, constrainResolution: false });
const vector = (style, zIndex, more = {}) => new ol.layer.Vector({ source: new ol.source.Vector(), style, zIndex, ...more });
const shown = {
  areas: vector(areaStyle, 600, { declutter: true }),
  footprints: vector(footprintStyle(), 610),
  outlines: vector(outlineStyle(settings.states), 700),
  marks: vector(markStyle(settings.states), 710),
  found: vector(new ol.style.Style({ image: new ol.style.RegularShape({ points: 4, radius: 16, radius2: 0, stroke: new ol.style.Stroke({ color: "#d9001b", width: 3 }) }) }), 950),
};
const laid = new Map(settings.layers.map(({ id, kind }) => [id, vector(layerStyle(kind), 500)]));

const map = new ol.Map({
  target: "map",
  view,
  layers: [...Object.values(shown), ...laid.values()],
  controls: [
    new ol.control.Zoom({ zoomInTipLabel: texts.zoom_in, zoomOutTipLabel: texts.zoom_out }),
    new ol.control.ScaleLine({ minWidth: 90 }),
    ...(settings.wmts?.attribution ? [new ol.control.Attribution({ collapsible: false })] : []),
  ],
});
let later = 0;
const swipe = new Swipe(map, texts.swipe, () => {
  clearTimeout(later);
  later = setTimeout(write, 300);
});
const images = new Images(map, swipe, chosen, texts, () => write());
const measure = new Measure(map, texts);

// The view and all that is chosen, in the address

function open() {
  const [zoom, lat, lon] = (at.at ?? "").split("/").map(Number);
  if ([zoom, lat, lon].every(Number.isFinite) && at.at) {
    view.setCenter(ol.proj.fromLonLat([lon, lat]));
    view.setZoom(zoom);
  } else fit(settings.extent);
  if (at.kinds !== undefined) for (const box of boxes("[name=kind]")) box.checked = at.kinds.split(",").includes(box.value);
  if (at.states && [...element("states").options].some(({ value }) => value === at.states)) element("states").value = at.states;
  if (at.layers) for (const box of boxes("[data-layer]")) box.checked = at.layers.split(",").includes(box.dataset.layer);
  if (at.shown !== undefined) for (const box of boxes("[data-shown]")) box.checked = at.shown.split(",").includes(box.dataset.shown);
  if (at.swipe) swipe.move(Number(at.swipe) / 100 || 0.5);
}

function fit(extent) {
  view.fit(ol.proj.transformExtent(extent, "EPSG:4326", "EPSG:3857"), { size: map.getSize(), padding: [30, 30, 30, 30], maxZoom: 18 });
}

function write() {
  const [lon, lat] = ol.proj.toLonLat(view.getCenter());
  const kinds = boxes("[name=kind]");
  const values = {
    at: `${view.getZoom().toFixed(2)}/${lat.toFixed(6)}/${lon.toFixed(6)}`,
    image: chosen.image,
    ...(chosen.compare === "none" ? {} : { compare: chosen.compare, swipe: Math.round(100 * swipe.position) }),
    ...(kinds.every(({ checked }) => checked) ? {} : { kinds: kinds.filter(({ checked }) => checked).map(({ value }) => value).join() }),
    ...(element("states").value === "unfinished" ? {} : { states: element("states").value }),
    layers: boxes("[data-layer]:checked").map(({ dataset }) => dataset.layer).join(),
    shown: boxes("[data-shown]:checked").map(({ dataset }) => dataset.shown).join(),
  };
  const told = Object.entries(values).filter(([name, value]) => value !== "" || name === "shown" || name === "kinds");
  history.replaceState(null, "", `#${told.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2F", "/").replaceAll("%2C", ",")}`).join("&")}`);
}

// What lies in view, from the server

function bbox() {
  const extent = ol.proj.transformExtent(view.calculateExtent(map.getSize()), "EPSG:3857", "EPSG:4326");
  const within = (value, most) => Math.max(-most, Math.min(most, value)).toFixed(7);
  return [within(extent[0], 180), within(extent[1], 85), within(extent[2], 180), within(extent[3], 85)].join();
}

const json = new ol.format.GeoJSON();
const features = (collection) => json.readFeatures(collection, { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" });

function put(layer, found) {
  layer.getSource().clear(true);
  layer.getSource().addFeatures(found);
}

let round = 0;
async function load() {
  const mine = ++round;
  delete element("map").dataset.loaded;
  const asked = `bbox=${bbox()}&zoom=${view.getZoom().toFixed(2)}`;
  const isShown = (name) => boxes(`[data-shown=${name}]`).some(({ checked }) => checked);
  const part = async (address, use) => {
    const told = await ask(address);
    if (mine === round) use(told);
  };
  const parts = [
    part(alertsAddress(asked), alerts),
    part(`/map/scenes?${asked}`, (told) => {
      images.take(told.features);
      put(shown.footprints, isShown("footprints") ? features(told) : []);
    }),
    part(`/map/scans?${asked}`, scans),
  ];
  if (isShown("areas")) parts.push(part(`/map/areas?${asked}`, (told) => put(shown.areas, features(told))));
  else shown.areas.getSource().clear();
  for (const [id, layer] of laid) {
    layer.setVisible(boxes(`[data-layer="${id}"]`).some(({ checked }) => checked));
    if (layer.getVisible()) parts.push(part(`/map/layers/${id}?${asked}`, (told) => { put(layer, features(told)); if (told.cut) notice(texts.layer_cut, "warn"); }));
  }
  for (const { reason } of await Promise.allSettled(parts)) if (reason && mine === round) return notice(reason.message);
  if (mine === round) element("map").dataset.loaded = String(mine);
}

function alertsAddress(asked) {
  const kinds = boxes("[name=kind]:checked").map(({ value }) => value);
  if (!kinds.length) return `/map/alerts?${asked}&max_area_m2=0`;
  const states = statesOf(element("states").value, settings.states);
  return `/map/alerts?${asked}&kinds=${kinds}${states.length ? `&states=${states}` : ""}`;
}

function alerts({ marks, outlines }) {
  put(shown.outlines, features(outlines));
  put(shown.marks, marks.map((mark) => new ol.Feature({ geometry: new ol.geom.Point(ol.proj.fromLonLat([mark.lon, mark.lat])), ...mark })));
  const sum = marks.reduce((count, mark) => count + mark.count, 0);
  element("list-count").textContent = sum;
  element("alerts-told").textContent = fill(texts.alerts_told, { count: sum });
  const areas = new Map(outlines.features.map(({ properties }) => [properties.number, properties.area_m2]));
  element("list").replaceChildren(...marks.slice(0, LISTED).map((mark) => row(mark, areas.get(mark.number))));
  if (!marks.length) element("list").append(Object.assign(document.createElement("li"), { className: "muted", textContent: texts.no_alerts }));
}

function row(mark, area) {
  const item = document.createElement("li");
  const line = document.createElement(mark.count === 1 ? "a" : "button");
  const name = Object.assign(document.createElement("span"), { className: "kind", textContent: settings.kinds[mark.kind] ?? mark.kind });
  if (mark.count === 1) {
    line.href = `/alerts/${encodeURIComponent(mark.number)}`;
    line.append(name, ` · ${settings.states[mark.state]?.name ?? mark.state}${area ? ` · ${saidArea(area, texts.mu)}` : ""}`, document.createElement("br"), mark.number);
  } else {
    line.type = "button";
    line.append(name, ` · ${fill(texts.cluster_row, { count: mark.count })}`);
    line.addEventListener("click", () => nearer(mark));
  }
  item.append(line);
  return item;
}

function nearer(mark) {
  view.animate({ center: ol.proj.fromLonLat([mark.lon, mark.lat]), zoom: Math.min(20, view.getZoom() + 2), duration: calm() ? 0 : 250 });
}

function scans(list) {
  element("scans-count").textContent = list.length;
  element("scans").replaceChildren(...list.slice(0, LISTED).map((scan) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const days = `${scan.before_date ?? texts.undated} → ${scan.after_date ?? texts.undated}`;
    const end = scan.state === "done" ? fill(texts.scan_changes, { count: scan.changes }) : `${texts[`scan_${scan.state}`] ?? scan.state}${scan.reason ? `: ${scan.reason}` : ""}`;
    button.append(days, document.createElement("br"), Object.assign(document.createElement("span"), { className: "muted", textContent: end }));
    button.addEventListener("click", () => {
      fit(scan.bounds);
      images.choose({ image: scan.after_date ?? "undated", compare: scan.before_date ?? "undated" });
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}

// One alert

function popup(mark, area) {
  element("popup-title").textContent = mark.number;
  const line = (words) => Object.assign(document.createElement("p"), { textContent: words });
  const picture = Object.assign(document.createElement("img"), { src: `/alerts/${encodeURIComponent(mark.number)}/evidence/after`, alt: texts.picture });
  picture.addEventListener("error", () => picture.remove());
  element("popup-text").replaceChildren(
    line(`${settings.kinds[mark.kind] ?? mark.kind} · ${settings.states[mark.state]?.name ?? mark.state}`),
    ...(area ? [line(saidArea(area, texts.mu))] : []),
    picture,
    line(texts.alert_only),
  );
  element("popup-link").href = `/alerts/${encodeURIComponent(mark.number)}`;
  element("popup").hidden = false;
  element("popup-link").focus({ preventScroll: true });
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

map.on("singleclick", (event) => {
  if (measure.kind) return;
  const hit = map.forEachFeatureAtPixel(event.pixel, (feature) => feature, { hitTolerance: 6, layerFilter: (layer) => layer === shown.marks || layer === shown.outlines });
  if (!hit) return void (element("popup").hidden = true);
  const mark = hit.getProperties();
  if (mark.count > 1) return nearer(mark);
  const outline = shown.outlines.getSource().getFeatures().find((feature) => feature.get("number") === mark.number);
  popup(mark, outline?.get("area_m2"));
});
map.on("pointermove", (event) => {
  const [lon, lat] = ol.proj.toLonLat(event.coordinate);
  element("where").textContent = `${lon.toFixed(6)}°E ${lat.toFixed(6)}°N`;
  if (!measure.kind && !event.dragging) {
    const over = map.hasFeatureAtPixel(event.pixel, { hitTolerance: 4, layerFilter: (layer) => layer === shown.marks || layer === shown.outlines });
    map.getTargetElement().style.cursor = over ? "pointer" : "";
  }
});
element("popup-close").addEventListener("click", () => {
  element("popup").hidden = true;
  element("map").focus();
});
document.addEventListener("keydown", (event) => event.key === "Escape" && (element("popup").hidden = true));

// Going to coordinates

element("goto").addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = element("goto-told");
  try {
    const [lon] = ol.proj.toLonLat(view.getCenter());
    const query = new URLSearchParams({ text: element("goto-text").value, lon: Math.max(-180, Math.min(180, lon)) });
    const place = await ask(`/map/goto?${query}`);
    const center = ol.proj.fromLonLat([place.lon, place.lat]);
    put(shown.found, [new ol.Feature(new ol.geom.Point(center))]);
    view.setCenter(center);
    view.setZoom(Math.max(17, view.getZoom()));
    const zone = place.zone ? ` · ${place.zone.code} ${place.zone.east.toFixed(2)}, ${place.zone.north.toFixed(2)}` : "";
    told.textContent = `${fill(texts.goto_read, { system: place.system })} ${place.lon.toFixed(6)}°E ${place.lat.toFixed(6)}°N${zone}${place.assumed ? ` ${texts.goto_assumed}` : ""}`;
    told.classList.remove("bad");
  } catch (error) {
    told.textContent = error.message;
    told.classList.add("bad");
  }
});

for (const control of boxes("[name=kind], [data-layer], [data-shown], #states")) {
  control.addEventListener("change", () => {
    write();
    load();
  });
}
element("home").addEventListener("click", () => fit(settings.extent));
window.addEventListener("hashchange", () => location.reload()); // only by hand: our own writing does not tell of itself
new ResizeObserver(() => map.updateSize()).observe(element("map"));
open();
if (settings.wmts) background(map, settings.wmts, document.querySelector("[data-shown=base]")).catch(() => notice(texts.base_unknown));
map.on("moveend", () => {
  write();
  load();
});
map.once("postrender", () => setTimeout(() => round || (write(), load()))); // a view that is there from the beginning does not "move"
window.tubanMap = map; // for people who look into the page, and for tests
