// Scenes of the bureau by date: tiles of one date, or of the latest of each place, and a second date to swipe to.
import { deepestZoom } from "/static/tuban.js";

const MOST = 80; // layers at once
const UNDATED = "undated";

export class Images {
  /** `chosen`: { image, compare }, each "latest", "none", a day or "undated"; `changed()` after a choice. */
  constructor(map, swipe, chosen, texts, changed) {
    Object.assign(this, { map, swipe, chosen, texts, changed, scenes: [], layers: new Map(), days: [] });
    this.image = document.getElementById("image");
    this.compare = document.getElementById("compare");
    this.slider = document.getElementById("dates");
    this.image.addEventListener("change", () => this.choose({ image: this.image.value }));
    this.compare.addEventListener("change", () => this.choose({ compare: this.compare.value }));
    this.slider.addEventListener("input", () => this.choose({ image: this.days[Number(this.slider.value)] ?? "latest" }));
  }

  choose(chosen) {
    Object.assign(this.chosen, chosen);
    this.show();
    this.changed();
  }

  /** Features of the scenes in view, the latest first. */
  take(features) {
    this.scenes = features.map((one) => one.properties);
    const counted = new Map();
    for (const { date, source } of this.scenes) {
      const day = date ?? UNDATED;
      const seen = counted.get(day) ?? { count: 0, sources: new Set() };
      seen.count += 1;
      seen.sources.add(source);
      counted.set(day, seen);
    }
    for (const kept of [this.chosen.image, this.chosen.compare]) {
      if (kept && !["latest", "none"].includes(kept) && !counted.has(kept)) counted.set(kept, { count: 0, sources: new Set() });
    }
    this.days = [...counted.keys()].sort((one, two) => (one === UNDATED ? -1 : two === UNDATED ? 1 : one < two ? -1 : 1));
    const said = (day) => {
      const { count, sources } = counted.get(day);
      const name = day === UNDATED ? this.texts.undated : day;
      const from = [...sources].map((source) => this.texts[`source_${source}`] ?? source).join(", ");
      return count ? `${name} · ${from} · ${this.texts.images_count.replace("{count}", count)}` : `${name} · ${this.texts.not_here}`;
    };
    const newest = [...this.days].reverse();
    this.fill(this.image, [["latest", this.texts.latest], ...newest.map((day) => [day, said(day)]), ["none", this.texts.none]]);
    this.fill(this.compare, [["none", this.texts.no_compare], ...newest.map((day) => [day, said(day)])]);
    this.show();
  }

  fill(select, options) {
    const told = options.map(([value, words]) => new Option(words, value));
    select.replaceChildren(...told);
  }

  of(choice) {
    if (choice === "none") return [];
    if (choice === "latest") return this.scenes.slice(0, MOST);
    return this.scenes.filter(({ date }) => (date ?? UNDATED) === choice).slice(0, MOST);
  }

  layer(scene, left) {
    const key = `${left ? "left" : "right"} ${scene.id}`;
    if (!this.layers.has(key)) {
      const extent = ol.proj.transformExtent(scene.bounds, "EPSG:4326", "EPSG:3857");
      const source = new ol.source.XYZ({ url: `/tiles/scenes/${scene.id}/{z}/{x}/{y}`, maxZoom: deepestZoom(scene.gsd_m, scene.bounds[1], 8), transition: 0 });
      this.layers.set(key, new ol.layer.Tile({ source, extent }));
      this.map.addLayer(this.layers.get(key));
    }
    return this.layers.get(key);
  }

  show() {
    const right = this.of(this.chosen.image);
    const left = this.of(this.chosen.compare);
    const shown = new Set();
    const lay = (scenes, isLeft) =>
      scenes.map((scene, index) => {
        const layer = this.layer(scene, isLeft);
        layer.setZIndex(10 + scenes.length - index + (isLeft ? 200 : 0)); // the latest on top
        shown.add(layer);
        return layer;
      });
    const [rights, lefts] = [lay(right, false), lay(left, true)];
    for (const [key, layer] of this.layers) {
      if (shown.has(layer)) continue;
      this.map.removeLayer(layer);
      this.layers.delete(key);
    }
    const parted = this.chosen.compare !== "none";
    this.swipe.part(lefts, rights);
    this.swipe.bar.hidden = !parted;
    this.image.value = this.chosen.image;
    this.compare.value = this.chosen.compare;
    this.slider.max = String(Math.max(0, this.days.length - 1));
    this.slider.disabled = this.days.length < 2;
    const at = this.chosen.image === "latest" ? this.days.length - 1 : this.days.indexOf(this.chosen.image);
    this.slider.value = String(Math.max(0, at));
    this.slider.setAttribute("aria-valuetext", this.chosen.image === "latest" ? this.texts.latest : this.chosen.image);
    for (const [id, choice] of [["swipe-left", this.chosen.compare], ["swipe-right", this.chosen.image]]) {
      const label = document.getElementById(id);
      label.hidden = !parted;
      label.textContent = { latest: this.texts.latest, none: this.texts.none, [UNDATED]: this.texts.undated }[choice] ?? choice;
    }
    document.getElementById("images-told").textContent = this.scenes.length ? "" : this.texts.no_images;
  }
}
