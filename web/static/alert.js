// The review page: shows one alert after the other, prefetches the next one, and locks the shown one.
import * as cache from "./alert_cache.js";
import { chooseAssignee, chooseMerge, chooseReason, chooseSplit, enterReason } from "./alert_dialogs.js";
import { showChecks } from "./alert_checks.js";
import { showDocuments } from "./alert_documents.js";
import { showDays } from "./alert_days.js";
import { ImageMaps, LocationMap } from "./alert_maps.js";
import { Panel, createElement } from "./alert_panel.js";
import { OutlineEditor } from "./outline_editor.js";
import { PlaceDates } from "./place_dates.js";
import { enterEvidence } from "./evidence_form.js";
import { showEdits } from "./outline_history.js";
import { fill, notice, pageTexts, post, request, root } from "./tuban.js";

const t = pageTexts();
const initial = JSON.parse(document.getElementById("alert").textContent);
const reasons = JSON.parse(document.getElementById("reasons").textContent);
const page = document.querySelector(".review");
const buttons = Object.fromEntries([...document.querySelectorAll("[data-act]")].map((button) => [button.dataset.act, button]));
const query = initial.query;
const maps = new ImageMaps(document.getElementById("viewer"), "map-before", "map-after", document.getElementById("swipe"));
const locationMap = new LocationMap("map-context");
const panel = new Panel(t, () => undo(alert.number), (number) => change("merge", { alerts: [number], as_of: alert.as_of }, fill(t.merged_done, { number })));
const dates = new PlaceDates(document.getElementById("dates"), buttons.dates, maps, { before: panel.parts["before-caption"], after: panel.parts["after-caption"] }, t);
const editor = new OutlineEditor(maps);
const decided = []; // numbers of judged alerts; undo starts with the last one
const left = new Set(); // judged alerts that left the list, so that positions keep counting

let alert = initial;
let saving = Promise.resolve(); // the decision that is being saved
let locking = Promise.resolve(); // the shown alert is being locked
let lastInput = Date.now();
let outlineShown = true;

const withLeft = (data) => ({ left: left.size, ...data }); // as of when the data were read
const send = async (data, action, body) => withLeft(await post(`${data.address}/${action}${query ? `?${query}` : ""}`, body));
const fetchAlert = (number) => cache.fetchAlert(number, query, withLeft);
const isUnlocked = () => !alert.lock.by;

function updateActions() {
  for (const act of ["true", "false", "bad_imagery", "split", "assign", "edit_outline", "merge"]) buttons[act].disabled = !(alert.can[act] && isUnlocked());
  for (const act of ["split", "assign", "edit_outline", "merge"]) buttons[act].hidden = !alert.can[act]; // only what this person can do
  const judges = alert.can.true || alert.can.false || alert.can.bad_imagery;
  buttons.true.parentElement.hidden = !judges;
  panel.parts.type.disabled = !(alert.can.type && isUnlocked());
  buttons.previous.disabled = !alert.previous;
  buttons.next.disabled = !alert.next;
  const steps = alert.steps.map((step, index) => {
    const primary = index === 0 && step.forward && !judges;
    const button = createElement("button", { type: "button", class: primary ? "primary" : null, disabled: !isUnlocked() }, step.words);
    button.addEventListener("click", () => takeStep(step));
    return button;
  });
  panel.parts.steps.replaceChildren(...(steps.length || Object.values(alert.can).some(Boolean) ? steps : [createElement("span", { class: "muted" }, t.no_steps)]));
}

function showFallback(when) {
  const place = panel.parts[`${when}-fallback`];
  const stored = alert.images[when].picture;
  place.replaceChildren(createElement("p", { class: "muted" }, stored ? t.no_imagery : t.no_picture), stored ? createElement("img", { src: stored, alt: t[when] }) : "");
  place.hidden = false;
}

function show(data) {
  editor.cancel();
  alert = data;
  panel.parts.end.hidden = true;
  for (const when of ["before", "after"]) {
    panel.parts[`${when}-fallback`].hidden = true;
    if (!alert.images[when].tiles) showFallback(when);
  }
  maps.show(alert);
  locationMap.show(alert);
  panel.show(alert);
  showDays(panel.parts.days, alert, maps, t);
  showChecks(panel.parts.checks, alert, () => alert.number === data.number);
  showDocuments(panel.parts.documents, alert, () => alert.number === data.number);
  dates.show(alert);
  showEdits(panel.parts.edits, alert, t);
  updateActions();
  panel.parts.spoken.textContent = `${alert.number} ${alert.kind_name} ${alert.state_name}`;
}

/** Show newer data of the same alert without resetting the image view. */
function update(data) {
  cache.store(data);
  if (data.number !== alert.number || JSON.stringify(data) === JSON.stringify(alert)) return;
  alert = data;
  panel.show(alert);
  updateActions();
}

const releaseLock = (data) => fetch(`${data.address}/lock`, { method: "DELETE", keepalive: true, headers: { "X-CSRF-Token": document.body.dataset.csrf } }).catch(() => {});

/** Lock the shown alert after the previous decision was saved, then prefetch its neighbours. */
function openShown() {
  const { number } = alert;
  locking = saving.then(() => lockAlert(number));
  return locking.then(() => prefetch(number));
}

async function lockAlert(number) {
  if (alert.number !== number || alert.viewing) return; // another alert is shown already, or the user only views
  const requested = alert;
  try {
    const data = await send(requested, "lock");
    if (alert.number === number) update(data);
    else releaseLock(requested);
  } catch (error) {
    notice(error.message);
  }
}

async function prefetch(number) {
  for (const which of ["next", "previous"]) {
    if (alert.number !== number) return;
    const neighbour = alert[which];
    const data = neighbour && (await fetchAlert(neighbour).catch(() => null));
    if (!data) continue;
    for (const when of ["before", "after"]) if (data.images[when].picture) new Image().src = data.images[when].picture;
    await maps.prepare(data);
    if (which === "next" && alert.number === number) page.dataset.ready = neighbour;
  }
}

/** Show another alert; `judged`: the lock of the previous one was released by its decision. */
async function showAlert(number, { judged = false, push = true } = {}) {
  const previous = alert;
  let data;
  try {
    data = await fetchAlert(number);
  } catch (error) {
    return notice(error.message);
  }
  if (previous.number !== number && previous.lock.mine && !judged) releaseLock(previous);
  cache.remove(previous.number); // fetched again when it is shown again
  delete page.dataset.ready;
  show(data);
  if (push) history.pushState({}, "", `${data.address}${query ? `?${query}` : ""}`);
  await maps.drawn();
  page.dataset.shown = number;
  openShown();
}

function showNeighbour(which) {
  if (alert[which]) showAlert(alert[which]);
  else if (which === "previous") notice(t.first, "good");
  else showEnd();
}

/** Say that there is no next alert; the message stays until another alert is shown. */
function showEnd() {
  panel.parts.end.firstElementChild.textContent = fill(t.end, { count: new Set(decided).size });
  panel.parts.end.hidden = false;
}

async function judge(verdict) {
  const judged = alert;
  if (!judged.can[verdict] || !isUnlocked()) return notice(judged.lock.by ? fill(t.locked, { name: judged.lock.by }) : t.not_here, "warn");
  const reason = verdict === "true" ? {} : await chooseReason(t[`reason_${verdict}`], reasons[verdict], t);
  if (reason === null || alert.number !== judged.number) return;
  // in order, so that a fast judgement does not overtake the lock request
  const site = panel.wholeSite;
  const earlier = saving;
  const saved = locking.then(() => send(judged, "judge", { verdict, site, as_of: judged.as_of, ...reason }));
  saving = saved.then(
    (data) => {
      cache.remove(judged.number);
      decided.push(judged.number);
      if (data.position === null) left.add(judged.number);
      notice(fill(t[`judged_${verdict}`], { number: judged.number }), "good");
      return data;
    },
    (error) => {
      notice(fill(t.failed, { number: judged.number, words: error.message }));
      return null;
    },
  );
  saving = Promise.all([saving, earlier]).then(([data]) => data);
  if (judged.next) return showAlert(judged.next, { judged: true });
  const data = await saving;
  if (data) update(data);
  if (data) showEnd();
}

/** Undo a decision: of the given alert, else the last one on this page, else of the shown alert. */
async function undo(selected) {
  await saving;
  const number = selected ?? decided.at(-1) ?? alert.number;
  if (decided.at(-1) === number) decided.pop();
  left.delete(number);
  try {
    const data = await send({ address: `${root}/alerts/${encodeURIComponent(number)}` }, "undo");
    notice(fill(t.undone, { number: data.number }), "good");
    if (data.number !== alert.number) {
      cache.store(data);
      return await showAlert(data.number);
    }
    if (JSON.stringify(data.outline) === JSON.stringify(alert.outline)) update(data);
    else {
      cache.store(data);
      show(data);
    }
    openShown();
  } catch (error) {
    notice(error.message);
  }
}

async function change(action, body, message) {
  try {
    const data = await send(alert, action, body);
    if (action === "move") decided.push(data.number);
    update(data);
    notice(message, "good");
  } catch (error) {
    notice(error.message);
    cache.remove(alert.number);
    fetchAlert(alert.number).then(update);
  }
}

async function assign() {
  const chosen = alert.can.assign && isUnlocked() ? await chooseAssignee(alert, t) : null;
  if (chosen) change("assign", { ...chosen, as_of: alert.as_of }, t.assigned);
}

async function takeStep(step) {
  const stepped = alert;
  const save = async (entered) => {
    const data = await send(stepped, "move", { to: step.to, as_of: stepped.as_of, ...entered });
    decided.push(data.number);
    update(data);
    notice(fill(t.step_done, { state: step.state_name }), "good");
  };
  await enterEvidence(step, t, stepped.address, save);
}

async function editOutline() {
  if (!alert.can.edit_outline || !isUnlocked()) return notice(t.not_here, "warn");
  const edited = alert;
  setMode("side");
  const drawn = await editor.edit();
  if (drawn === null || alert.number !== edited.number) return;
  const saved = await enterReason(t.edit_outline, t.edit_why, t, async (why) => {
    const data = await send(edited, "outline", { outline: drawn === "detected" ? null : drawn, why, as_of: edited.as_of });
    cache.store(data);
    show(data);
    notice(fill(t.outline_done, { changes: data.changes.join(t.comma) }), "good");
  });
  if (!saved) editor.reset();
}

async function merge() {
  if (!alert.can.merge || !isUnlocked()) return notice(t.not_here, "warn");
  const { number, as_of } = alert;
  const chosen = await chooseMerge(alert, t);
  if (!chosen || alert.number !== number) return;
  try {
    const data = await send(alert, "merge", { ...chosen, as_of });
    decided.push(number);
    cache.store(data);
    show(data);
    notice(fill(t.merged_done, { number: chosen.alerts.join(", ") }), "good");
  } catch (error) {
    notice(error.message);
  }
}

async function split() {
  if (!alert.can.split || !isUnlocked()) return notice(t.not_here, "warn");
  const original = alert;
  const method = original.parts > 1 ? await chooseSplit(original, t) : "line";
  if (method === null || alert.number !== original.number) return;
  const body = { as_of: original.as_of };
  if (method === "line") {
    setMode("side");
    body.line = await maps.chooseLine(document.getElementById("cut-hint"));
    if (body.line === null) return;
  }
  try {
    const { into } = await send(original, "split", body);
    cache.remove(original.number);
    decided.push(original.number);
    notice(fill(t.split_done, { list: into.join(", ") }), "good");
    showAlert(into[0], { judged: true });
  } catch (error) {
    notice(error.message);
  }
}

function setMode(mode) {
  maps.setMode(mode);
  for (const name of ["side", "swipe", "difference"]) buttons[name].setAttribute("aria-pressed", String(name === mode));
}

function setOutline(shown) {
  outlineShown = shown;
  maps.setOutline(shown);
  buttons.outline.setAttribute("aria-pressed", String(shown));
}

const help = document.getElementById("help");
const commands = {
  true: () => judge("true"),
  false: () => judge("false"),
  bad_imagery: () => judge("bad_imagery"),
  assign,
  split,
  edit_outline: editOutline,
  merge,
  undo: () => undo(),
  next: () => showNeighbour("next"),
  previous: () => showNeighbour("previous"),
  side: () => setMode("side"),
  swipe: () => setMode(maps.mode === "swipe" ? "side" : "swipe"),
  difference: () => setMode(maps.mode === "difference" ? "side" : "difference"),
  outline: () => setOutline(!outlineShown),
  fit: () => maps.fit(),
  dates: () => dates.toggle(),
  help: () => help.showModal(),
};
const keys = { 1: "true", 2: "false", 3: "bad_imagery", a: "assign", s: "split", u: "undo", j: "next", k: "previous", w: "swipe", d: "difference", o: "outline", f: "fit", t: "dates", e: "edit_outline", m: "merge", "?": "help" };

for (const [name, command] of Object.entries(commands)) {
  buttons[name].addEventListener("click", (event) => {
    command();
    if (event.detail > 0) document.getElementById("map-after").focus({ preventScroll: true }); // otherwise Space would press the button again
  });
}
for (const [name, on] of [["pointerdown", true], ["pointerup", false], ["pointerleave", false]]) buttons.blink.addEventListener(name, () => maps.blink(on));

const shortcuts = document.getElementById("shortcuts");
shortcuts.checked = localStorage.getItem("shortcuts") !== "off";
shortcuts.addEventListener("change", () => localStorage.setItem("shortcuts", shortcuts.checked ? "on" : "off"));

addEventListener("keydown", (event) => {
  lastInput = Date.now();
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const field = event.target.closest?.("input:not([type='range']), select, textarea");
  const pressed = event.target.closest?.("button, a, summary");
  if (event.key === " " && (!pressed || pressed === buttons.blink) && !field) {
    event.preventDefault();
    maps.blink(true);
    return;
  }
  const name = keys[event.key.toLowerCase()];
  if (!name || field || event.repeat || (!shortcuts.checked && name !== "help")) return;
  event.preventDefault();
  commands[name]();
});
addEventListener("keyup", (event) => event.key === " " && maps.blink(false));
addEventListener("blur", () => maps.blink(false));
addEventListener("pointermove", () => (lastInput = Date.now()), { passive: true });
addEventListener("pagehide", () => alert.lock.mine && releaseLock(alert));
addEventListener("pageshow", (event) => event.persisted && openShown());
addEventListener("popstate", () => showAlert(decodeURIComponent(location.pathname.split("/").at(-1)), { push: false }));

panel.parts.type.addEventListener("change", () => {
  const [kind, change_type] = panel.parts.type.value.split("/");
  change("type", { kind, change_type, as_of: alert.as_of }, t.typed);
});

const seconds = Number(page.dataset.lockSeconds);
setInterval(async () => {
  if (alert.viewing || Date.now() - lastInput > 5 * 60 * 1000) return; // no user input: let the lock expire
  const { number, as_of } = alert;
  const renewed = await request(`${alert.address}/lock?renew=true`, { method: "POST" }).catch(() => null);
  if (!renewed || alert.number !== number) return;
  if (renewed.as_of !== as_of) return openShown();
  if (renewed.lock.by !== alert.lock.by || renewed.lock.mine !== alert.lock.mine) update({ ...alert, lock: renewed.lock });
}, (seconds * 1000) / 3);

maps.missing = (number, when) => number === alert.number && showFallback(when);
setMode("side");
setOutline(true);
show(alert);
maps.drawn().then(() => (page.dataset.shown = alert.number));
openShown();
