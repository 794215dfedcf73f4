// Corrects, withdraws, restores and purges the chosen images, and shows what came of it.
import { fill, notice, pageTexts, request, root } from "./tuban.js";

const texts = pageTexts();
const one = document.getElementById("one-image");
const boxes = [...document.querySelectorAll("input[name=image]")];
const chosen = () => (one ? [Number(one.dataset.image)] : boxes.filter((box) => box.checked).map((box) => Number(box.value)));

function showChosen() {
  const badge = document.getElementById("chosen");
  if (badge) badge.textContent = chosen().length;
}

document.getElementById("choose-all")?.addEventListener("change", (event) => {
  for (const box of boxes) box.checked = event.target.checked;
  showChosen();
});
for (const box of boxes) box.addEventListener("change", showChosen);
showChosen();

async function send(method, address, values) {
  const ids = chosen();
  if (!ids.length) return notice(texts.choose, "warn");
  try {
    const body = JSON.stringify({ ids, ...values });
    const { images } = await request(address, { method, headers: { "Content-Type": "application/json" }, body });
    const list = document.getElementById("results");
    list.replaceChildren(
      ...images.map((image) => {
        const item = document.createElement("li");
        item.className = `notice ${image.done ? "good" : "bad"}`;
        item.textContent = `${image.name || image.id}: ${image.message}`;
        return item;
      }),
    );
    const done = images.filter((image) => image.done).length;
    notice(fill(texts.done, { done, number: images.length }), done === images.length ? "good" : "bad");
    if (done) {
      const reload = document.createElement("li");
      const link = document.createElement("a");
      link.href = location.href;
      link.textContent = texts.reload;
      reload.append(link);
      list.append(reload);
    }
  } catch (error) {
    notice(error.message);
  }
  return undefined;
}

document.getElementById("correct")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const values = {};
  for (const name of ["date", "source", "crs"]) if (form.get(name)) values[name] = form.get(name).trim();
  const bands = form.get("bands").split(/[,，]/).filter((part) => part.trim()).map(Number);
  if (bands.length) values.bands = bands;
  if (!Object.keys(values).length) notice(texts.nothing, "warn");
  else send("PATCH", `${root}/api/scenes`, values);
});
document.getElementById("withdraw")?.addEventListener("submit", (event) => {
  event.preventDefault();
  send("POST", `${root}/api/scenes/withdraw`, { reason: new FormData(event.target).get("reason") });
});
document.getElementById("restore")?.addEventListener("click", () => send("POST", `${root}/api/scenes/restore`, {}));
document.getElementById("purge")?.addEventListener("click", (event) => {
  if (confirm(event.target.dataset.confirm)) send("POST", `${root}/api/scenes/purge`, {});
});
