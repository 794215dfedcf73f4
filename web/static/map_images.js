// Scenes on the map by date: tiles of one date, or the latest everywhere, and a second date for the swipe.
import { maxImageZoom, root } from "./tuban.js";

const MAX_LAYERS = 80; // at the same time
const UNDATED = "undated";

export class Images {
  /** `selection`: { image, compare }, each "latest", "none", a day or "undated"; `onChange()`: called after a selection. */
  constructor(map, swipe, selection, texts, onChange) {
    Object.assign(this, { map, swipe, selection, texts, onChange, scenes: [], layers: new Map(), days: [] });
    this.image = document.getElementById("image");
    this.compare = document.getElementById("compare");
    this.slider = document.getElementById("dates");
    this.image.addEventListener("change", () => this.select({ image: this.image.value }));
    this.compare.addEventListener("change", () => this.select({ compare: this.compare.value }));
    this.slider.addEventListener("input", () => this.select({ image: this.days[Number(this.slider.value)] ?? "latest" }));
  }

  select(selection) {
    Object.assign(this.selection, selection);
    this.show();
    this.onChange();
  }

  /** Set the features of the scenes in view, latest first. */
  setScenes(features) {
    this.scenes = features.map(({ properties }) => properties);
    const byDay = new Map();
    for (const { date, source } of this.scenes) {
      const day = date ?? UNDATED;
      const seen = byDay.get(day) ?? { count: 0, sources: new Set() };
      seen.count += 1;
      seen.sources.add(source);
      byDay.set(day, seen);
    }
    for (const day of [this.selection.image, this.selection.compare]) {
      if (day && !["latest", "none"].includes(day) && !byDay.has(day)) byDay.set(day, { count: 0, sources: new Set() });
    }
    this.days = [...byDay.keys()].sort((one, two) => (one === UNDATED ? -1 : two === UNDATED ? 1 : one < two ? -1 : 1));
    const label = (day) => {
      const { count, sources } = byDay.get(day);
      const name = day === UNDATED ? this.texts.undated : day;
      const from = [...sources].map((source) => this.texts[`source_${source}`] ?? source).join(", ");
      return count ? `${name} · ${from} · ${this.texts.images_count.replace("{count}", count)}` : `${name} · ${this.texts.not_here}`;
    };
    const newest = [...this.days].reverse();
    this.fill(this.image, [["latest", this.texts.latest], ...newest.map((day) => [day, label(day)]), ["none", this.texts.none]]);
    this.fill(this.compare, [["none", this.texts.no_compare], ...newest.map((day) => [day, label(day)])]);
    this.show();
  }

  fill(select, options) {
    const elements = options.map(([value, words]) => new Option(words, value));
    select.replaceChildren(...elements);
  }

  scenesFor(choice) {
    if (choice === "none") return [];
    if (choice === "latest") return [...this.scenes].sort((one, other) => (one.source === "camera") - (other.source === "camera")).slice(0, MAX_LAYERS); // images from above lie on camera frames
    return this.scenes.filter(({ date }) => (date ?? UNDATED) === choice).slice(0, MAX_LAYERS);
  }

  layer(scene, left) {
    const key = `${left ? "left" : "right"} ${scene.id}`;
    if (!this.layers.has(key)) {
      const extent = ol.proj.transformExtent(scene.bounds, "EPSG:4326", "EPSG:3857");
      const source = new ol.source.XYZ({ url: `${root}/tiles/scenes/${scene.id}/{z}/{x}/{y}`, maxZoom: maxImageZoom(scene.gsd_m, scene.bounds[1], 8), transition: 0 });
      this.layers.set(key, new ol.layer.Tile({ source, extent }));
      this.map.addLayer(this.layers.get(key));
    }
    return this.layers.get(key);
  }

  show() {
    const right = this.scenesFor(this.selection.image);
    const left = this.scenesFor(this.selection.compare);
    const shown = new Set();
    const addLayers = (scenes, isLeft) =>
      scenes.map((scene, index) => {
        const layer = this.layer(scene, isLeft);
        layer.setZIndex(10 + scenes.length - index + (isLeft ? 200 : 0)); // the latest on top
        shown.add(layer);
        return layer;
      });
    const [rightLayers, leftLayers] = [addLayers(right, false), addLayers(left, true)];
    for (const [key, layer] of this.layers) {
      if (shown.has(layer)) continue;
      this.map.removeLayer(layer);
      this.layers.delete(key);
    }
    const comparing = this.selection.compare !== "none";
    this.swipe.setLayers(leftLayers, rightLayers);
    this.swipe.bar.hidden = !comparing;
    this.image.value = this.selection.image;
    this.compare.value = this.selection.compare;
    this.slider.max = String(Math.max(0, this.days.length - 1));
    this.slider.disabled = this.days.length < 2;
    const at = this.selection.image === "latest" ? this.days.length - 1 : this.days.indexOf(this.selection.image);
    this.slider.value = String(Math.max(0, at));
    this.slider.setAttribute("aria-valuetext", this.selection.image === "latest" ? this.texts.latest : this.selection.image);
    for (const [id, choice] of [["swipe-left", this.selection.compare], ["swipe-right", this.selection.image]]) {
      const label = document.getElementById(id);
      label.hidden = !comparing;
      label.textContent = { latest: this.texts.latest, none: this.texts.none, [UNDATED]: this.texts.undated }[choice] ?? choice;
    }
    document.getElementById("images-message").textContent = this.scenes.length ? "" : this.texts.no_images;
  }
}
