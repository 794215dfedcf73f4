// The to-do list: steps of one alert or of the selected ones, assignment, the result of each, and undo.
import { enterEvidence } from "./evidence_form.js";
import { fill, notice, pageTexts, post, root } from "./tuban.js";

const texts = pageTexts();
const t = (key, values = {}) => fill(texts[key], values);
const { reasons, most } = JSON.parse(document.getElementById("todo-data").textContent);
const formTexts = JSON.parse(document.getElementById("form-texts").textContent);
const list = document.getElementById("todo-list");
const bar = document.getElementById("chosen");
const dialog = document.getElementById("step-dialog");
const results = document.getElementById("todo-results");
const boxes = () => [...list.querySelectorAll('.todo-item:not([hidden]) > input[name="number"]')];
const selected = () => boxes().filter((box) => box.checked).map((box) => box.value);
const itemOf = (number) => list.querySelector(`.todo-item[data-number="${CSS.escape(number)}"]`);
const able = (numbers, to) => numbers.filter((number) => itemOf(number).dataset.bulk.split(" ").includes(to));

function updateSelection() {
  if (!bar) return;
  const numbers = selected();
  bar.hidden = numbers.length === 0;
  document.getElementById("chosen-count").textContent = t("selected", { count: numbers.length });
  for (const item of list.children) item.classList.toggle("chosen", numbers.includes(item.dataset.number));
  for (const button of bar.querySelectorAll(".bulk")) {
    const count = able(numbers, button.dataset.to).length;
    button.hidden = count === 0;
    button.querySelector(".bulk-count").textContent = count < numbers.length ? count : "";
  }
  const more = bar.querySelector(".menu");
  if (more) more.hidden = !more.querySelector(".bulk:not([hidden])");
  const all = document.getElementById("select-all");
  if (all) all.checked = numbers.length > 0 && numbers.length === boxes().length;
}

/** Ask for the words, the reason or the person of a step; resolves to null if cancelled. */
function ask({ title, some = "", kind = "", to = "", assigning = false }) {
  const form = dialog.querySelector("form");
  const choices = document.getElementById("step-reasons");
  const words = document.getElementById("step-words");
  const list_of_reasons = kind === "choice" ? reasons[to] : [];
  form.reset();
  document.getElementById("step-title").textContent = title;
  document.getElementById("step-some").textContent = some;
  document.getElementById("step-some").hidden = !some;
  choices.hidden = kind !== "choice";
  choices.lastElementChild.replaceChildren(
    ...list_of_reasons.map(([name, text]) => {
      const label = document.createElement("label");
      label.className = "tick";
      const radio = Object.assign(document.createElement("input"), { type: "radio", name: "reason", value: name, required: true });
      label.append(radio, ` ${text}`);
      return label;
    }),
  );
  document.getElementById("step-words-label").hidden = assigning;
  document.getElementById("step-words-label").firstElementChild.textContent = kind === "reason" || kind === "basis" ? texts[kind] : texts.words;
  words.required = kind === "reason" || kind === "basis";
  document.getElementById("step-assignee-label").hidden = !(assigning || to === "dispatched");
  document.getElementById("step-assignee").value = assigning ? "*" : "unchanged";
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue !== "ok") return resolve(null);
        const entered = { why: words.value.trim(), evidence: {} };
        if (kind === "choice") entered.evidence.reason = form.elements.reason.value;
        else if (kind) entered.evidence[kind] = words.value.trim();
        const person = document.getElementById("step-assignee").value;
        if ((assigning || to === "dispatched") && person !== "unchanged") entered.assignee = person.replace(/^=/, "");
        resolve(entered);
      },
      { once: true },
    );
    dialog.showModal();
  });
}

function report(numbers, { done, skipped, token }, words) {
  const box = document.createElement("div");
  box.className = `notice ${done.length ? "good" : "bad"}`;
  if (done.length) box.append(numbers.length === 1 ? t("done_one", { number: numbers[0], words }) : t("done", { words, count: done.length }));
  if (done.length && token) {
    const undo = Object.assign(document.createElement("button"), { type: "button", textContent: texts.undo });
    undo.addEventListener("click", async () => {
      undo.disabled = true;
      try {
        await post(`${root}/alerts/undo`, { token });
        location.reload();
      } catch (error) {
        undo.disabled = false;
        notice(error.message);
      }
    });
    box.append(" ", undo);
  }
  if (skipped.length) {
    const rows = skipped.map(({ number, reason }) => Object.assign(document.createElement("li"), { textContent: `${number}：${reason}` }));
    const reasonsList = document.createElement("ul");
    reasonsList.append(...rows);
    const part = document.createElement("div");
    part.className = "notice bad";
    part.append(t("skipped", { count: skipped.length }), reasonsList);
    results.prepend(part);
  }
  if (done.length) results.prepend(box);
  while (results.children.length > 4) results.lastElementChild.remove();
}

async function send(numbers, body, words) {
  try {
    const result = await post(`${root}/api/todo/steps`, { numbers, ...body });
    finish(numbers, result, body.to, words);
  } catch (error) {
    notice(error.message);
  }
}

/** Read the list again, keeping the results that are shown. */
async function reload() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const kept = new Set(selected()); // of this moment: boxes may be ticked while the answer is on its way
  for (const selector of [".groups", ".found-top", "#todo-list", ".pages", "#bulk-steps"]) {
    const [old, fresh] = [document.querySelector(`main ${selector}`), page.querySelector(`main ${selector}`)];
    if (old && fresh) old.replaceChildren(...fresh.childNodes);
    else old?.replaceChildren();
  }
  for (const box of boxes()) box.checked = kept.has(box.value);
  updateSelection();
}

/** Open the form of a step of one alert: evidence, files, the later image. It stays open until the step is saved. */
function enterForm(number, to, words) {
  return enterEvidence({ to }, formTexts, `${root}/alerts/${encodeURIComponent(number)}`, async ({ evidence, why }) => {
    const result = await post(`${root}/api/todo/steps`, { numbers: [number], to, evidence, why });
    if (result.skipped.length) throw new Error(result.skipped[0].reason);
    finish([number], result, to, words);
  });
}

function finish(numbers, result, to, words) {
  if (to) for (const number of result.done) itemOf(number)?.setAttribute("hidden", "");
  for (const box of boxes()) if (result.done.includes(box.value)) box.checked = false;
  report(numbers, result, words);
  updateSelection();
  document.body.dispatchEvent(new Event("tuban:counts"));
  reload();
}

async function takeStep(button) {
  const { to, ask: kind } = button.dataset;
  const words = button.firstChild.textContent.trim();
  const bulk = button.classList.contains("bulk");
  const numbers = bulk ? able(selected(), to) : [button.closest(".todo-item").dataset.number];
  if (numbers.length > most) return notice(t("too_many", { most }), "warn");
  if (kind && kind !== "choice" && !bulk) return enterForm(numbers[0], to, words);
  let entered = {};
  if (kind || bulk) {
    const all = bulk ? selected().length : 1;
    const some = numbers.length < all ? t("some", { count: numbers.length, all }) : "";
    entered = await ask({ title: numbers.length > 1 || bulk ? t("title", { words, count: numbers.length }) : `${words} ${numbers[0]}`, some, kind, to });
    if (entered === null) return;
  }
  button.disabled = true;
  await send(numbers, { to, ...entered }, words);
  button.disabled = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".step");
  if (button) takeStep(button);
  for (const menu of document.querySelectorAll("main .menu[open]")) if (!menu.contains(event.target) || button) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("main .menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
list.addEventListener("change", (event) => event.target.name === "number" && updateSelection());
document.addEventListener("change", (event) => {
  if (event.target.id !== "select-all") return;
  for (const box of boxes()) box.checked = event.target.checked;
  updateSelection();
});
if (bar) {
  document.getElementById("clear").addEventListener("click", () => {
    for (const box of boxes()) box.checked = false;
    updateSelection();
  });
  document.getElementById("assign").addEventListener("click", async () => {
    const numbers = selected();
    if (numbers.length > most) return notice(t("too_many", { most }), "warn");
    const entered = await ask({ title: t("assign_title", { count: numbers.length }), assigning: true });
    if (entered && entered.assignee !== undefined) send(numbers, { assignee: entered.assignee }, texts.assign);
  });
  document.getElementById("step-cancel").addEventListener("click", () => dialog.close(""));
}
addEventListener("pageshow", (event) => event.persisted && location.reload());
updateSelection();
