// The facts of an alert beside its images.
import { fill } from "/static/tuban.js";

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") element.className = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const fixed = (number, digits) => (number === null || number === undefined ? "–" : number.toFixed(digits));

export class Panel {
  /** `undo`: takes back the newest step of the alert that is shown. */
  constructor(texts, undo) {
    this.t = texts;
    this.undo = undo;
    this.places = Object.fromEntries([...document.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  }

  show(alert) {
    this.alert = alert;
    document.title = `${alert.number} · ${document.title.split(" · ").at(-1)}`;
    this.places.number.textContent = alert.number;
    this.places.badges.replaceChildren(
      make("span", { class: `badge ${alert.kind}` }, alert.kind_name),
      make("span", { class: "badge" }, alert.state_name),
      alert.over_cap ? make("span", { class: "badge" }, this.t.over_cap) : "",
      alert.overdue ? make("span", { class: "badge late" }, this.t.overdue) : "",
    );
    this.places.position.textContent = alert.position ? fill(this.t.position, { position: alert.position }) : "";
    for (const when of ["before", "after"]) {
      const { date, source, gsd_m } = alert.images[when];
      this.places[`${when}-caption`].textContent = [this.t[when], date ?? this.t.unknown, source, gsd_m ? `${Number(gsd_m.toPrecision(2))} m` : ""].filter(Boolean).join(" · ");
    }
    this.facts(alert);
    this.overlaps(alert);
    this.history(alert);
    this.cameras(alert);
    this.log(alert);
    this.pictures(alert);
    this.places.sheet.href = `${alert.address}/sheet.pdf?language=${document.documentElement.lang.slice(0, 2)}`;
    this.places.bundle.href = `${alert.address}/bundle.zip`;
    const by = alert.lock.by;
    this.places.locked.hidden = !by;
    this.places.locked.textContent = by ? fill(this.t.locked, { name: by }) : "";
  }

  facts(alert) {
    const { t } = this;
    const residual = alert.residual;
    const rows = [
      [t.area, [make("b", {}, `${fixed(alert.mu, 2)} ${t.mu}`), ` ${Math.round(alert.area_m2).toLocaleString("en").replaceAll(",", " ")} m²`]],
      [t.score, [`${Math.round(alert.score * 100)} %`]],
      [t.sources, [fill(t.times, { times: alert.seen, sources: alert.sources_seen })]],
      [t.place, [alert.place.map(({ name, code }) => name || code).join(" ") || "–"]],
      alert.also_in.length ? [t.also_in, [alert.also_in.join("、")]] : null,
      [t.state, [alert.state_name + (alert.why ? ` · ${alert.why}` : "")]],
      [t.assignee, [alert.assignee_name || t.nobody]],
      alert.due_on ? [t.due, [alert.due_on]] : null,
      alert.rank ? [t.rank, [`${alert.week} · ${alert.rank}`]] : null,
      [t.residual, [residual && residual.metres !== null ? `${fixed(residual.metres, 2)} m · ${fixed(residual.pixels, 1)} ${t.pixels}` : "–"]],
      [t.centre, [`${alert.centre[0].toFixed(6)}, ${alert.centre[1].toFixed(6)}`]],
    ];
    this.places.facts.replaceChildren(...rows.filter(Boolean).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, ...value)]));
    const type = this.places.type;
    type.replaceChildren(
      ...alert.kinds.map((kind) =>
        make("optgroup", { label: kind.words }, make("option", { value: `${kind.name}/` }, `${kind.words} · ${t.no_type}`), ...kind.types.map(({ name, words }) => make("option", { value: `${kind.name}/${name}` }, words))),
      ),
    );
    type.value = `${alert.kind}/${alert.type}`;
  }

  overlaps(alert) {
    const told = (share) => (share ? `${share < 0.01 ? "< 1" : Math.round(share * 100)} %` : this.t.beside);
    const rows = alert.overlaps.map(({ kind, kind_name, layer, dated, share, number }) =>
      make("li", { class: share ? null : "muted" }, make("span", { class: `badge layer ${share ? kind : "none"}` }, kind_name), ` ${layer}${number ? ` ${number}` : ""} · ${told(share)}`, dated ? make("span", { class: "muted" }, ` · ${this.t.dated} ${dated}`) : ""),
    );
    this.places.overlaps.replaceChildren(...(rows.length ? rows : [make("li", { class: "muted" }, this.t.no_overlaps)]));
  }

  /** Bars of the area at each sight; the same as a list for who does not see them. */
  history(alert) {
    const space = "http://www.w3.org/2000/svg";
    const draw = (name, attributes, words) => {
      const element = document.createElementNS(space, name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      if (words) element.textContent = words;
      return element;
    };
    const shown = alert.sights.slice(-8);
    const most = Math.max(...shown.map((sight) => sight.mu), 0.01);
    const wide = 320 / Math.max(shown.length, 4);
    const list = shown.map((sight) => `${sight.after ?? this.t.unknown}: ${fixed(sight.mu, 2)} ${this.t.mu}`).join(", ");
    const chart = draw("svg", { viewBox: "0 0 320 96", role: "img", "aria-label": fill(this.t.growth, { list }), class: "growth" });
    shown.forEach((sight, index) => {
      const tall = Math.max(2, (56 * sight.mu) / most);
      const middle = wide * (index + 0.5);
      chart.append(
        draw("rect", { x: middle - Math.min(16, wide / 3), y: 74 - tall, width: Math.min(32, (2 * wide) / 3), height: tall, class: "bar" }),
        draw("text", { x: middle, y: 69 - tall, class: "value" }, fixed(sight.mu, 1)),
        draw("text", { x: middle, y: 90, class: "day" }, sight.after?.slice(2) ?? "–"),
      );
    });
    const rows = [...alert.sights].reverse().map((sight) => make("li", {}, `${sight.before ?? "?"} → ${sight.after ?? "?"} · ${sight.source} · ${sight.kind_name} · ${fixed(sight.mu, 2)} ${this.t.mu} · ${Math.round(sight.score * 100)} %`));
    this.places.history.replaceChildren(chart, make("ul", { class: "plain small" }, ...rows));
  }

  /** The whole frames in which cameras saw it, the outline drawn over them. */
  cameras(alert) {
    const space = "http://www.w3.org/2000/svg";
    const outlined = ({ size, outlines }) => {
      const drawn = document.createElementNS(space, "svg");
      drawn.setAttribute("viewBox", `0 0 ${size.join(" ")}`);
      drawn.setAttribute("aria-hidden", "true");
      for (const corners of outlines) {
        const ring = document.createElementNS(space, "polygon");
        ring.setAttribute("points", corners.join(" "));
        drawn.append(ring);
      }
      return drawn;
    };
    const shown = alert.cameras.map((sight) => {
      const name = `${sight.camera} · ${sight.view}`;
      const frames = ["before", "after"].map((when) => {
        const words = `${this.t[when]} · ${sight[when].at}`;
        const [width, height] = sight.size;
        const link = make("a", { href: sight[when].address, target: "_blank", rel: "noopener" }, make("img", { src: sight[when].address, alt: `${name} · ${words}`, loading: "lazy", width, height }), outlined(sight));
        return make("figure", { class: "camera-sight" }, link, make("figcaption", { class: "muted small" }, words));
      });
      return make("section", {}, make("h2", {}, `${this.t.camera} ${name}`), ...frames);
    });
    this.places.cameras.replaceChildren(...shown);
  }

  log(alert) {
    const link = (number) => make("a", { href: `/alerts/${encodeURIComponent(number)}` }, number);
    const rows = [...alert.log].reverse().map(({ at, who, role, from, to, why, alerts }) =>
      make("li", {}, make("span", { class: "muted" }, at), ` ${from ? `${from} → ` : ""}${to}`, ...alerts.flatMap((number) => [" ", link(number)]), make("br"), make("span", { class: "muted" }, `${who}（${role}）${why ? ` · ${why}` : ""}`)),
    );
    this.places.log.replaceChildren(...rows);
    if (!alert.can.undo) return;
    const button = make("button", { type: "button", class: "quiet small" }, this.t.undo_step);
    button.addEventListener("click", () => this.undo());
    rows[0].append(" ", button);
  }

  pictures(alert) {
    const kept = ["before", "after"].filter((when) => alert.images[when].picture);
    this.places.pictures.replaceChildren(...kept.map((when) => make("img", { src: alert.images[when].picture, alt: this.t[when], loading: "lazy", width: 240 })));
  }
}
