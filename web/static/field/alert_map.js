// The offline map of an alert: its images from the phone, the outline, boundaries and the person's own position.
import { toMercator } from "./geometry.js";
import { storedFile } from "./offline_alerts.js";
import { latestFix, watchPosition } from "./sensors.js";
import { el, t } from "./words.js";

const COLOURS = { construction: "#ff5a3c", ground: "#ffd23f", demolition: "#5cc8ff" };
const stroke = (color, width, lineDash) => new ol.style.Stroke({ color, width, lineDash });

function tileLayer(number, { name, template, tiles, max_zoom: maxZoom, min_zoom: minZoom }) {
  const known = new Set(tiles.map((tile) => tile.join("/")));
  const source = new ol.source.XYZ({ url: template, maxZoom, minZoom, transition: 0 });
  source.setTileLoadFunction(async (tile, address) => {
    const [z, x, y] = tile.getTileCoord();
    const key = `${z}/${x}/${y}`;
    const stored = known.has(key) ? await storedFile(number, name, key) : null;
    const image = tile.getImage();
    if (stored) image.addEventListener("load", () => URL.revokeObjectURL(stored), { once: true });
    if (stored) image.src = stored;
    else if (known.has(key) && navigator.onLine) image.src = address;
    else tile.setState(3); // ol.TileState.ERROR
  });
  return new ol.layer.Tile({ source, zIndex: name === "around" ? 1 : 2, properties: { name } });
}

/** Create the map in a new element; returns {element, start, stop}. `start` once the element is in the page. */
export function alertMap(alert) {
  const target = el("div", { class: "field-map", tabindex: "0", role: "application", "aria-label": t("map") });
  const fit = el("button", { type: "button", click: () => fitOutline() }, t("fit"));
  const mine = el("button", { type: "button", click: () => goToMe() }, t("my_place"));
  const switches = el("div", { class: "row map-switches", role: "group", "aria-label": t("map") });
  const element = el("div", { class: "field-map-box" }, target, el("div", { class: "row map-buttons" }, fit, mine), switches);
  let map, me, stopWatching;

  function fitOutline() {
    const extent = ol.extent.buffer(toMercator(alert.outline).getExtent(), 30);
    map.getView().fit(extent, { size: map.getSize(), maxZoom: 20 });
  }
  function goToMe() {
    const fix = latestFix();
    if (fix) map.getView().animate({ center: ol.proj.fromLonLat([fix.lon, fix.lat]), duration: 250 });
  }
  function showMe(fix) {
    me.clear();
    if (!fix) return;
    const place = ol.proj.fromLonLat([fix.lon, fix.lat]);
    const radius = fix.accuracy / Math.cos((fix.lat * Math.PI) / 180);
    const circle = new ol.Feature(new ol.geom.Circle(place, radius));
    circle.setStyle(new ol.style.Style({ fill: new ol.style.Fill({ color: "rgba(20,110,220,.15)" }), stroke: stroke("rgba(20,110,220,.6)", 1) }));
    const dot = new ol.Feature(new ol.geom.Point(place));
    dot.setStyle(new ol.style.Style({ image: new ol.style.Circle({ radius: 7, fill: new ol.style.Fill({ color: "#146edc" }), stroke: stroke("#ffffff", 2.5) }) }));
    me.addFeatures([circle, dot]);
  }

  function start() {
    const layers = alert.layers.map((layer) => tileLayer(alert.number, layer));
    const outline = new ol.layer.Vector({ source: new ol.source.Vector({ features: [new ol.Feature(toMercator(alert.outline))] }), zIndex: 6 });
    outline.setStyle([new ol.style.Style({ stroke: stroke("rgba(16,16,16,.85)", 5) }), new ol.style.Style({ stroke: stroke(COLOURS[alert.kind] ?? "#ff5a3c", 2.5) })]);
    const areas = new ol.layer.Vector({ source: new ol.source.Vector({ features: alert.areas.map(({ outline: shape }) => new ol.Feature(toMercator(shape))) }), zIndex: 4 });
    areas.setStyle(new ol.style.Style({ stroke: stroke("#8a6d1d", 1.5, [6, 5]) }));
    me = new ol.source.Vector();
    const place = new ol.layer.Vector({ source: me, zIndex: 7 });
    map = new ol.Map({ target, controls: [new ol.control.ScaleLine()], layers: [...layers, areas, outline, place], view: new ol.View({ maxZoom: 22, enableRotation: false }) });
    const pictures = layers.filter((layer) => layer.get("name") !== "around");
    const choose = (name) => {
      for (const layer of pictures) layer.setVisible(layer.get("name") === name);
      for (const button of switches.children) button.setAttribute("aria-pressed", String(button.dataset.layer === name));
    };
    const names = pictures.map((layer) => layer.get("name"));
    switches.append(...names.map((name) => el("button", { type: "button", "data-layer": name, click: () => choose(name) }, t(`layer_${name}`))));
    if (names.length) choose(names.includes("after") ? "after" : names[0]);
    fitOutline();
    map.once("rendercomplete", () => (target.dataset.drawn = ""));
    stopWatching = watchPosition(showMe);
    showMe(latestFix());
  }

  return {
    element,
    start,
    stop: () => {
      stopWatching?.();
      map?.setTarget(null);
    },
  };
}
