// The list of alerts: bulk rejection of the selected ones, and its undo.
import "./show_filters.js";
import { fill, notice, pageTexts, post, request, root } from "./tuban.js";

const texts = pageTexts();
const t = (key, values = {}) => fill(texts[key], values);
const bar = document.getElementById("chosen");
const dialog = document.getElementById("reject-dialog");
const selected = () => [...document.querySelectorAll('#alerts input[name="number"]:checked')].map((box) => box.value);

function updateSelection() {
  const number = selected().length;
  bar.hidden = number === 0;
  document.getElementById("chosen-count").textContent = t("selected", { count: number });
  for (const alert of document.querySelectorAll("#alerts .alert")) alert.classList.toggle("chosen", alert.querySelector("input:checked") !== null);
}

async function updateStatistics() {
  const statistics = await request(`${root}/alerts/figures`);
  for (const [name, value] of Object.entries(statistics)) document.querySelector(`[data-figure="${name}"]`).textContent = name === "per_hour" && !value ? "–" : Math.round(value);
}

function offerUndo(text, token) {
  const box = document.createElement("div");
  box.className = "notice good";
  const undo = document.createElement("button");
  undo.type = "button";
  undo.textContent = texts.undo;
  undo.addEventListener("click", async () => {
    undo.disabled = true;
    try {
      const { done } = await post(`${root}/alerts/undo`, { token });
      for (const number of done) findCard(number)?.removeAttribute("hidden");
      notice(t("undone", { count: done.length }), "good");
      box.remove();
      updateStatistics();
    } catch (error) {
      undo.disabled = false;
      notice(error.message);
    }
  });
  box.append(text, " ", undo);
  document.getElementById("notices").append(box);
  setTimeout(() => box.remove(), 60000);
}

const findCard = (number) => document.querySelector(`#alerts .alert[data-number="${CSS.escape(number)}"]`);

async function reject(numbers, form) {
  try {
    const { reason, words } = form.elements;
    const result = await post(`${root}/alerts/reject`, { numbers, reason: reason.value, words: words.value });
    for (const number of result.done) {
      const alert = findCard(number);
      alert.querySelector("input").checked = false;
      alert.hidden = true;
    }
    const skipped = Object.keys(result.skipped).length;
    if (skipped) notice(t("skipped", { count: skipped }), "warn");
    if (result.token) offerUndo(t("rejected", { count: result.done.length }), result.token);
    updateSelection();
    updateStatistics();
  } catch (error) {
    notice(error.message);
  }
}

document.addEventListener("click", (event) => {
  const menu = document.querySelector(".menu[open]");
  if (menu && (!menu.contains(event.target) || event.target.closest(".menu a"))) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector(".menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("change", (event) => event.target.name === "number" && updateSelection());
document.addEventListener("htmx:afterSettle", updateSelection);
document.getElementById("clear").addEventListener("click", () => {
  for (const box of document.querySelectorAll('#alerts input[name="number"]:checked')) box.checked = false;
  updateSelection();
});
document.getElementById("cancel").addEventListener("click", () => dialog.close(""));
document.getElementById("reject").addEventListener("click", () => {
  const number = selected().length;
  document.getElementById("reject-title").textContent = t("reject_title", { count: number });
  document.getElementById("confirm").textContent = t("confirm", { count: number });
  dialog.returnValue = "";
  dialog.querySelector("form").reset();
  dialog.showModal();
});
dialog.addEventListener("close", () => dialog.returnValue === "ok" && reject(selected(), dialog.querySelector("form")));
updateSelection();
