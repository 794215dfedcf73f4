// Measuring tools of the map, by pointer or by keyboard with the crosshair in its centre.
import { areaOf, lengthOf, formatArea, formatLength } from "./measure.js";

export class Measure {
  constructor(map, texts) {
    this.map = map;
    this.texts = texts;
    this.source = new ol.source.Vector();
    const style = [
      new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#fff", width: 5 }) }),
      new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#0b5d4e", width: 2.5 }), fill: new ol.style.Fill({ color: "rgba(11,93,78,.18)" }), image: new ol.style.Circle({ radius: 5, fill: new ol.style.Fill({ color: "#0b5d4e" }), stroke: new ol.style.Stroke({ color: "#fff", width: 2 }) }) }),
    ];
    this.style = style;
    map.addLayer(new ol.layer.Vector({ source: this.source, style, zIndex: 900 }));
    this.output = document.getElementById("measured");
    this.buttons = { LineString: document.getElementById("measure-length"), Polygon: document.getElementById("measure-area") };
    this.helpers = ["measure-point", "measure-done", "cross"].map((id) => document.getElementById(id));
    for (const [kind, button] of Object.entries(this.buttons)) button.addEventListener("click", () => (this.kind === kind ? this.stop() : this.start(kind)));
    this.helpers[0].addEventListener("click", () => this.draw?.appendCoordinates([map.getView().getCenter()]));
    this.helpers[1].addEventListener("click", () => this.draw?.finishDrawing());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.kind && this.stop());
  }

  start(kind) {
    this.stop();
    this.kind = kind;
    this.draw = new ol.interaction.Draw({ source: this.source, type: kind, style: this.style });
    this.draw.on("drawstart", ({ feature }) => {
      this.source.clear();
      feature.getGeometry().on("change", ({ target }) => this.showResult(target));
    });
    this.draw.on("drawend", ({ feature }) => this.showResult(feature.getGeometry()));
    this.map.addInteraction(this.draw);
    this.updateControls();
    this.output.textContent = this.texts.measure_begin;
  }

  stop() {
    if (this.draw) this.map.removeInteraction(this.draw);
    this.draw = this.kind = null;
    this.source.clear();
    this.output.textContent = "";
    this.updateControls();
  }

  updateControls() {
    for (const [kind, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(kind === this.kind));
    for (const helper of this.helpers) helper.hidden = !this.kind;
    const target = this.map.getTargetElement();
    target.classList.toggle("drawing", Boolean(this.kind));
    const crosshair = this.helpers[2];
    crosshair.style.left = `${target.offsetLeft + target.offsetWidth / 2}px`;
    crosshair.style.top = `${target.offsetTop + target.offsetHeight / 2}px`;
  }

  showResult(geometry) {
    const coordinates = this.kind === "Polygon" ? geometry.getCoordinates()[0] : geometry.getCoordinates();
    const places = coordinates.map((place) => ol.proj.toLonLat(place));
    if (this.kind !== "Polygon") this.output.textContent = formatLength(lengthOf(places));
    else if (places.length > 3) this.output.textContent = `${formatArea(areaOf(places.slice(0, -1)), this.texts.mu)} · ${formatLength(lengthOf(places))}`;
  }
}
