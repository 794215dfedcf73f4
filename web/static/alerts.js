// The grid: several alerts are chosen only to be rejected, and that can be taken back.
import { ask, fill, notice, pageTexts, send } from "/static/tuban.js";

const texts = pageTexts();
const say = (key, values = {}) => fill(texts[key], values);
const bar = document.getElementById("chosen");
const dialog = document.getElementById("reject-dialog");
const chosen = () => [...document.querySelectorAll('#alerts input[name="number"]:checked')].map((box) => box.value);

function count() {
  const number = chosen().length;
  bar.hidden = number === 0;
  document.getElementById("chosen-count").textContent = say("selected", { count: number });
  for (const alert of document.querySelectorAll("#alerts .alert")) alert.classList.toggle("chosen", alert.querySelector("input:checked") !== null);
}

async function figures() {
  const told = await ask("/alerts/figures");
  for (const [name, value] of Object.entries(told)) document.querySelector(`[data-figure="${name}"]`).textContent = name === "per_hour" && !value ? "–" : Math.round(value);
}

function offer(words, token) {
  const box = document.createElement("div");
  box.className = "notice good";
  const undo = document.createElement("button");
  undo.type = "button";
  undo.textContent = texts.undo;
  undo.addEventListener("click", async () => {
    undo.disabled = true;
    try {
      const { done } = await send("/alerts/undo", { token });
      for (const number of done) find(number)?.removeAttribute("hidden");
      notice(say("undone", { count: done.length }), "good");
      box.remove();
      figures();
    } catch (error) {
      undo.disabled = false;
      notice(error.message);
    }
  });
  box.append(words, " ", undo);
  document.getElementById("notices").append(box);
  setTimeout(() => box.remove(), 60000);
}

const find = (number) => document.querySelector(`#alerts .alert[data-number="${CSS.escape(number)}"]`);

async function reject(numbers, form) {
  try {
    const { reason, words } = form.elements;
    const told = await send("/alerts/reject", { numbers, reason: reason.value, words: words.value });
    for (const number of told.done) {
      const alert = find(number);
      alert.querySelector("input").checked = false;
      alert.hidden = true;
    }
    const skipped = Object.keys(told.skipped).length;
    if (skipped) notice(say("skipped", { count: skipped }), "warn");
    if (told.token) offer(say("rejected", { count: told.done.length }), told.token);
    count();
    figures();
  } catch (error) {
    notice(error.message);
  }
}

document.addEventListener("change", (event) => event.target.name === "number" && count());
document.addEventListener("htmx:afterSettle", count);
document.getElementById("clear").addEventListener("click", () => {
  for (const box of document.querySelectorAll('#alerts input[name="number"]:checked')) box.checked = false;
  count();
});
document.getElementById("cancel").addEventListener("click", () => dialog.close(""));
document.getElementById("reject").addEventListener("click", () => {
  const number = chosen().length;
  document.getElementById("reject-title").textContent = say("reject_title", { count: number });
  document.getElementById("confirm").textContent = say("confirm", { count: number });
  dialog.returnValue = "";
  dialog.querySelector("form").reset();
  dialog.showModal();
});
dialog.addEventListener("close", () => dialog.returnValue === "ok" && reject(chosen(), dialog.querySelector("form")));
count();
