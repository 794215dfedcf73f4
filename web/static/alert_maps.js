// The two images of an alert: side by side, or stacked with swipe, blink or difference.
import { fetchPicture } from "./alert_cache.js";
import { chooseSplitLine } from "./alert_split_line.js";

const EMPTY_IMAGE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
const COLOURS = { construction: "#ff5a3c", ground: "#ffd23f", demolition: "#5cc8ff" };
const MAX_TILE_ZOOM = 23;
const BLINK_MS = 380; // less than three flashes per second, the accessibility limit

const toMercator = (geometry) => new ol.format.GeoJSON().readGeometry(geometry, { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" });
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

function strokes(colour, width) {
  return [
    new ol.style.Style({ stroke: new ol.style.Stroke({ color: "rgba(16,16,16,.85)", width: width + 2.5 }) }),
    new ol.style.Style({ stroke: new ol.style.Stroke({ color: colour, width }) }),
  ];
}

export class ImageMaps {
  constructor(viewer, before, after, swipe) {
    this.viewer = viewer;
    this.swipe = swipe;
    this.mode = "side";
    this.outlined = true;
    this.view = new ol.View({ center: [0, 0], zoom: 16, maxZoom: 25, enableRotation: false, constrainResolution: false });
    this.outlines = new ol.layer.Vector({ source: new ol.source.Vector(), zIndex: 5 });
    this.maps = {};
    for (const [when, id] of Object.entries({ before, after })) {
      const target = document.getElementById(id);
      const controls = when === "after" ? [new ol.control.ScaleLine()] : [];
      const layer = new ol.layer.Tile({ source: null, preload: 0 });
      const outline = new ol.layer.Vector({ source: this.outlines.getSource(), zIndex: 5 });
      this.maps[when] = { map: new ol.Map({ target, view: this.view, controls, layers: [layer, outline], pixelRatio: Math.min(2, devicePixelRatio) }), layer, outline, target };
    }
    swipe.addEventListener("input", () => this.updateClip());
    new ResizeObserver(() => this.updateSize()).observe(viewer);
  }

  updateSize() {
    for (const { map } of Object.values(this.maps)) map.updateSize();
    this.updateClip();
  }

  source(alert, when, tiles = alert.images[when].tiles) {
    if (!tiles) return null;
    // the server enlarges coarse images: the browser would do it tile by tile, with a visible seam between them
    const source = new ol.source.XYZ({ url: `${tiles}/{z}/{x}/{y}`, maxZoom: MAX_TILE_ZOOM, transition: 0, interpolate: true });
    source.setTileLoadFunction(async (tile, address) => {
      const objectUrl = await fetchPicture(address);
      if (objectUrl === null) this.missing?.(alert.number, when);
      tile.getImage().src = objectUrl ?? EMPTY_IMAGE;
    });
    return source;
  }

  /** Return the initial extent: the alert with surroundings, at least 60 metres. */
  extent(alert) {
    const [left, bottom, right, top] = toMercator(alert.outline).getExtent();
    const minSide = 60 / Math.cos((alert.centre[1] * Math.PI) / 180);
    const side = Math.max(1.8 * (right - left), 1.8 * (top - bottom), minSide) / 2;
    const [x, y] = [(left + right) / 2, (bottom + top) / 2];
    return [x - side, y - side, x + side, y + side];
  }

  show(alert) {
    this.splitting?.cancel();
    this.alert = alert;
    const source = this.outlines.getSource();
    source.clear();
    source.addFeature(new ol.Feature(toMercator(alert.outline)));
    if (alert.ellipse) {
      const ellipse = new ol.Feature(toMercator(alert.ellipse));
      ellipse.setStyle(new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#ffffff", width: 2, lineDash: [6, 5] }) }));
      source.addFeature(ellipse);
    }
    for (const [when, { layer, outline }] of Object.entries(this.maps)) {
      outline.setStyle(strokes(COLOURS[alert.kind], 2.5));
      layer.setSource(this.source(alert, when));
    }
    this.fit();
  }

  /** Show another image on one side; `tiles`: address of its tiles. */
  setImage(when, tiles) {
    this.maps[when].layer.setSource(this.source(this.alert, when, tiles));
  }

  /** Replace the outline of the alert, for example by that of an earlier day. */
  setGeometry(geometry) {
    this.outlines.getSource().getFeatures().find((feature) => !feature.getStyle()).setGeometry(geometry);
  }

  fit() {
    this.view.fit(this.extent(this.alert), { size: this.maps.after.map.getSize() });
  }

  /** Prefetch the tiles of the initial extent. */
  prepare(alert) {
    const size = this.maps.after.map.getSize();
    if (!size) return Promise.resolve();
    const extent = this.extent(alert);
    const resolution = this.view.getResolutionForExtent(extent, size);
    const [x, y] = [(extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2];
    const [w, h] = [(size[0] * resolution) / 2, (size[1] * resolution) / 2];
    const fetched = [];
    for (const when of ["before", "after"]) {
      const source = this.source(alert, when);
      if (!source) continue;
      const tiles = source.getTileGrid();
      const tileUrl = source.getTileUrlFunction();
      const zoom = tiles.getZForResolution(resolution, 0);
      tiles.forEachTileCoord([x - w, y - h, x + w, y + h], zoom, (coordinate) => fetched.push(fetchPicture(tileUrl(coordinate, 1, this.view.getProjection()))));
    }
    return Promise.all(fetched);
  }

  /** Resolve when both images are drawn. */
  drawn() {
    const rendered = ({ map }) => new Promise((done) => (map.once("rendercomplete", done), map.render()));
    return Promise.all(Object.values(this.maps).map(rendered));
  }

  setMode(mode) {
    this.mode = mode;
    this.viewer.dataset.mode = mode;
    this.setOutline(this.outlined);
    this.swipe.parentElement.hidden = mode !== "swipe";
    this.updateSize();
  }

  updateClip() {
    const clip = this.mode === "swipe" ? `inset(0 ${100 - this.swipe.value}% 0 0)` : "";
    this.maps.before.target.style.clipPath = clip;
  }

  setOutline(shown) {
    this.outlined = shown;
    this.maps.after.outline.setVisible(shown);
    this.maps.before.outline.setVisible(shown && this.mode !== "difference"); // the difference of two equal outlines is black
  }

  /** Alternate the images while the key is held; with reduced motion, show the earlier one. */
  blink(on) {
    if (on === (this.blinking !== undefined)) return;
    if (!on) {
      clearInterval(this.blinking);
      this.blinking = undefined;
      delete this.viewer.dataset.blink;
      return this.setMode(this.modeBeforeBlink);
    }
    this.modeBeforeBlink = this.mode;
    this.setMode("blink");
    this.viewer.dataset.blink = "before";
    const toggle = () => (this.viewer.dataset.blink = this.viewer.dataset.blink === "before" ? "after" : "before");
    this.blinking = setInterval(reducedMotion.matches ? () => {} : toggle, BLINK_MS);
  }

  /** Let the user choose a line through the outline; returns longitudes and latitudes, or null if cancelled. */
  async chooseLine(hint) {
    this.fit();
    const { map, target } = this.maps.after;
    this.splitting = chooseSplitLine(toMercator(this.alert.outline), map, [map, this.maps.before.map], hint);
    this.viewer.dataset.splitting = "";
    target.focus({ preventScroll: true });
    const line = await this.splitting.done;
    delete this.viewer.dataset.splitting;
    this.splitting = undefined;
    return line;
  }
}

/** The small map with the village boundaries and the position of the alert. */
export class LocationMap {
  constructor(target) {
    this.areas = new ol.source.Vector();
    this.place = new ol.source.Vector();
    const style = (feature) => [
      new ol.style.Style({
        stroke: new ol.style.Stroke({ color: feature.get("own") ? "#d9730d" : "#7a8a85", width: feature.get("own") ? 2 : 1, lineDash: feature.get("level") === "village" ? undefined : [5, 4] }),
        text: feature.get("level") === "village" ? new ol.style.Text({ text: feature.get("name"), font: "12px system-ui, sans-serif", fill: new ol.style.Fill({ color: "#17221f" }), stroke: new ol.style.Stroke({ color: "#ffffff", width: 3 }), overflow: true }) : undefined,
      }),
    ];
    const dot = new ol.style.Style({ image: new ol.style.Circle({ radius: 6, fill: new ol.style.Fill({ color: "#d61a1a" }), stroke: new ol.style.Stroke({ color: "#ffffff", width: 2 }) }) });
    const layers = [new ol.layer.Vector({ source: this.areas, style, declutter: true }), new ol.layer.Vector({ source: this.place, style: dot })];
    this.map = new ol.Map({ target, controls: [], interactions: [], layers, view: new ol.View({ enableRotation: false }) });
  }

  show(alert) {
    const own = alert.place.at(-1)?.code;
    this.areas.clear();
    this.areas.addFeatures(alert.areas.map((area) => new ol.Feature({ geometry: toMercator(area.outline), name: area.name, level: area.level, own: area.code === own })));
    this.place.clear();
    this.place.addFeature(new ol.Feature(new ol.geom.Point(ol.proj.fromLonLat(alert.centre))));
    const village = alert.areas.find((area) => area.code === own);
    const around = village ? toMercator(village.outline).getExtent() : toMercator(alert.outline).getExtent();
    this.map.updateSize();
    this.map.getView().fit(around, { size: this.map.getSize(), padding: [12, 12, 12, 12], maxZoom: 16 });
  }
}
