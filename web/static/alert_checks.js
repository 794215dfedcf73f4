// Checks on the ground in the alert's panel: how much has arrived, findings, photos with their records, kept steps.
import { createElement } from "./alert_panel.js";
import { fill, notice, post, request } from "./tuban.js";

const POLL_MS = 5000; // while a phone is sending

function photo(one, texts) {
  const links = [
    one.stamped && createElement("a", { href: one.stamped, target: "_blank", rel: "noopener" }, texts.stamped),
    one.black_out && createElement("a", { href: one.black_out }, texts.black_out),
  ].filter(Boolean);
  const picture = one.shown ? createElement("a", { href: one.shown, target: "_blank", rel: "noopener", "aria-label": `${texts.open_photo} ${one.shot}` }, createElement("img", { src: one.shown, alt: one.shot, loading: "lazy", width: 160 })) : null;
  const notes = one.notes.map((words) => createElement("span", { class: "note" }, words));
  return createElement("figure", { class: "check-photo" }, picture, createElement("figcaption", { class: "small" }, createElement("b", {}, one.shot), ` ${one.record.join(" · ")} `, ...notes, " ", ...links.flatMap((link) => [link, " "])));
}

/** Form that applies kept findings as those of their officer. */
function applyForm(check, texts, address) {
  const why = createElement("textarea", { name: "why", rows: 2, maxlength: 500, required: "" });
  const button = createElement("button", {}, texts.apply);
  const form = createElement("form", { class: "apply-findings" }, createElement("p", { class: "small" }, fill(texts.apply_hint, { who: check.who })), createElement("label", {}, texts.apply_why, why), button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await post(`${address}/checks/${check.uid}/apply`, { why: why.value });
      location.reload();
    } catch (error) {
      notice(error.message);
      button.disabled = false;
    }
  });
  return form;
}

function section(check, texts, address) {
  const rows = check.findings.flatMap(([name, value]) => [createElement("dt", {}, name), createElement("dd", {}, value)]);
  const steps = check.steps.map((step) => createElement("li", {}, `${step.kind} · `, createElement("b", {}, step.state_name), step.reason ? ` · ${step.reason}` : ""));
  const arrived = createElement("b", {}, fill(texts.arrived, { arrived: check.arrived, total: check.total }));
  return createElement("section", { class: "field-check" }, createElement("p", {}, `${check.who} · ${check.at} · `, arrived), createElement("dl", {}, ...rows), createElement("ul", { class: "plain small" }, ...steps), check.apply ? applyForm(check, texts, address) : "", createElement("div", { class: "stored" }, ...check.photos.map((one) => photo(one, texts))));
}

/** Show the checks of an alert in `place`, and follow a phone that is sending. */
export async function showChecks(place, alert, isShown) {
  const texts = JSON.parse(document.getElementById("check-texts").textContent);
  place.replaceChildren();
  const found = await request(`${alert.address}/checks`).catch(() => null);
  if (!found || !isShown()) return;
  if (found.checks.length) place.replaceChildren(createElement("h2", {}, texts.title), ...found.checks.map((check) => section(check, texts, alert.address)));
  if (found.checks.some(({ arrived, total }) => arrived < total)) setTimeout(() => isShown() && document.visibilityState === "visible" && showChecks(place, alert, isShown), POLL_MS);
}
