// Calibration of a view: control points in a frame and on a map side by side, and a table with their residuals.
import { fill, maxImageZoom, notice, pageTexts, post, request, root } from "./tuban.js";

const texts = pageTexts();
const { camera, view, size, points: storedPoints, region: storedRegion, extent } = JSON.parse(document.getElementById("settings").textContent);
const element = (id) => document.getElementById(id);
const [width, height] = size;
const points = storedPoints.map(([x, y, lon, lat]) => ({ x, y, lon, lat }));
let region = storedRegion;
let residuals = [];
let drawing = false;
let faultyPoint = null;

const pointStyle = (feature) =>
  new ol.style.Style({
    image: new ol.style.Circle({ radius: 8, fill: new ol.style.Fill({ color: feature.get("number") === faultyPoint ? "#d9001b" : "#ffd400" }), stroke: new ol.style.Stroke({ color: "#101010", width: 2 }) }),
    text: new ol.style.Text({ text: String(feature.get("number") + 1), font: "bold 12px system-ui, sans-serif", fill: new ol.style.Fill({ color: "#101010" }) }),
  });
const layer = (style) => new ol.layer.Vector({ source: new ol.source.Vector(), style, zIndex: 900 });
const edge = new ol.style.Stroke({ color: "#37e0ff", width: 3 });
const regionStyle = new ol.style.Style({ stroke: edge, fill: new ol.style.Fill({ color: "#37e0ff22" }), image: new ol.style.Circle({ radius: 4, fill: new ol.style.Fill({ color: "#101010" }), stroke: edge }) });
const layers = { frame: layer(pointStyle), ground: layer(pointStyle), region: layer(regionStyle) };

// Keyboard: arrow keys pan under the crosshair, with Shift by one pixel; Enter acts as a click at the crosshair
const { noModifierKeys, shiftKeyOnly } = ol.events.condition;
const keyboardPans = () => [[noModifierKeys, 32], [shiftKeyOnly, 1]].map(([condition, pixelDelta]) => new ol.interaction.KeyboardPan({ condition, pixelDelta, duration: 0 }));
const interactions = () => ol.interaction.defaults.defaults({ keyboard: false }).extend([...keyboardPans(), new ol.interaction.KeyboardZoom({ duration: 0 })]);

const controls = () => ol.control.defaults.defaults({ zoomOptions: { zoomInTipLabel: document.body.dataset.zoomIn, zoomOutTipLabel: document.body.dataset.zoomOut } });
// The frame: y points upwards in OpenLayers, downwards in pixels
const projection = new ol.proj.Projection({ code: "frame", units: "pixels", extent: [0, 0, width, height] });
const frame = new ol.Map({
  target: "frame",
  controls: controls(),
  interactions: interactions(),
  layers: [new ol.layer.Image({ source: new ol.source.ImageStatic({ url: `${root}/cameras/${camera}/views/${view}/frame`, projection, imageExtent: [0, 0, width, height] }) }), layers.region, layers.frame],
  view: new ol.View({ projection, center: [width / 2, height / 2], extent: [-width, -height, 2 * width, 2 * height], zoom: 1, maxZoom: 8 }),
});
frame.getView().fit([0, 0, width, height]);
const scenes = new ol.layer.Group({ layers: [] });
const ground = new ol.Map({ target: "ground", controls: controls(), interactions: interactions(), layers: [scenes, layers.ground], view: new ol.View({ maxZoom: 23 }) });
const placed = points.filter(({ lon }) => Number.isFinite(lon)).map(({ lon, lat }) => ol.proj.fromLonLat([lon, lat]));
ground.getView().fit(placed.length ? ol.extent.buffer(ol.extent.boundingExtent(placed), 60) : ol.proj.transformExtent(extent, "EPSG:4326", "EPSG:3857"), { maxZoom: 19 });

let fitted = placed.length > 0;

/** Show the part of the area that images show: the area itself may be much larger than them. */
function fitImages(found) {
  const images = found.reduce((union, { bounds }) => ol.extent.extend(union, bounds), ol.extent.createEmpty());
  const shown = ol.extent.getIntersection(images, extent);
  fitted = true;
  if (!ol.extent.isEmpty(shown)) ground.getView().fit(ol.proj.transformExtent(shown, "EPSG:4326", "EPSG:3857"), { maxZoom: 19, padding: [8, 8, 8, 8] });
}

async function loadScenes() {
  const box = ol.proj.transformExtent(ground.getView().calculateExtent(), "EPSG:3857", "EPSG:4326");
  const clipped = [Math.max(-180, box[0]), Math.max(-85, box[1]), Math.min(180, box[2]), Math.min(85, box[3])];
  const found = await request(`${root}/map/scenes?bbox=${clipped.map((side) => side.toFixed(7)).join()}&zoom=${ground.getView().getZoom().toFixed(2)}`);
  const visible = found.features.map(({ properties }) => properties).filter(({ source }) => source !== "camera");
  if (!fitted && visible.length) fitImages(visible);
  scenes.getLayers().clear();
  document.getElementById("no-image").hidden = visible.length > 0;
  for (const { id, bounds, gsd_m } of visible.slice(0, 20).reverse()) {
    const source = new ol.source.XYZ({ url: `${root}/tiles/scenes/${id}/{z}/{x}/{y}`, maxZoom: maxImageZoom(gsd_m, bounds[1], 8) });
    scenes.getLayers().push(new ol.layer.Tile({ source, extent: ol.proj.transformExtent(bounds, "EPSG:4326", "EPSG:3857") }));
  }
}
const updateScenes = () => loadScenes().catch((error) => notice(error.message));
ground.on("moveend", updateScenes); // not triggered before the second rendering
updateScenes();

const completePoints = () => points.filter((point) => ["x", "y", "lon", "lat"].every((name) => Number.isFinite(point[name])));

function draw() {
  const setPoints = (target, position) => {
    target.getSource().clear();
    points.forEach((point, number) => {
      const coordinate = position(point);
      if (coordinate.every(Number.isFinite)) target.getSource().addFeature(new ol.Feature({ geometry: new ol.geom.Point(coordinate), number }));
    });
  };
  setPoints(layers.frame, ({ x, y }) => [x, height - y]);
  setPoints(layers.ground, ({ lon, lat }) => (Number.isFinite(lon) && Number.isFinite(lat) && Math.abs(lat) < 85 ? ol.proj.fromLonLat([lon, lat]) : [NaN, NaN]));
  layers.region.getSource().clear();
  const corners = region.map(([x, y]) => [x, height - y]);
  if (corners.length > 1) layers.region.getSource().addFeature(new ol.Feature(new ol.geom.Polygon([corners])));
  if (drawing) layers.region.getSource().addFeature(new ol.Feature(new ol.geom.MultiPoint(corners)));
}

function updateTable() {
  element("points").replaceChildren(...points.map((point, number) => {
    const row = document.createElement("tr");
    const cell = (content) => { const td = document.createElement("td"); td.append(content); row.append(td); return td; };
    cell(String(number + 1));
    for (const name of ["x", "y", "lon", "lat"]) {
      const box = Object.assign(document.createElement("input"), { type: "number", step: "any", value: Number.isFinite(point[name]) ? point[name] : "" });
      box.setAttribute("aria-label", `${number + 1} ${texts[name]}`);
      box.addEventListener("change", () => { point[name] = box.value === "" ? NaN : Number(box.value); pointsChanged(false); });
      cell(box);
    }
    cell("").className = "number residual";
    const removeButton = Object.assign(document.createElement("button"), { type: "button", textContent: texts.remove });
    removeButton.addEventListener("click", () => { points.splice(number, 1); pointsChanged(); });
    cell(removeButton);
    return row;
  }));
}

function showMessage(text, kind) {
  element("calibration-message").textContent = text;
  element("calibration-message").className = `notice ${kind}`;
}

let latestRequest = 0;
async function pointsChanged(rows = true) {
  if (rows) updateTable();
  draw();
  await calibrate(false);
}

async function calibrate(save) {
  const current = ++latestRequest;
  const complete = completePoints();
  faultyPoint = null;
  residuals = [];
  if (complete.length < 4 && !save) showMessage(fill(texts.incomplete, { count: complete.length }), "warn");
  else {
    try {
      const result = await post(`${root}/api/cameras/${camera}/views/${view}/calibration`, { points: complete, region, range_m: Number(element("range").value), save });
      if (current !== latestRequest) return;
      residuals = result.residuals_m;
      faultyPoint = result.point === null ? null : points.indexOf(complete[result.point]);
      if (result.fault) showMessage(result.fault, "bad");
      else showMessage([result.saved ? texts.saved : "", fill(texts.rms, { metres: result.rms_m }), ...result.warnings].filter(Boolean).join(" "), result.warnings.length ? "warn" : "good");
    } catch (error) {
      showMessage(error.message, "bad");
    }
  }
  const cells = [...document.querySelectorAll(".residual")];
  points.forEach((point, number) => {
    const index = complete.indexOf(point);
    cells[number].textContent = index >= 0 && residuals.length ? residuals[index].toFixed(2) : "";
  });
  draw();
}

// A click completes the first point without these coordinates, or adds a new point
function setCoordinates(names, values) {
  let point = points.find((candidate) => names.some((name) => !Number.isFinite(candidate[name])));
  if (!point) points.push((point = { x: NaN, y: NaN, lon: NaN, lat: NaN }));
  names.forEach((name, index) => { point[name] = values[index]; });
  pointsChanged();
}
function clickFrame([x, y]) {
  const pixel = [Number(x.toFixed(1)), Number((height - y).toFixed(1))];
  if (pixel[0] < 0 || pixel[1] < 0 || pixel[0] > width || pixel[1] > height) return;
  if (drawing) setRegion([...region, pixel]);
  else setCoordinates(["x", "y"], pixel);
}
const clickMap = (coordinate) => setCoordinates(["lon", "lat"], ol.proj.toLonLat(coordinate).map((degrees) => Number(degrees.toFixed(7))));
for (const [map, click] of [[frame, clickFrame], [ground, clickMap]]) {
  map.on("singleclick", ({ coordinate }) => click(coordinate));
  map.getTargetElement().addEventListener("keydown", ({ key }) => key === "Enter" && click(map.getView().getCenter()));
}
element("frame").addEventListener("keydown", ({ key }) => {
  if (drawing && key === "Backspace") setRegion(region.slice(0, -1));
  if (drawing && key === "Escape") element("region").click();
});

function setRegion(corners) {
  region = corners;
  showMessage(fill(texts.corners, { count: region.length }), region.length < 3 ? "warn" : "good");
  draw();
}
element("add").addEventListener("click", () => { points.push({ x: NaN, y: NaN, lon: NaN, lat: NaN }); pointsChanged(); });
element("region").addEventListener("click", () => {
  drawing = !drawing;
  element("region").setAttribute("aria-pressed", String(drawing));
  element("region").textContent = drawing ? texts.region_done : texts.region;
  element(drawing ? "frame" : "region").focus();
  if (drawing) setRegion([]);
  else pointsChanged(false);
});
element("clear").addEventListener("click", () => setRegion([]));
element("save").addEventListener("click", () => calibrate(true));
pointsChanged();
