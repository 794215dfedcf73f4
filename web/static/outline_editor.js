// Correct the outline of the alert on its images: drag its points, draw it anew, or take the detected one again.

const toolbar = document.getElementById("outline-tools");
const asGeoJson = (geometry) => new ol.format.GeoJSON().writeGeometryObject(geometry, { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857", decimals: 8 });

export class OutlineEditor {
  /** `maps`: the two images of the alert (ImageMaps). */
  constructor(maps) {
    this.maps = maps;
    for (const button of toolbar.querySelectorAll("[data-edit]")) button.addEventListener("click", () => this[button.dataset.edit]());
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.done && !document.querySelector("dialog[open]")) this.cancel();
    });
  }

  /** Resolves to a GeoJSON geometry, to "detected", or to null if cancelled. */
  edit() {
    this.cancel();
    const source = this.maps.outlines.getSource();
    this.feature = source.getFeatures().find((feature) => !feature.getStyle());
    this.former = this.feature.getGeometry().clone();
    this.map = this.maps.maps.after.map;
    const features = new ol.Collection([this.feature]);
    this.interactions = ["after", "before"].map((when) => this.use(this.maps.maps[when].map, new ol.interaction.Modify({ features })));
    toolbar.hidden = false;
    toolbar.querySelector("button").focus({ preventScroll: true });
    return new Promise((done) => (this.done = done));
  }

  use(map, interaction) {
    map.addInteraction(interaction);
    return () => map.removeInteraction(interaction);
  }

  redraw() {
    const draw = new ol.interaction.Draw({ type: "Polygon", source: new ol.source.Vector() });
    const stop = this.use(this.map, draw);
    this.interactions.push(stop);
    this.feature.setGeometry(new ol.geom.MultiPolygon([]));
    draw.on("drawend", ({ feature }) => {
      stop();
      this.feature.setGeometry(feature.getGeometry());
    });
  }

  save() {
    const geometry = this.feature.getGeometry();
    if (geometry.getArea() > 0) this.finish(asGeoJson(geometry));
  }

  restore() {
    this.finish("detected");
  }

  /** Put the former outline back, for example because the server refused the new one. */
  reset() {
    this.feature?.setGeometry(this.former);
  }

  cancel() {
    if (!this.done) return;
    this.reset();
    this.finish(null);
  }

  finish(result) {
    for (const stop of this.interactions ?? []) stop();
    toolbar.hidden = true;
    const { done } = this;
    this.done = undefined;
    done?.(result);
  }
}
