// Sends the files of a layer with progress; then shows the version while it is loaded.
import { fill, notice, pageTexts, root } from "./tuban.js";

const texts = pageTexts();
const form = document.getElementById("load");
const bar = form.querySelector("progress");
const status = form.querySelector("[role=status]");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const size = data.getAll("files").reduce((sum, file) => sum + file.size, 0);
  if (size > Number(form.dataset.most) * 2 ** 20) return notice(fill(texts.too_large, { most: form.dataset.most }));
  const sending = new XMLHttpRequest();
  const show = (running) => {
    bar.hidden = !running;
    form.querySelector("button").disabled = running;
    if (!running) status.textContent = "";
  };
  sending.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = loaded / total;
    status.textContent = fill(loaded < total ? texts.sent : texts.storing, { percent: Math.round((100 * loaded) / total) });
  });
  sending.addEventListener("load", () => {
    const answer = sending.response ?? {};
    if (sending.status === 201) return location.assign(root + answer.address);
    show(false);
    return notice(answer.detail ?? answer.error ?? `${sending.status}`);
  });
  sending.addEventListener("error", () => {
    show(false);
    notice(document.body.dataset.lost);
  });
  sending.open("POST", `${root}/layers`);
  sending.responseType = "json";
  sending.setRequestHeader("X-CSRF-Token", document.body.dataset.csrf ?? "");
  sending.setRequestHeader("Accept", "application/json");
  show(true);
  sending.send(data);
  return undefined;
});
