// All images of an alert's place: a slider for each side, so that any two dates can be compared, and the area over time.
import { createElement } from "./alert_panel.js";
import { fill, request } from "./tuban.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 640;
const HEIGHT = 110;
const LEFT = 34;
const BASE = 86;
const TOP = 14;

export class PlaceDates {
  /** `bar`: element for the sliders; `button`: shows and hides it; `maps`: the two images; `captions`: their captions. */
  constructor(bar, button, maps, captions, t) {
    Object.assign(this, { bar, button, maps, captions, t, open: false });
    bar.hidden = true;
    button.setAttribute("aria-expanded", "false");
  }

  toggle() {
    this.open = !this.open;
    this.button.setAttribute("aria-expanded", String(this.open));
    if (this.open) this.load();
    else this.close();
  }

  /** Another alert is shown: its default images are there already. */
  show(alert) {
    this.alert = alert;
    this.history = undefined;
    if (this.open) this.load();
  }

  close() {
    this.bar.hidden = true;
    if (this.history) this.reset();
    this.maps.updateSize();
  }

  async load() {
    const { alert, t } = this;
    let history;
    try {
      history = await request(`${alert.address}/images`);
    } catch (error) {
      this.bar.replaceChildren(createElement("p", { class: "muted" }, error.message));
      this.bar.hidden = false;
      return;
    }
    if (this.alert !== alert || !this.open) return;
    this.history = history;
    const { images } = history;
    this.bar.hidden = false;
    if (images.length < 2) {
      this.bar.replaceChildren(createElement("p", { class: "muted" }, t.one_image));
      return this.maps.updateSize();
    }
    const find = (when, otherwise) => {
      const index = images.findIndex((image) => image.date === alert.images[when].date);
      return index < 0 ? otherwise : index;
    };
    this.shown = { before: find("before", 0), after: find("after", images.length - 1) };
    this.sliders = {};
    const slider = (when, label) => {
      const input = createElement("input", { type: "range", min: 0, max: images.length - 1, step: 1, value: this.shown[when], "data-when": when });
      const output = createElement("output", {});
      input.addEventListener("input", () => this.choose(when, Number(input.value)));
      this.sliders[when] = { input, output };
      return createElement("label", {}, `${label} `, output, input);
    };
    const back = createElement("button", { type: "button", class: "small" }, t.show_pair);
    back.addEventListener("click", () => this.reset());
    this.chart = createElement("div", { class: "chart" });
    this.bar.replaceChildren(slider("before", t.left_image), slider("after", t.right_image), back, this.chart);
    this.label();
    this.maps.updateSize();
  }

  choose(when, index) {
    this.shown[when] = index;
    const image = this.history.images[index];
    this.maps.setImage(when, image.tiles);
    this.captions[when].textContent = this.words(image);
    this.label();
  }

  reset() {
    for (const when of ["before", "after"]) {
      this.maps.setImage(when, this.alert.images[when].tiles);
      const { date, source, gsd_m } = this.alert.images[when];
      this.captions[when].textContent = [this.t[when], this.words({ date: date ?? this.t.unknown, source, gsd_m })].join(" · ");
      const index = this.history.images.findIndex((image) => image.date === date);
      if (this.sliders && index >= 0) this.sliders[when].input.value = this.shown[when] = index;
    }
    if (this.sliders) this.label();
  }

  words({ date, source, gsd_m }) {
    return [date, source, gsd_m ? `${Number(gsd_m.toPrecision(2))} m` : ""].filter(Boolean).join(" · ");
  }

  label() {
    for (const [when, { input, output }] of Object.entries(this.sliders)) {
      const image = this.history.images[this.shown[when]];
      const area = image.mu === null ? "" : ` · ${image.gone ? this.t.gone_short : `${image.mu.toFixed(2)} ${this.t.mu}`}`;
      output.textContent = `${image.date} · ${image.source}${area}`;
      input.setAttribute("aria-valuetext", output.textContent);
    }
    this.chart.replaceChildren(this.draw());
  }

  /** The area over time in mu; a click on a day shows its image on the right. */
  draw() {
    const { areas, images } = this.history;
    const { t } = this;
    const days = [...new Set([...areas.map(({ day }) => day), ...images.map(({ date }) => date)])].sort();
    const first = Date.parse(days[0]);
    const span = Math.max(1, Date.parse(days.at(-1)) - first);
    const most = Math.max(0.01, ...areas.map(({ mu }) => mu));
    const x = (day) => LEFT + ((WIDTH - LEFT - 50) * (Date.parse(day) - first)) / span;
    const y = (mu) => BASE - ((BASE - TOP) * mu) / most;
    const make = (name, attributes, words) => {
      const element = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      if (words) element.textContent = words;
      return element;
    };
    const list = areas.map(({ day, mu }) => `${day}: ${mu.toFixed(2)} ${t.mu}`).join(", ");
    const chart = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "area-chart", role: "img", "aria-label": fill(t.growth_words, { list }) });
    chart.append(make("line", { x1: LEFT, x2: WIDTH - 8, y1: BASE, y2: BASE, class: "axis" }), make("text", { x: 2, y: TOP + 4 }, `${most.toFixed(1)}`), make("text", { x: 2, y: BASE }, `0 ${t.mu}`));
    // the area of a day holds until the next comparison
    const points = areas.flatMap(({ day, mu }, index) => [...(index ? [`${x(day)},${y(areas[index - 1].mu)}`] : []), `${x(day)},${y(mu)}`]);
    chart.append(make("polyline", { points: points.join(" "), class: "line" }));
    let labelled = -Infinity;
    for (const { day, mu } of areas) {
      if (mu > 0) chart.append(make("text", { x: x(day) + 5, y: y(mu) - 4, class: "value" }, mu.toFixed(2)));
    }
    images.forEach((image, index) => {
      const shown = index === this.shown.before || index === this.shown.after;
      const dot = make("circle", { cx: x(image.date), cy: y(image.mu ?? 0), r: shown ? 5 : 4, class: shown ? "shown" : "" });
      dot.append(make("title", {}, this.words(image)));
      dot.addEventListener("click", () => {
        this.sliders.after.input.value = index;
        this.choose("after", index);
      });
      chart.append(dot);
      if (x(image.date) - labelled > 62) {
        const end = x(image.date) > WIDTH - 60; // the last label ends at its day
        chart.append(make("text", { x: x(image.date) + (end ? 14 : -10), y: HEIGHT - 8, "text-anchor": end ? "end" : "start" }, image.date));
        labelled = x(image.date);
      }
    });
    return chart;
  }
}
