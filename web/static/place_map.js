// A map with the latest images and the alerts, on which a place, an outline or a line is chosen.
import { addBaseMap } from "./base_map.js";
import { maxImageZoom, request, root } from "./tuban.js";

const IMAGES_FROM = 12; // zoom from which images are shown
const MAX_IMAGES = 6;

const style = {
  area: new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#6b6f76", width: 1.5, lineDash: [2, 4] }) }),
  place: () => [
    new ol.style.Style({ image: new ol.style.Circle({ radius: 8, stroke: new ol.style.Stroke({ color: "#fff", width: 4 }) }) }),
    new ol.style.Style({ image: new ol.style.Circle({ radius: 8, stroke: new ol.style.Stroke({ color: "#d9001b", width: 2.5 }) }) }),
  ],
  line: (color, dash) => [
    new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#fff", width: 5 }) }),
    new ol.style.Style({ stroke: new ol.style.Stroke({ color, width: 2.5, lineDash: dash }), fill: new ol.style.Fill({ color: "rgb(217 0 27 / .12)" }) }),
  ],
  corners: new ol.style.Style({ image: new ol.style.Circle({ radius: 4, fill: new ol.style.Fill({ color: "#d9001b" }), stroke: new ol.style.Stroke({ color: "#fff", width: 1.5 }) }) }),
};

export class PlaceMap {
  #images = new Map();
  #draw = null;
  #load = 0;

  /** `settings`: extent, wmts; `onPlace(lon, lat)` is called for a click while nothing is drawn. */
  constructor(target, settings, onPlace) {
    const vector = (styles, zIndex) => new ol.layer.Vector({ source: new ol.source.Vector(), style: styles, zIndex });
    this.areas = vector(style.area, 500);
    this.alerts = vector(style.line("#e8590c", [6, 4]), 600);
    this.lines = vector((feature) => style.line(feature.get("gap") ? "#6b6f76" : "#1864ab", feature.get("gap") ? [3, 7] : undefined), 700);
    this.circle = vector(style.line("#d9001b", [4, 4]), 800);
    this.drawn = vector((feature) => (feature.getGeometry().getType() === "LineString" ? style.line("#1864ab") : style.line("#d9001b")), 810);
    this.place = vector(style.place(), 900);
    this.view = new ol.View({ center: [0, 0], zoom: 4, maxZoom: 21 });
    this.map = new ol.Map({ target, view: this.view, layers: [this.areas, this.alerts, this.lines, this.circle, this.drawn, this.place], controls: [new ol.control.Zoom({ zoomInTipLabel: document.body.dataset.zoomIn, zoomOutTipLabel: document.body.dataset.zoomOut }), new ol.control.ScaleLine({ minWidth: 80 })] });
    this.fit(settings.extent, 17);
    if (settings.wmts) addBaseMap(this.map, settings.wmts, { checked: true, addEventListener() {} }).catch(() => {});
    this.map.on("singleclick", (event) => {
      if (!this.#draw && onPlace) onPlace(...ol.proj.toLonLat(event.coordinate));
    });
    this.map.on("moveend", () => this.load());
    this.map.once("postrender", () => setTimeout(() => this.load())); // the initial view triggers no moveend
    new ResizeObserver(() => this.map.updateSize()).observe(document.getElementById(target));
  }

  fit(extent, maxZoom = 18) {
    this.view.fit(ol.proj.transformExtent(extent, "EPSG:4326", "EPSG:3857"), { size: this.map.getSize(), padding: [30, 30, 30, 30], maxZoom });
  }

  /** Load the latest images and the alerts of the view. */
  async load() {
    const current = ++this.#load;
    const zoom = this.view.getZoom();
    const box = ol.proj.transformExtent(this.view.calculateExtent(this.map.getSize()), "EPSG:3857", "EPSG:4326");
    const query = `bbox=${box.map((value) => value.toFixed(7)).join()}&zoom=${zoom.toFixed(2)}`;
    const near = zoom >= IMAGES_FROM;
    const [areas, scenes, alerts] = await Promise.allSettled([request(`${root}/map/areas?${query}`), near ? request(`${root}/map/scenes?${query}`) : null, near ? request(`${root}/map/alerts?${query}`) : null]);
    if (current !== this.#load) return;
    if (areas.value) this.#show(this.areas, areas.value);
    if (scenes.value) this.#showImages(scenes.value.features.slice(0, MAX_IMAGES));
    if (alerts.value) this.#show(this.alerts, alerts.value.outlines);
    this.map.getTargetElement().dataset.loaded = String(current);
  }

  #show(layer, collection) {
    layer.getSource().clear(true);
    layer.getSource().addFeatures(new ol.format.GeoJSON().readFeatures(collection, { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" }));
  }

  #showImages(scenes) {
    const wanted = new Set(scenes.map(({ properties }) => properties.id));
    for (const [id, layer] of this.#images) {
      if (!wanted.has(id)) {
        this.map.removeLayer(layer);
        this.#images.delete(id);
      }
    }
    scenes.forEach(({ properties: { id, gsd_m: gsd, bounds } }, index) => {
      if (!this.#images.has(id)) {
        const extent = ol.proj.transformExtent(bounds, "EPSG:4326", "EPSG:3857");
        const source = new ol.source.XYZ({ url: `${root}/tiles/scenes/${id}/{z}/{x}/{y}`, maxZoom: maxImageZoom(gsd, bounds[1], 10) });
        const layer = new ol.layer.Tile({ source, extent });
        this.#images.set(id, layer);
        this.map.addLayer(layer);
      }
      this.#images.get(id).setZIndex(100 - index); // the latest one on top
    });
  }

  /** Show a place with the circle in which it may be; `radius` in metres, 0: none. */
  showPlace(lon, lat, radius = 0, move = true) {
    const center = ol.proj.fromLonLat([lon, lat]);
    this.place.getSource().clear(true);
    this.place.getSource().addFeature(new ol.Feature(new ol.geom.Point(center)));
    this.circle.getSource().clear(true);
    if (radius > 0) this.circle.getSource().addFeature(new ol.Feature(ol.geom.Polygon.fromCircle(new ol.geom.Circle(center, radius / Math.cos((lat * Math.PI) / 180)), 48)));
    if (move) {
      this.view.setCenter(center);
      this.view.setZoom(Math.max(17, this.view.getZoom()));
    }
  }

  /** Draw a Polygon or a LineString; `onDrawn` gets its corners as [lon, lat]. */
  draw(type, onDrawn) {
    this.stopDrawing();
    this.drawn.getSource().clear(true);
    this.#draw = new ol.interaction.Draw({ source: this.drawn.getSource(), type, style: [...style.line("#d9001b", [6, 4]), style.corners] });
    this.#draw.on("drawend", ({ feature }) => {
      const coordinates = feature.getGeometry().getCoordinates();
      const corners = (type === "Polygon" ? coordinates[0].slice(0, -1) : coordinates).map((place) => ol.proj.toLonLat(place));
      setTimeout(() => this.stopDrawing()); // after the click that ends it
      onDrawn(corners);
    });
    this.map.addInteraction(this.#draw);
  }

  stopDrawing() {
    if (this.#draw) this.map.removeInteraction(this.#draw);
    this.#draw = null;
  }

  removeLastPoint() {
    this.#draw?.removeLastPoint();
  }

  clearDrawing() {
    this.stopDrawing();
    this.drawn.getSource().clear(true);
  }

  /** Show the segments of a track, and its gaps as dotted straight lines. */
  showTrack(segments, gaps) {
    const line = (places, gap) => new ol.Feature({ geometry: new ol.geom.LineString(places.map((place) => ol.proj.fromLonLat(place))), gap });
    this.lines.getSource().addFeatures([...segments.filter((one) => one.length > 1).map((one) => line(one, false)), ...gaps.map((gap) => line([gap.from, gap.to], true))]);
    if (segments.length) this.view.fit(this.lines.getSource().getExtent(), { size: this.map.getSize(), padding: [40, 40, 40, 40], maxZoom: 17 });
  }
}
