// Control points of a view: a frame and a map beside each other, a table that shows what each point is worth.
import { ask, deepestZoom, fill, notice, pageTexts, send } from "/static/tuban.js";

const texts = pageTexts();
const { camera, view, size, points: kept, region: keptRegion, extent } = JSON.parse(document.getElementById("settings").textContent);
const element = (id) => document.getElementById(id);
const [width, height] = size;
const points = kept.map(([x, y, lon, lat]) => ({ x, y, lon, lat }));
let region = keptRegion;
let residuals = [];
let drawing = false;
let fault = null;

const mark = (feature) =>
  new ol.style.Style({
    image: new ol.style.Circle({ radius: 8, fill: new ol.style.Fill({ color: feature.get("number") === fault ? "#d9001b" : "#ffd400" }), stroke: new ol.style.Stroke({ color: "#101010", width: 2 }) }),
    text: new ol.style.Text({ text: String(feature.get("number") + 1), font: "bold 12px system-ui, sans-serif", fill: new ol.style.Fill({ color: "#101010" }) }),
  });
const layer = (style) => new ol.layer.Vector({ source: new ol.source.Vector(), style, zIndex: 900 });
const edge = new ol.style.Stroke({ color: "#37e0ff", width: 3 });
const outlined = new ol.style.Style({ stroke: edge, fill: new ol.style.Fill({ color: "#37e0ff22" }), image: new ol.style.Circle({ radius: 4, fill: new ol.style.Fill({ color: "#101010" }), stroke: edge }) });
const shown = { frame: layer(mark), ground: layer(mark), region: layer(outlined) };

// By keyboard: arrows move a pane under its crosshair, with Shift by a pixel, and Enter is a click there
const { noModifierKeys, shiftKeyOnly } = ol.events.condition;
const steps = () => [[noModifierKeys, 32], [shiftKeyOnly, 1]].map(([condition, pixelDelta]) => new ol.interaction.KeyboardPan({ condition, pixelDelta, duration: 0 }));
const interactions = () => ol.interaction.defaults.defaults({ keyboard: false }).extend([...steps(), new ol.interaction.KeyboardZoom({ duration: 0 })]);

// The frame: y runs upwards in OpenLayers, downwards in pixels
const projection = new ol.proj.Projection({ code: "frame", units: "pixels", extent: [0, 0, width, height] });
const frame = new ol.Map({
  target: "frame",
  interactions: interactions(),
  layers: [new ol.layer.Image({ source: new ol.source.ImageStatic({ url: `/cameras/${camera}/views/${view}/frame`, projection, imageExtent: [0, 0, width, height] }) }), shown.region, shown.frame],
  view: new ol.View({ projection, center: [width / 2, height / 2], extent: [-width, -height, 2 * width, 2 * height], zoom: 1, maxZoom: 8 }),
});
frame.getView().fit([0, 0, width, height]);
const scenes = new ol.layer.Group({ layers: [] });
const ground = new ol.Map({ target: "ground", interactions: interactions(), layers: [scenes, shown.ground], view: new ol.View({ maxZoom: 23 }) });
const placed = points.filter(({ lon }) => Number.isFinite(lon)).map(({ lon, lat }) => ol.proj.fromLonLat([lon, lat]));
ground.getView().fit(placed.length ? ol.extent.buffer(ol.extent.boundingExtent(placed), 60) : ol.proj.transformExtent(extent, "EPSG:4326", "EPSG:3857"), { maxZoom: 19 });

async function images() {
  const box = ol.proj.transformExtent(ground.getView().calculateExtent(), "EPSG:3857", "EPSG:4326");
  const clipped = [Math.max(-180, box[0]), Math.max(-85, box[1]), Math.min(180, box[2]), Math.min(85, box[3])];
  const told = await ask(`/map/scenes?bbox=${clipped.map((side) => side.toFixed(7)).join()}&zoom=${ground.getView().getZoom().toFixed(2)}`);
  const from = told.features.map(({ properties }) => properties).filter(({ source }) => source !== "camera");
  scenes.getLayers().clear();
  for (const { id, bounds, gsd_m } of from.slice(0, 20).reverse()) {
    const source = new ol.source.XYZ({ url: `/tiles/scenes/${id}/{z}/{x}/{y}`, maxZoom: deepestZoom(gsd_m, bounds[1], 8) });
    scenes.getLayers().push(new ol.layer.Tile({ source, extent: ol.proj.transformExtent(bounds, "EPSG:4326", "EPSG:3857") }));
  }
}
const renewed = () => images().catch((error) => notice(error.message));
ground.on("moveend", renewed); // which does not come before a second frame is drawn
renewed();

const whole = () => points.filter((point) => ["x", "y", "lon", "lat"].every((name) => Number.isFinite(point[name])));

function draw() {
  const put = (target, place) => {
    target.getSource().clear();
    points.forEach((point, number) => {
      const at = place(point);
      if (at.every(Number.isFinite)) target.getSource().addFeature(new ol.Feature({ geometry: new ol.geom.Point(at), number }));
    });
  };
  put(shown.frame, ({ x, y }) => [x, height - y]);
  put(shown.ground, ({ lon, lat }) => (Number.isFinite(lon) && Number.isFinite(lat) && Math.abs(lat) < 85 ? ol.proj.fromLonLat([lon, lat]) : [NaN, NaN]));
  shown.region.getSource().clear();
  const corners = region.map(([x, y]) => [x, height - y]);
  if (corners.length > 1) shown.region.getSource().addFeature(new ol.Feature(new ol.geom.Polygon([corners])));
  if (drawing) shown.region.getSource().addFeature(new ol.Feature(new ol.geom.MultiPoint(corners)));
}

function table() {
  element("points").replaceChildren(...points.map((point, number) => {
    const row = document.createElement("tr");
    const cell = (content) => { const made = document.createElement("td"); made.append(content); row.append(made); return made; };
    cell(String(number + 1));
    for (const name of ["x", "y", "lon", "lat"]) {
      const box = Object.assign(document.createElement("input"), { type: "number", step: "any", value: Number.isFinite(point[name]) ? point[name] : "" });
      box.setAttribute("aria-label", `${number + 1} ${texts[name]}`);
      box.addEventListener("change", () => { point[name] = box.value === "" ? NaN : Number(box.value); changed(false); });
      cell(box);
    }
    cell("").className = "number residual";
    const gone = Object.assign(document.createElement("button"), { type: "button", textContent: texts.remove });
    gone.addEventListener("click", () => { points.splice(number, 1); changed(); });
    cell(gone);
    return row;
  }));
}

function say(words, kind) {
  element("told").textContent = words;
  element("told").className = `notice ${kind}`;
}

let round = 0;
async function changed(rows = true) {
  if (rows) table();
  draw();
  await tried(false);
}

async function tried(save) {
  const mine = ++round;
  const complete = whole();
  fault = null;
  residuals = [];
  if (complete.length < 4 && !save) say(fill(texts.incomplete, { count: complete.length }), "warn");
  else {
    try {
      const told = await send(`/api/cameras/${camera}/views/${view}/calibration`, { points: complete, region, range_m: Number(element("range").value), save });
      if (mine !== round) return;
      residuals = told.residuals_m;
      fault = told.point === null ? null : points.indexOf(complete[told.point]);
      if (told.fault) say(told.fault, "bad");
      else say([told.saved ? texts.saved : "", fill(texts.rms, { metres: told.rms_m }), ...told.warnings].filter(Boolean).join(" "), told.warnings.length ? "warn" : "good");
    } catch (error) {
      say(error.message, "bad");
    }
  }
  const cells = [...document.querySelectorAll(".residual")];
  points.forEach((point, number) => {
    const at = complete.indexOf(point);
    cells[number].textContent = at >= 0 && residuals.length ? residuals[at].toFixed(2) : "";
  });
  draw();
}

// A click gives the first point that lacks this half, else a new one
function clicked(names, values) {
  let point = points.find((one) => names.some((name) => !Number.isFinite(one[name])));
  if (!point) points.push((point = { x: NaN, y: NaN, lon: NaN, lat: NaN }));
  names.forEach((name, index) => { point[name] = values[index]; });
  changed();
}
function inFrame([x, y]) {
  const at = [Number(x.toFixed(1)), Number((height - y).toFixed(1))];
  if (at[0] < 0 || at[1] < 0 || at[0] > width || at[1] > height) return;
  if (drawing) corners([...region, at]);
  else clicked(["x", "y"], at);
}
const onMap = (coordinate) => clicked(["lon", "lat"], ol.proj.toLonLat(coordinate).map((degrees) => Number(degrees.toFixed(7))));
for (const [map, act] of [[frame, inFrame], [ground, onMap]]) {
  map.on("singleclick", ({ coordinate }) => act(coordinate));
  map.getTargetElement().addEventListener("keydown", ({ key }) => key === "Enter" && act(map.getView().getCenter()));
}
element("frame").addEventListener("keydown", ({ key }) => {
  if (drawing && key === "Backspace") corners(region.slice(0, -1));
  if (drawing && key === "Escape") element("region").click();
});

function corners(set) {
  region = set;
  say(fill(texts.corners, { count: region.length }), region.length < 3 ? "warn" : "good");
  draw();
}
element("add").addEventListener("click", () => { points.push({ x: NaN, y: NaN, lon: NaN, lat: NaN }); changed(); });
element("region").addEventListener("click", () => {
  drawing = !drawing;
  element("region").setAttribute("aria-pressed", String(drawing));
  element("region").textContent = drawing ? texts.region_done : texts.region;
  element(drawing ? "frame" : "region").focus();
  if (drawing) corners([]);
  else changed(false);
});
element("clear").addEventListener("click", () => corners([]));
element("save").addEventListener("click", () => tried(true));
changed();
