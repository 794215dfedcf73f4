// Images dropped or chosen, sent file by file over tus, and handed over when all are there.
//
// Which batch is being sent is kept by the browser; how far each of its files is, the server knows. So after a reload,
// or in another browser window, the same files chosen again go on where they stopped.
import { ask, fill, notice, pageTexts, send as post } from "/static/tuban.js";

const texts = pageTexts();
const at = (id) => document.getElementById(id);
const say = (key, values = {}) => fill(texts[key], values);
const about = at("about");
const KEPT = `tuban-upload-${at("upload").dataset.person}`;
const AT_ONCE = 3;
const PIECE = 8 * 2 ** 20; // of one request: behind a proxy that limits requests it goes through, too
const SHOWN = 300;
const HIDDEN = /(^|\/)(\.[^/]*|thumbs\.db|desktop\.ini|__macosx)(\/|$)/i;

let batch = null;
let known = new Map(); // by name: what the server has of the batch already
let items = []; // {name, file, sent, state, reason, upload, row}
let running = false;
let began = 0;
let sentBefore = 0;

const size = (bytes) => {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
};
const left = (seconds) =>
  seconds > 90 ? say("left_minutes", { number: Math.round(seconds / 60) }) : say("left_seconds", { number: Math.ceil(seconds) });

// ---- what is chosen ----

async function filesOf(entry, path) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return [{ name: path + file.name, file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // 100 at a time
    if (!some.length) return found;
    for (const below of some) found.push(...(await filesOf(below, `${path}${entry.name}/`)));
  }
}

function take(found) {
  const taken = new Set(items.map((item) => item.name));
  const wanted = found.filter(({ name }) => !HIDDEN.test(name) && !taken.has(name));
  if (!wanted.length && !items.length) notice(texts.no_files, "warn");
  for (const { name, file } of wanted) items.push({ name, file, sent: 0, state: "ready", reason: "" });
  show();
  if (wanted.length && batch !== null) start();
}

function chosen(input) {
  take([...input.files].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
  input.value = "";
}

// ---- what is shown ----

function show() {
  at("sending").hidden = !items.length;
  const rows = at("rows");
  for (const item of items.slice(rows.children.length, SHOWN)) {
    item.row = document.createElement("li");
    item.row.innerHTML = '<span class="file-name"></span><progress max="1"></progress><span class="file-size"></span><span class="state"></span>';
    item.row.querySelector(".file-name").textContent = item.name;
    item.row.querySelector("progress").setAttribute("aria-label", item.name);
    item.row.querySelector(".file-size").textContent = size(item.file.size);
    rows.append(item.row);
    showItem(item);
  }
  at("more").textContent = items.length > SHOWN ? say("more", { number: items.length - SHOWN }) : "";
  showAll();
}

function showItem(item) {
  if (!item.row) return;
  item.row.querySelector("progress").value = item.file.size ? item.sent / item.file.size : item.state === "sent" ? 1 : 0;
  const state = item.row.querySelector(".state");
  state.textContent = item.reason || texts[`state_${item.state}`];
  state.className = `state ${item.state}`;
}

function showAll() {
  const total = items.reduce((sum, item) => sum + item.file.size, 0);
  const sent = items.reduce((sum, item) => sum + item.sent, 0);
  const done = items.filter((item) => item.state === "sent").length;
  at("all").value = total ? sent / total : items.length ? done / items.length : 0;
  const speed = running ? (sent - sentBefore) / Math.max(0.5, (performance.now() - began) / 1000) : 0;
  at("figures").textContent =
    running && speed > 0
      ? say("progress", { done, number: items.length, sent: size(sent), size: size(total), speed: size(speed), left: left((total - sent) / speed) })
      : say("chosen", { number: items.length, size: size(total) });
  at("begin").hidden = batch !== null;
  at("clear").hidden = batch !== null;
  at("pause").hidden = batch === null;
  at("pause").textContent = running ? texts.pause : texts.resume;
  at("leave-out").hidden = batch === null || running;
}

let drawing = false;
function showSoon(item) {
  showItem(item);
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    showAll();
  }, 250);
}

function lock(locked) {
  for (const field of about.elements) field.disabled = locked;
}

// ---- sending ----

async function begin() {
  if (!about.elements.area.value) {
    notice(texts.choose_area, "warn");
    about.elements.area.focus();
    return;
  }
  if (!about.reportValidity()) return;
  const said = { area: about.elements.area.value, source: about.elements.source.value, name: about.elements.name.value };
  if (about.elements.date.value) said.date = about.elements.date.value;
  at("begin").disabled = true;
  try {
    const made = await post("/api/batches", said);
    batch = made.id;
    localStorage.setItem(KEPT, JSON.stringify({ batch, number: items.length }));
    start();
  } catch (error) {
    notice(error.message);
  } finally {
    at("begin").disabled = false;
  }
}

function start() {
  lock(true);
  at("unfinished").hidden = true;
  running = true;
  began = performance.now();
  for (const item of items) {
    const have = known.get(item.name);
    const same = have && have.size === item.file.size && have.modified === String(item.file.lastModified);
    if (item.state === "ready" && same) {
      item.sent = item.there = have.offset;
      item.state = have.offset === have.size ? "sent" : "ready";
      item.address = `/api/uploads/${have.id}`;
    }
    if (["paused", "waiting", "refused"].includes(item.state)) Object.assign(item, { state: "ready", reason: "" });
    showItem(item);
  }
  sentBefore = items.reduce((sum, item) => sum + item.sent, 0);
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  localStorage.setItem(KEPT, JSON.stringify({ batch, number: Math.max(kept.number ?? 0, items.length) }));
  next();
}

function next() {
  if (!running) return;
  let busy = items.filter((item) => item.state === "sending" || item.state === "waiting").length;
  for (const item of items) {
    if (busy >= AT_ONCE) break;
    if (item.state !== "ready") continue;
    busy += 1;
    send(item);
  }
  showAll();
  if (!busy && items.every((item) => item.state === "sent")) finish(false);
  else if (!busy) pause();
}

function send(item) {
  item.state = "sending";
  showItem(item);
  if (item.upload) {
    item.upload.start();
    return;
  }
  item.upload = new tus.Upload(item.file, {
    endpoint: "/api/uploads",
    uploadUrl: item.address ?? null,
    metadata: { batch: String(batch), filename: item.name, modified: String(item.file.lastModified) },
    headers: { "X-CSRF-Token": document.body.dataset.csrf ?? "", Accept: "application/json" },
    chunkSize: PIECE,
    storeFingerprintForResuming: false,
    retryDelays: [0, 1000, 2000, 4000, 8000, 15000, 30000, 30000, 30000, 30000],
    onShouldRetry: (error) => {
      const status = error.originalResponse?.getStatus() ?? 0;
      const again = status === 0 || status === 409 || status === 423 || status >= 500;
      if (again) {
        Object.assign(item, { state: "waiting", sent: item.there ?? 0 }); // what was on the way is lost
        showSoon(item);
      }
      return again;
    },
    onProgress: (sent) => {
      item.sent = sent;
      if (item.state === "waiting") item.state = "sending";
      showSoon(item);
    },
    onChunkComplete: (_, there) => {
      item.there = there;
    },
    onSuccess: () => {
      Object.assign(item, { state: "sent", sent: item.file.size, upload: null });
      showItem(item);
      next();
    },
    onError: (error) => {
      const answer = error.originalResponse;
      if (answer?.getStatus() === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
      if (!answer) {
        item.state = "waiting"; // gone on with when the connection is back, of which the browser may not know
        setTimeout(() => goOn(item), 20000);
      } else Object.assign(item, { state: "refused", reason: wordsOf(answer), upload: null, address: null });
      showItem(item);
      next();
    },
  });
  item.upload.start();
}

function goOn(item) {
  if (!running || item.state !== "waiting") return;
  item.upload?.abort();
  item.state = "ready";
  next();
}

function wordsOf(answer) {
  try {
    return JSON.parse(answer.getBody()).error;
  } catch {
    return `${texts.state_refused} (${answer.getStatus()})`;
  }
}

function pause() {
  running = false;
  for (const item of items) {
    if (item.state !== "sending" && item.state !== "waiting") continue;
    item.upload?.abort();
    item.state = "paused";
    showItem(item);
  }
  showAll();
}

async function finish(leaveOut) {
  running = false;
  at("told").textContent = texts.finishing;
  try {
    await ask(`/api/batches/${batch}/complete?leave_out=${leaveOut}`, { method: "POST" });
    localStorage.removeItem(KEPT);
    location.assign(`/batches/${batch}`);
  } catch (error) {
    at("told").textContent = "";
    notice(error.message);
    showAll();
  }
}

// ---- what was not finished before ----

async function lookBack() {
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "null");
  if (!kept) return;
  const report = await ask(`/api/batches/${kept.batch}`).catch(() => null);
  if (!report?.uploads || report.complete) {
    localStorage.removeItem(KEPT);
    return;
  }
  batch = kept.batch;
  known = new Map(report.uploads.map((upload) => [upload.name, upload]));
  about.elements.area.value = report.area_code;
  about.elements.source.value = report.source;
  about.elements.name.value = report.name;
  lock(true);
  const done = report.uploads.filter((upload) => upload.offset === upload.size).length;
  at("unfinished").hidden = false;
  at("unfinished").querySelector("span").textContent = say("unfinished", { batch, done, number: Math.max(kept.number, report.uploads.length) });
}

// ---- what a person does ----

const drop = at("drop");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => event.relatedTarget ?? drop.classList.remove("over"));
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean); // before any await
  try {
    take((await Promise.all(entries.map((entry) => filesOf(entry, "")))).flat());
  } catch (error) {
    notice(error.message);
  }
});
for (const which of ["files", "folder"]) {
  at(`choose-${which}`).addEventListener("click", () => at(which).click());
  at(which).addEventListener("change", (event) => chosen(event.target));
}
about.addEventListener("submit", (event) => event.preventDefault());
at("begin").addEventListener("click", begin);
at("pause").addEventListener("click", () => (running ? pause() : start()));
at("leave-out").addEventListener("click", () => finish(true));
at("hand-over-rest").addEventListener("click", () => finish(true));
at("forget").addEventListener("click", () => {
  localStorage.removeItem(KEPT);
  location.reload();
});
at("clear").addEventListener("click", () => {
  items = [];
  at("rows").replaceChildren();
  show();
});
window.addEventListener("offline", () => running && (at("told").textContent = texts.offline));
window.addEventListener("online", () => {
  if (!running) return;
  at("told").textContent = texts.online;
  setTimeout(() => at("told").textContent === texts.online && (at("told").textContent = ""), 4000);
  items.forEach(goOn); // at once, instead of when the time to try again has come
});
window.addEventListener("beforeunload", (event) => running && event.preventDefault());
lookBack();
