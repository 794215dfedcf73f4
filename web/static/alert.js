// One alert after the other: shown at once, because the next was fetched ahead; judged by keys; open for one person.
import { askEvidence, askPerson, askReason, askSplit } from "/static/alert_dialogs.js";
import { Maps, Whereabouts } from "/static/alert_maps.js";
import { Panel, make } from "/static/alert_panel.js";
import * as stock from "/static/alert_stock.js";
import { ask, fill, notice, pageTexts, send as post } from "/static/tuban.js";

const t = pageTexts();
const given = JSON.parse(document.getElementById("alert").textContent);
const reasons = JSON.parse(document.getElementById("reasons").textContent);
const page = document.querySelector(".review");
const buttons = Object.fromEntries([...document.querySelectorAll("[data-act]")].map((button) => [button.dataset.act, button]));
const query = given.query;
const maps = new Maps(document.getElementById("viewer"), "map-before", "map-after", document.getElementById("swipe"));
const whereabouts = new Whereabouts("map-context");
const panel = new Panel(t, () => undo(alert.number));
const decided = []; // numbers, the last one is taken back first

let alert = given;
let saving = Promise.resolve(); // the decision that is on its way
let opened = Promise.resolve(); // the alert that is shown is being taken
let active = Date.now();
let outline = true;

const send = (data, what, body) => post(`${data.address}/${what}${query ? `?${query}` : ""}`, body);
const free = () => !alert.lock.by;

function actions() {
  for (const act of ["true", "false", "bad_imagery", "split", "assign"]) buttons[act].disabled = !(alert.can[act] && free());
  panel.places.type.disabled = !(alert.can.type && free());
  buttons.previous.disabled = !alert.previous;
  buttons.next.disabled = !alert.next;
  const steps = alert.steps.map((step) => {
    const button = make("button", { type: "button", disabled: !free() }, step.words);
    button.addEventListener("click", () => take(step));
    return button;
  });
  panel.places.steps.replaceChildren(...(steps.length ? steps : [make("span", { class: "muted" }, t.no_steps)]));
}

function fallback(when) {
  const place = panel.places[`${when}-fallback`];
  const kept = alert.images[when].picture;
  place.replaceChildren(make("p", { class: "muted" }, kept ? t.no_imagery : t.no_picture), kept ? make("img", { src: kept, alt: t[when] }) : "");
  place.hidden = false;
}

function show(data) {
  alert = data;
  for (const when of ["before", "after"]) {
    panel.places[`${when}-fallback`].hidden = true;
    if (!alert.images[when].tiles) fallback(when);
  }
  maps.show(alert);
  whereabouts.show(alert);
  panel.show(alert);
  actions();
  panel.places.spoken.textContent = `${alert.number} ${alert.kind_name} ${alert.state_name}`;
}

/** Newer facts of the alert that is shown: the images stay as the person has moved them. */
function renew(data) {
  stock.keep(data);
  if (data.number !== alert.number || JSON.stringify(data) === JSON.stringify(alert)) return;
  alert = data;
  panel.show(alert);
  actions();
}

const leave = (data) => fetch(`${data.address}/lock`, { method: "DELETE", keepalive: true, headers: { "X-CSRF-Token": document.body.dataset.csrf } }).catch(() => {});

/** Take the alert that is shown, once the decision before it is kept, then fetch its neighbours. */
function open() {
  const { number } = alert;
  opened = saving.then(() => have(number));
  return opened.then(() => ahead(number));
}

async function have(number) {
  if (alert.number !== number) return; // they have moved on already
  const asked = alert;
  try {
    const data = await send(asked, "lock");
    if (alert.number === number) renew(data);
    else leave(asked);
  } catch (error) {
    notice(error.message);
  }
}

async function ahead(number) {
  for (const which of ["next", "previous"]) {
    if (alert.number !== number) return;
    const beside = alert[which];
    const data = beside && (await stock.alert(beside, query).catch(() => null));
    if (!data) continue;
    for (const when of ["before", "after"]) if (data.images[when].picture) new Image().src = data.images[when].picture;
    await maps.prepare(data);
    if (which === "next" && alert.number === number) page.dataset.ready = beside;
  }
}

/** Show another alert; `judged`: the one before was let go of with its decision. */
async function go(number, { judged = false, push = true } = {}) {
  const begun = performance.now();
  const before = alert;
  let data;
  try {
    data = await stock.alert(number, query);
  } catch (error) {
    return notice(error.message);
  }
  if (before.number !== number && before.lock.mine && !judged) leave(before);
  stock.forget(before.number); // when it is seen again, as it is then
  delete page.dataset.ready;
  show(data);
  if (push) history.pushState({}, "", `${data.address}${query ? `?${query}` : ""}`);
  await maps.drawn();
  page.dataset.moved = (performance.now() - begun).toFixed(1);
  page.dataset.shown = number;
  open();
}

function beside(which) {
  if (alert[which]) go(alert[which]);
  else notice(which === "next" ? t.end : t.first, "good");
}

async function judge(verdict) {
  const judged = alert;
  if (!judged.can[verdict] || !free()) return notice(judged.lock.by ? fill(t.locked, { name: judged.lock.by }) : t.not_here, "warn");
  const reason = verdict === "true" ? {} : await askReason(t[`reason_${verdict}`], reasons[verdict], t);
  if (reason === null || alert.number !== judged.number) return;
  // one after the other: whoever judges fast does not overtake the opening of the alert
  const saved = opened.then(() => send(judged, "judge", { verdict, as_of: judged.as_of, ...reason }));
  saving = saved.then(
    (data) => {
      stock.forget(judged.number);
      decided.push(judged.number);
      notice(fill(t[`judged_${verdict}`], { number: judged.number }), "good");
      return data;
    },
    (error) => {
      notice(fill(t.failed, { number: judged.number, words: error.message }));
      return null;
    },
  );
  if (judged.next) return go(judged.next, { judged: true });
  const data = await saving;
  if (data) renew(data);
  notice(t.end, "good");
}

/** Take back the last decision on an alert: the one of this sitting, else that on the alert that is shown. */
async function undo(chosen) {
  await saving;
  const number = chosen ?? decided.at(-1) ?? alert.number;
  if (decided.at(-1) === number) decided.pop();
  try {
    const data = await send({ address: `/alerts/${encodeURIComponent(number)}` }, "undo");
    notice(fill(t.undone, { number: data.number }), "good");
    if (data.number !== alert.number) {
      stock.keep(data);
      return await go(data.number);
    }
    if (JSON.stringify(data.outline) === JSON.stringify(alert.outline)) renew(data);
    else {
      stock.keep(data);
      show(data);
    }
    open();
  } catch (error) {
    notice(error.message);
  }
}

async function change(what, body, words) {
  try {
    const data = await send(alert, what, body);
    if (what === "move") decided.push(data.number);
    renew(data);
    notice(words, "good");
  } catch (error) {
    notice(error.message);
    stock.forget(alert.number);
    stock.alert(alert.number, query).then(renew);
  }
}

async function assign() {
  const chosen = alert.can.assign && free() ? await askPerson(alert, t) : null;
  if (chosen) change("assign", { ...chosen, as_of: alert.as_of }, t.assigned);
}

async function take(step) {
  const told = await askEvidence(step, t);
  if (!told) return;
  change("move", { to: step.to, as_of: alert.as_of, ...told }, fill(t.step_done, { state: step.words }));
}

async function divide() {
  if (!alert.can.split || !free()) return notice(t.not_here, "warn");
  const divided = alert;
  const how = divided.parts > 1 ? await askSplit(divided, t) : "line";
  if (how === null || alert.number !== divided.number) return;
  const body = { as_of: divided.as_of };
  if (how === "line") {
    setMode("side");
    body.line = await maps.line(document.getElementById("cut-hint"));
    if (body.line === null) return;
  }
  try {
    const { into } = await send(divided, "split", body);
    stock.forget(divided.number);
    decided.push(divided.number);
    notice(fill(t.split_done, { list: into.join(", ") }), "good");
    go(into[0], { judged: true });
  } catch (error) {
    notice(error.message);
  }
}

function setMode(mode) {
  maps.setMode(mode);
  for (const name of ["side", "swipe", "difference"]) buttons[name].setAttribute("aria-pressed", String(name === mode));
}

function setOutline(shown) {
  outline = shown;
  maps.setOutline(shown);
  buttons.outline.setAttribute("aria-pressed", String(shown));
}

const help = document.getElementById("help");
const acts = {
  true: () => judge("true"),
  false: () => judge("false"),
  bad_imagery: () => judge("bad_imagery"),
  assign,
  split: divide,
  undo: () => undo(),
  next: () => beside("next"),
  previous: () => beside("previous"),
  side: () => setMode("side"),
  swipe: () => setMode(maps.mode === "swipe" ? "side" : "swipe"),
  difference: () => setMode(maps.mode === "difference" ? "side" : "difference"),
  outline: () => setOutline(!outline),
  fit: () => maps.fit(),
  help: () => help.showModal(),
};
const keys = { 1: "true", 2: "false", 3: "bad_imagery", a: "assign", s: "split", u: "undo", j: "next", k: "previous", w: "swipe", d: "difference", o: "outline", f: "fit", "?": "help" };

for (const [name, act] of Object.entries(acts)) {
  buttons[name].addEventListener("click", (event) => {
    act();
    if (event.detail > 0) document.getElementById("map-after").focus({ preventScroll: true }); // else Space would press it again
  });
}
for (const [name, on] of [["pointerdown", true], ["pointerup", false], ["pointerleave", false]]) buttons.blink.addEventListener(name, () => maps.blink(on));

const shortcuts = document.getElementById("shortcuts");
shortcuts.checked = localStorage.getItem("shortcuts") !== "off";
shortcuts.addEventListener("change", () => localStorage.setItem("shortcuts", shortcuts.checked ? "on" : "off"));

addEventListener("keydown", (event) => {
  active = Date.now();
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
  acts[name]();
});
addEventListener("keyup", (event) => event.key === " " && maps.blink(false));
addEventListener("blur", () => maps.blink(false));
addEventListener("pointermove", () => (active = Date.now()), { passive: true });
addEventListener("pagehide", () => alert.lock.mine && leave(alert));
addEventListener("pageshow", (event) => event.persisted && open());
addEventListener("popstate", () => go(decodeURIComponent(location.pathname.split("/").at(-1)), { push: false }));

panel.places.type.addEventListener("change", () => {
  const [kind, change_type] = panel.places.type.value.split("/");
  change("type", { kind, change_type, as_of: alert.as_of }, t.typed);
});

const seconds = Number(page.dataset.lockSeconds);
setInterval(async () => {
  if (Date.now() - active > 5 * 60 * 1000) return; // nobody is there: it is released by itself
  const { number, as_of } = alert;
  const told = await ask(`${alert.address}/lock?renew=true`, { method: "POST" }).catch(() => null);
  if (!told || alert.number !== number) return;
  if (told.as_of !== as_of) return open();
  if (told.lock.by !== alert.lock.by || told.lock.mine !== alert.lock.mine) renew({ ...alert, lock: told.lock });
}, (seconds * 1000) / 3);

maps.missing = (number, when) => number === alert.number && fallback(when);
setMode("side");
setOutline(true);
show(alert);
maps.drawn().then(() => (page.dataset.shown = alert.number));
open();
