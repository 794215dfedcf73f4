// Who drew or corrected the outline of an alert, fetched when the section is opened.
import { createElement } from "./alert_panel.js";
import { request } from "./tuban.js";

/** Show the closed section. */
export function showEdits(place, alert, t) {
  const details = createElement("details", {}, createElement("summary", {}, t.outline_history));
  details.addEventListener("toggle", () => details.open && load(details, alert, t), { once: true });
  place.replaceChildren(details);
}

async function load(details, alert, t) {
  const { edits } = await request(`${alert.address}/outlines`).catch(() => ({ edits: [] }));
  const rows = [...edits].reverse().map(({ at, who, action_name, why, before_mu, mu }) => {
    const area = before_mu ? `${before_mu} → ${mu} ${t.mu}` : `${mu} ${t.mu}`;
    return createElement("li", {}, createElement("span", { class: "muted" }, at), ` ${action_name} · ${area}`, createElement("br"), createElement("span", { class: "muted" }, `${who} · ${why}`));
  });
  details.append(createElement("ul", { class: "plain log" }, ...(rows.length ? rows : [createElement("li", { class: "muted" }, "–")])));
}
