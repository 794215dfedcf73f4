// The side panel with an alert's details.
import { showEvidence, showFindings } from "./evidence_log.js";
import { fill, formatPlace, root } from "./tuban.js";

export function createElement(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") element.className = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const formatNumber = (number, digits) => (number === null || number === undefined ? "–" : number.toFixed(digits));

const spaced = (number) => Math.round(number).toLocaleString("en").replaceAll(",", " ");

export class Panel {
  /** `undo`: undoes the last step of the shown alert. */
  constructor(texts, undo, merge) {
    this.t = texts;
    this.undo = undo;
    this.merge = merge;
    this.parts = Object.fromEntries([...document.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  }

  show(alert) {
    this.alert = alert;
    document.title = `${alert.number} · ${document.title.split(" · ").at(-1)}`;
    this.parts.number.textContent = alert.number;
    this.parts.badges.replaceChildren(
      createElement("span", { class: `badge ${alert.kind}` }, alert.kind_name),
      createElement("span", { class: "badge" }, alert.state_name),
      alert.over_cap ? createElement("span", { class: "badge" }, this.t.over_cap) : "",
      alert.overdue ? createElement("span", { class: "badge late" }, this.t.overdue) : "",
    );
    this.parts.position.textContent = alert.position ? fill(this.t.position, { position: alert.position + (alert.left ?? 0), total: alert.total + (alert.left ?? 0) }) : "";
    for (const when of ["before", "after"]) {
      const { date, source, gsd_m } = alert.images[when];
      this.parts[`${when}-caption`].textContent = [this.t[when], date ?? this.t.unknown, source, gsd_m ? `${Number(gsd_m.toPrecision(2))} m` : ""].filter(Boolean).join(" · ");
    }
    this.facts(alert);
    this.site(alert);
    this.overlaps(alert);
    this.history(alert);
    this.cameras(alert);
    this.log(alert);
    this.pictures(alert);
    this.parts.sheet.href = `${alert.address}/sheet.pdf?language=${document.documentElement.lang.slice(0, 2)}`;
    this.parts.bundle.href = `${alert.address}/bundle.zip`;
    this.parts.basis.hidden = !alert.basis;
    this.parts.basis.textContent = alert.basis;
    const by = alert.lock.by;
    this.parts.locked.hidden = !by;
    this.parts.locked.textContent = by ? fill(this.t.locked, { name: by }) : "";
  }

  facts(alert) {
    const { t } = this;
    const residual = alert.residual;
    const rows = [
      [t.area, [createElement("b", {}, `${formatNumber(alert.mu, 2)} ${t.mu}`), ` ${spaced(alert.area_m2)} m²`, alert.oblique ? ` ± ${spaced(alert.area_error_m2)} m² · ${t[alert.estimate]}` : ""]],
      [t.dates, [this.dates(alert)]],
      [t.confidence, this.confidence(alert)],
      [t.score, [`${Math.round(alert.score * 100)} %`]],
      [t.sources, [fill(t.times, { times: alert.seen, sources: alert.sources_seen })]],
      [t.place, [alert.place.map(({ name, code }) => name || code).join(" ") || "–"]],
      alert.also_in.length ? [t.also_in, [alert.also_in.join("、")]] : null,
      [t.state, [alert.state_name + (alert.why ? ` · ${alert.why}` : "")]],
      [t.assignee, [alert.assignee_name || t.unassigned]],
      [t.due, [alert.due_on ? createElement("b", { class: alert.overdue ? "late" : null }, alert.due_on) : "–", " · ", createElement("a", { href: `${alert.address}/deadline` }, t.due_link)]],
      alert.supervision ? [t.supervision, [createElement("a", { href: alert.supervision.address, class: alert.supervision.late ? "late" : null }, alert.supervision.words)]] : null,
      [t.sharing, [alert.held.length ? createElement("b", {}, `${t.held}: ${alert.held.join("; ")} `) : null, createElement("a", { href: `${alert.address}/sharing` }, t.sharing_link)].filter(Boolean)],
      alert.rank ? [t.rank, [`${alert.week} · ${alert.rank}`]] : null,
      [t.residual, [residual && residual.metres !== null ? `${formatNumber(residual.metres, 2)} m · ${formatNumber(residual.pixels, 1)} ${t.pixels}` : (residual && residual.remark) || "–"]],
      [t.centre, [formatPlace(...alert.centre), ...alert.navigation.flatMap(({ name, address }) => [" ", createElement("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, name)])]],
      alert.origins.length ? [t.origins, alert.origins.flatMap(({ number, address }) => [createElement("a", { href: address }, number), " "])] : null,
    ];
    this.parts.facts.replaceChildren(...rows.filter(Boolean).flatMap(([name, value]) => [createElement("dt", {}, name), createElement("dd", {}, ...value)]));
    const type = this.parts.type;
    type.replaceChildren(
      ...alert.kinds.map((kind) =>
        createElement("optgroup", { label: kind.words }, createElement("option", { value: `${kind.name}/` }, `${kind.words} · ${t.no_type}`), ...kind.types.map(({ name, words }) => createElement("option", { value: `${kind.name}/${name}` }, words))),
      ),
    );
    type.value = `${alert.kind}/${alert.type}`;
  }

  /** When the works were not there yet, there, and gone. */
  dates(alert) {
    const days = ["not_yet_on", "there_on", "gone_on"].filter((name) => alert[name]).map((name) => fill(this.t[name], { day: alert[name] }));
    return days.join(this.t.comma) || this.t.unknown;
  }

  /** The probability over all sources, and what each contributes. */
  confidence(alert) {
    if (alert.confidence === null) return ["–"];
    const rows = alert.confidence_parts.map(({ source, seen, date, score, detection }) =>
      createElement("li", {}, `${source} ${date ?? ""} · ${fill(seen ? this.t.source_saw : this.t.source_missed, { percent: Math.round((seen ? score : detection) * 100) })}`),
    );
    return [createElement("b", {}, `${Math.round(alert.confidence * 100)} %`), createElement("ul", { class: "plain small muted" }, ...rows)];
  }

  /** The other alerts of its site, and those that touch it and can be merged into it. */
  site(alert) {
    const { t } = this;
    const link = ({ number, address, state_name, mu }) => createElement("li", {}, createElement("a", { href: address }, number), ` · ${state_name} · ${formatNumber(mu, 2)} ${t.mu}`);
    const judged = alert.can.true || alert.can.false || alert.can.bad_imagery;
    this.parts.together.hidden = !(alert.site.length && judged);
    this.parts.together.querySelector("input").checked = false;
    this.parts.together.querySelector("span").textContent = fill(t.together, { count: alert.site.length });
    const rows = alert.site.map(link);
    const touching = alert.touching.map((other) => {
      const button = createElement("button", { type: "button", class: "quiet small" }, t.merge);
      button.addEventListener("click", () => this.merge(other.number));
      const row = link(other);
      row.append(" ", button);
      return row;
    });
    const sections = [[t.site, rows], [t.touching, touching]].filter(([, list]) => list.length);
    this.parts.site.replaceChildren(...sections.flatMap(([name, list]) => [createElement("h2", {}, name), createElement("ul", { class: "plain small" }, ...list)]));
  }

  /** Whether the verdict applies to all alerts of the site. */
  get wholeSite() {
    return !this.parts.together.hidden && this.parts.together.querySelector("input").checked;
  }

  overlaps(alert) {
    const formatShare = (share) => (share ? `${share < 0.01 ? "< 1" : Math.round(share * 100)} %` : this.t.beside);
    const rows = alert.overlaps.map(({ kind, kind_name, layer, dated, share, number, version, to, valid }) => {
      const validity = to ? fill(valid === false ? this.t.layer_not_valid : this.t.layer_until, { day: to }) : "";
      const proof = [dated && `${this.t.dated} ${dated}`, version && fill(this.t.layer_version, { version }), validity].filter(Boolean);
      return createElement("li", { class: share && valid !== false ? null : "muted" }, createElement("span", { class: `badge layer ${share ? kind : "none"}` }, kind_name), ` ${layer}${number ? ` ${number}` : ""} · ${formatShare(share)}`, proof.length ? createElement("span", { class: "muted" }, ` · ${proof.join(" · ")}`) : "");
    });
    this.parts.overlaps.replaceChildren(...(rows.length ? rows : [createElement("li", { class: "muted" }, this.t.no_overlaps)]));
  }

  /** Show the area at each detection as a bar chart, and as a list for screen readers. */
  history(alert) {
    const SVG = "http://www.w3.org/2000/svg";
    const draw = (name, attributes, words) => {
      const element = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      if (words) element.textContent = words;
      return element;
    };
    const shown = alert.sights.slice(-8);
    const largest = Math.max(...shown.map((sight) => sight.mu), 0.01);
    const barWidth = 320 / Math.max(shown.length, 4);
    const list = shown.map((sight) => `${sight.after ?? this.t.unknown}: ${formatNumber(sight.mu, 2)} ${this.t.mu}`).join(", ");
    const chart = draw("svg", { viewBox: "0 0 320 96", role: "img", "aria-label": fill(this.t.growth, { list }), class: "growth" });
    shown.forEach((sight, index) => {
      const barHeight = Math.max(2, (56 * sight.mu) / largest);
      const middle = barWidth * (index + 0.5);
      chart.append(
        draw("rect", { x: middle - Math.min(16, barWidth / 3), y: 74 - barHeight, width: Math.min(32, (2 * barWidth) / 3), height: barHeight, class: "bar" }),
        draw("text", { x: middle, y: 69 - barHeight, class: "value" }, formatNumber(sight.mu, 1)),
        draw("text", { x: middle, y: 90, class: "day" }, sight.after?.slice(2) ?? "–"),
      );
    });
    const rows = [...alert.sights].reverse().map((sight) => createElement("li", {}, `${sight.before ?? "?"} → ${sight.after ?? "?"} · ${sight.source} · ${sight.kind_name} · ${formatNumber(sight.mu, 2)} ${this.t.mu} · ${Math.round(sight.score * 100)} %`));
    this.parts.history.replaceChildren(chart, createElement("ul", { class: "plain small" }, ...rows));
  }

  /** Show the complete frames of the cameras that detected it, with the outline. */
  cameras(alert) {
    const SVG = "http://www.w3.org/2000/svg";
    const drawOutlines = ({ size, outlines }) => {
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", `0 0 ${size.join(" ")}`);
      svg.setAttribute("aria-hidden", "true");
      for (const corners of outlines) {
        const ring = document.createElementNS(SVG, "polygon");
        ring.setAttribute("points", corners.join(" "));
        svg.append(ring);
      }
      return svg;
    };
    const sections = alert.cameras.map((sight) => {
      const name = `${sight.camera} · ${sight.view}`;
      const frames = ["before", "after"].map((when) => {
        const words = `${this.t[when]} · ${sight[when].at}`;
        const [width, height] = sight.size;
        const link = createElement("a", { href: sight[when].address, target: "_blank", rel: "noopener" }, createElement("img", { src: sight[when].address, alt: `${name} · ${words}`, loading: "lazy", width, height }), drawOutlines(sight));
        return createElement("figure", { class: "camera-sight" }, link, createElement("figcaption", { class: "muted small" }, words));
      });
      return createElement("section", {}, createElement("h2", {}, `${this.t.camera} ${name}`), ...frames);
    });
    this.parts.cameras.replaceChildren(...sections);
  }

  log(alert) {
    const link = (number) => createElement("a", { href: `${root}/alerts/${encodeURIComponent(number)}` }, number);
    const rows = [...alert.log].reverse().map(({ at, who, role, from, to, why, alerts, evidence }) =>
      createElement("li", {}, createElement("span", { class: "muted" }, at), ` ${from ? `${from} → ` : ""}${to}`, ...alerts.flatMap((number) => [" ", link(number)]), createElement("br"), createElement("span", { class: "muted" }, `${fill(this.t.bracketed, { name: who, more: role })}${why ? ` · ${why}` : ""}`), evidence.length ? showEvidence(evidence) : ""),
    );
    this.parts.log.replaceChildren(...rows);
    this.parts.findings.replaceChildren(...showFindings(alert.findings, this.t));
    if (!alert.can.undo) return;
    const button = createElement("button", { type: "button", class: "quiet small" }, this.t.undo_step);
    button.addEventListener("click", () => this.undo());
    rows[0].append(" ", button);
  }

  pictures(alert) {
    const stored = ["before", "after"].filter((when) => alert.images[when].picture);
    this.parts.pictures.replaceChildren(...stored.map((when) => createElement("img", { src: alert.images[when].picture, alt: this.t[when], loading: "lazy", width: 240 })));
  }
}
