// The map page. The fragment of its URL describes the view, so that a link shares it.
import { fill, formatPlace, notice, pageTexts, request, root } from "./tuban.js";
import { addBaseMap } from "./base_map.js";
import { areaStyle, ellipseStyle, footprintStyle, layerStyle, markStyle, outlineStyle, statesOf } from "./map_styles.js";
import { DrawAlert } from "./map_draw.js";
import { Images } from "./map_images.js";
import { Measure } from "./map_measure.js";
import { formatArea } from "./measure.js";
import { Swipe } from "./swipe.js";

const texts = pageTexts();
const settings = JSON.parse(document.getElementById("map-settings").textContent);
const element = (id) => document.getElementById(id);
const boxes = (selector) => [...document.querySelectorAll(selector)];
const MAX_LISTED = 60;

const readFragment = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const initial = readFragment();
const selection = { image: initial.image ?? "latest", compare: initial.compare ?? "none" };

const view = new ol.View({ maxZoom: 23, minZoom: 3, enableRotation: false, constrainResolution: false });
const vector = (style, zIndex, more = {}) => new ol.layer.Vector({ source: new ol.source.Vector(), style, zIndex, ...more });
const layers = {
  areas: vector(areaStyle, 600, { declutter: true }),
  footprints: vector(footprintStyle(), 610),
  ellipses: vector(ellipseStyle, 690),
  outlines: vector(outlineStyle(settings.states), 700),
  marks: vector(markStyle(settings.states), 710),
  found: vector(new ol.style.Style({ image: new ol.style.RegularShape({ points: 4, radius: 16, radius2: 0, stroke: new ol.style.Stroke({ color: "#d9001b", width: 3 }) }) }), 950),
};
const importedLayers = new Map(settings.layers.map(({ id, kind }) => [id, vector(layerStyle(kind), 500)]));

const map = new ol.Map({
  target: "map",
  view,
  layers: [...Object.values(layers), ...importedLayers.values()],
  controls: [
    new ol.control.Zoom({ zoomInTipLabel: texts.zoom_in, zoomOutTipLabel: texts.zoom_out }),
    new ol.control.ScaleLine({ minWidth: 90 }),
    ...(settings.wmts?.attribution ? [new ol.control.Attribution({ collapsible: false })] : []),
  ],
});
let writeTimer = 0;
const swipe = new Swipe(map, texts.swipe, () => {
  clearTimeout(writeTimer);
  writeTimer = setTimeout(writeFragment, 300);
});
const images = new Images(map, swipe, selection, texts, () => writeFragment());
const measure = new Measure(map, texts);
new DrawAlert(map, texts, settings.kinds, () => load());

// The view and all selections, in the fragment of the URL

function restoreView() {
  const [zoom, lat, lon] = (initial.at ?? "").split("/").map(Number);
  if ([zoom, lat, lon].every(Number.isFinite) && initial.at) {
    view.setCenter(ol.proj.fromLonLat([lon, lat]));
    view.setZoom(zoom);
  } else fit(settings.extent);
  if (initial.kinds !== undefined) for (const box of boxes("[name=kind]")) box.checked = initial.kinds.split(",").includes(box.value);
  if (initial.states && [...element("states").options].some(({ value }) => value === initial.states)) element("states").value = initial.states;
  if (initial.layers) for (const box of boxes("[data-layer]")) box.checked = initial.layers.split(",").includes(box.dataset.layer);
  if (initial.shown !== undefined) for (const box of boxes("[data-shown]")) box.checked = initial.shown.split(",").includes(box.dataset.shown);
  if (initial.swipe) swipe.move(Number(initial.swipe) / 100 || 0.5);
}

function fit(extent) {
  view.fit(ol.proj.transformExtent(extent, "EPSG:4326", "EPSG:3857"), { size: map.getSize(), padding: [30, 30, 30, 30], maxZoom: 18 });
}

function writeFragment() {
  const [lon, lat] = ol.proj.toLonLat(view.getCenter());
  const kinds = boxes("[name=kind]");
  const values = {
    at: `${view.getZoom().toFixed(2)}/${lat.toFixed(6)}/${lon.toFixed(6)}`,
    image: selection.image,
    ...(selection.compare === "none" ? {} : { compare: selection.compare, swipe: Math.round(100 * swipe.position) }),
    ...(kinds.every(({ checked }) => checked) ? {} : { kinds: kinds.filter(({ checked }) => checked).map(({ value }) => value).join() }),
    ...(element("states").value === "unfinished" ? {} : { states: element("states").value }),
    layers: boxes("[data-layer]:checked").map(({ dataset }) => dataset.layer).join(),
    shown: boxes("[data-shown]:checked").map(({ dataset }) => dataset.shown).join(),
  };
  const parameters = Object.entries(values).filter(([name, value]) => value !== "" || name === "shown" || name === "kinds");
  history.replaceState(null, "", `#${parameters.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2F", "/").replaceAll("%2C", ",")}`).join("&")}`);
}

// Data of the view

function bbox() {
  const extent = ol.proj.transformExtent(view.calculateExtent(map.getSize()), "EPSG:3857", "EPSG:4326");
  const clamp = (value, limit) => Math.max(-limit, Math.min(limit, value)).toFixed(7);
  return [clamp(extent[0], 180), clamp(extent[1], 85), clamp(extent[2], 180), clamp(extent[3], 85)].join();
}

const json = new ol.format.GeoJSON();
const features = (collection) => json.readFeatures(collection, { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" });

function setFeatures(layer, found) {
  layer.getSource().clear(true);
  layer.getSource().addFeatures(found);
}

let latestLoad = 0;
async function load() {
  const current = ++latestLoad;
  delete element("map").dataset.loaded;
  const query = `bbox=${bbox()}&zoom=${view.getZoom().toFixed(2)}`;
  const isShown = (name) => boxes(`[data-shown=${name}]`).some(({ checked }) => checked);
  const fetchPart = async (address, use) => {
    const data = await request(address);
    if (current === latestLoad) use(data);
  };
  const parts = [
    fetchPart(alertsUrl(query), showAlerts),
    fetchPart(`${root}/map/scenes?${query}`, (scenes) => {
      images.setScenes(scenes.features);
      setFeatures(layers.footprints, isShown("footprints") ? features(scenes) : []);
    }),
    fetchPart(`${root}/map/scans?${query}`, showScans),
  ];
  if (isShown("areas")) parts.push(fetchPart(`${root}/map/areas?${query}`, (areas) => setFeatures(layers.areas, features(areas))));
  else layers.areas.getSource().clear();
  for (const [id, layer] of importedLayers) {
    layer.setVisible(boxes(`[data-layer="${id}"]`).some(({ checked }) => checked));
    if (layer.getVisible()) parts.push(fetchPart(`${root}/map/layers/${id}?${query}`, (polygons) => { setFeatures(layer, features(polygons)); if (polygons.cut) notice(texts.layer_cut, "warn"); }));
  }
  for (const { reason } of await Promise.allSettled(parts)) if (reason && current === latestLoad) return notice(reason.message);
  if (current === latestLoad) element("map").dataset.loaded = String(current);
}

function alertsUrl(query) {
  const kinds = boxes("[name=kind]:checked").map(({ value }) => value);
  if (!kinds.length) return `${root}/map/alerts?${query}&max_area_m2=0`;
  const states = statesOf(element("states").value, settings.states);
  return `${root}/map/alerts?${query}&kinds=${kinds}${states.length ? `&states=${states}` : ""}`;
}

function showAlerts({ marks, outlines, ellipses }) {
  setFeatures(layers.ellipses, features(ellipses));
  setFeatures(layers.outlines, features(outlines));
  setFeatures(layers.marks, marks.map((mark) => new ol.Feature({ geometry: new ol.geom.Point(ol.proj.fromLonLat([mark.lon, mark.lat])), ...mark })));
  const sum = marks.reduce((count, mark) => count + mark.count, 0);
  element("list-count").textContent = sum;
  element("alerts-message").textContent = fill(texts.alerts_in_view, { count: sum });
  const areas = new Map(outlines.features.map(({ properties }) => [properties.number, properties.area_m2]));
  element("list").replaceChildren(...marks.slice(0, MAX_LISTED).map((mark) => listRow(mark, areas.get(mark.number))));
  if (!marks.length) element("list").append(Object.assign(document.createElement("li"), { className: "muted", textContent: texts.no_alerts }));
}

function listRow(mark, area) {
  const item = document.createElement("li");
  const line = document.createElement(mark.count === 1 ? "a" : "button");
  const name = Object.assign(document.createElement("span"), { className: "kind", textContent: settings.kinds[mark.kind] ?? mark.kind });
  if (mark.count === 1) {
    line.href = `${root}/alerts/${encodeURIComponent(mark.number)}`;
    line.append(name, ` · ${settings.states[mark.state]?.name ?? mark.state}${area ? ` · ${formatArea(area, texts.mu)}` : ""}`, document.createElement("br"), mark.number);
  } else {
    line.type = "button";
    line.append(name, ` · ${fill(texts.cluster_row, { count: mark.count })}`);
    line.addEventListener("click", () => zoomTo(mark));
  }
  item.append(line);
  return item;
}

function zoomTo(mark) {
  view.animate({ center: ol.proj.fromLonLat([mark.lon, mark.lat]), zoom: Math.min(20, view.getZoom() + 2), duration: reducedMotion() ? 0 : 250 });
}

function showScans(list) {
  element("scans-count").textContent = list.length;
  element("scans").replaceChildren(...list.slice(0, MAX_LISTED).map((scan) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const days = `${scan.before_date ?? texts.undated} → ${scan.after_date ?? texts.undated}`;
    const result = scan.state === "done" ? fill(texts.scan_changes, { count: scan.changes }) : `${texts[`scan_${scan.state}`] ?? scan.state}${scan.reason ? `: ${scan.reason}` : ""}`;
    button.append(days, document.createElement("br"), Object.assign(document.createElement("span"), { className: "muted", textContent: result }));
    button.addEventListener("click", () => {
      fit(scan.bounds);
      images.select({ image: scan.after_date ?? "undated", compare: scan.before_date ?? "undated" });
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}

// The popup of an alert

function showPopup(mark, area) {
  element("popup-title").textContent = mark.number;
  const line = (text) => Object.assign(document.createElement("p"), { textContent: text });
  const picture = Object.assign(document.createElement("img"), { src: `${root}/alerts/${encodeURIComponent(mark.number)}/evidence/after`, alt: texts.picture });
  picture.addEventListener("error", () => picture.remove());
  element("popup-text").replaceChildren(
    line(`${settings.kinds[mark.kind] ?? mark.kind} · ${settings.states[mark.state]?.name ?? mark.state}`),
    ...(area ? [line(formatArea(area, texts.mu))] : []),
    picture,
    line(texts.alert_only),
  );
  element("popup-link").href = `${root}/alerts/${encodeURIComponent(mark.number)}`;
  element("popup").hidden = false;
  element("popup-link").focus({ preventScroll: true });
}

const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

map.on("singleclick", (event) => {
  if (measure.kind) return;
  const hit = map.forEachFeatureAtPixel(event.pixel, (feature) => feature, { hitTolerance: 6, layerFilter: (layer) => layer === layers.marks || layer === layers.outlines });
  if (!hit) return void (element("popup").hidden = true);
  const mark = hit.getProperties();
  if (mark.count > 1) return zoomTo(mark);
  const outline = layers.outlines.getSource().getFeatures().find((feature) => feature.get("number") === mark.number);
  showPopup(mark, outline?.get("area_m2"));
});
map.on("pointermove", (event) => {
  const [lon, lat] = ol.proj.toLonLat(event.coordinate);
  element("where").textContent = formatPlace(lon, lat);
  if (!measure.kind && !event.dragging) {
    const over = map.hasFeatureAtPixel(event.pixel, { hitTolerance: 4, layerFilter: (layer) => layer === layers.marks || layer === layers.outlines });
    map.getTargetElement().style.cursor = over ? "pointer" : "";
  }
});
element("popup-close").addEventListener("click", () => {
  element("popup").hidden = true;
  element("map").focus();
});
document.addEventListener("keydown", (event) => event.key === "Escape" && (element("popup").hidden = true));

// Coordinate search

element("goto").addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = element("goto-message");
  try {
    const [lon] = ol.proj.toLonLat(view.getCenter());
    const query = new URLSearchParams({ text: element("goto-text").value, lon: Math.max(-180, Math.min(180, lon)) });
    const place = await request(`${root}/map/goto?${query}`);
    const center = ol.proj.fromLonLat([place.lon, place.lat]);
    setFeatures(layers.found, [new ol.Feature(new ol.geom.Point(center))]);
    view.setCenter(center);
    view.setZoom(Math.max(17, view.getZoom()));
    const zone = place.zone ? ` · ${place.zone.code} ${place.zone.east.toFixed(2)}, ${place.zone.north.toFixed(2)}` : "";
    message.textContent = `${fill(texts.goto_read, { system: place.system })} ${formatPlace(place.lon, place.lat)}${zone}${place.assumed ? ` ${texts.goto_assumed}` : ""}`;
    message.classList.remove("bad");
  } catch (error) {
    message.textContent = error.message;
    message.classList.add("bad");
  }
});

for (const control of boxes("[name=kind], [data-layer], [data-shown], #states")) {
  control.addEventListener("change", () => {
    writeFragment();
    load();
  });
}
element("home").addEventListener("click", () => fit(settings.extent));
window.addEventListener("hashchange", () => location.reload()); // only for manual changes: replaceState does not trigger this event
new ResizeObserver(() => map.updateSize()).observe(element("map"));
restoreView();
if (settings.wmts) addBaseMap(map, settings.wmts, document.querySelector("[data-shown=base]")).catch(() => notice(texts.base_unknown));
map.on("moveend", () => {
  writeFragment();
  load();
});
map.once("postrender", () => setTimeout(() => latestLoad || (writeFragment(), load()))); // the initial view triggers no moveend
window.tubanMap = map; // for debugging and tests
