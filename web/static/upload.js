// Upload of dropped or chosen images by tus, file by file; the batch is submitted when all are complete.
//
// The browser stores which batch is being uploaded, the server knows the offset of each file. So after a reload, or in
// another window, the uploads resume when the same files are chosen again.
import { fill, notice, pageTexts, post, request, root } from "./tuban.js";

const texts = pageTexts();
const element = (id) => document.getElementById(id);
const t = (key, values = {}) => fill(texts[key], values);
const form = element("about");
const STORAGE_KEY = `tuban-upload-${element("upload").dataset.person}`;
const MAX_PARALLEL = 3;
const CHUNK_BYTES = 8 * 2 ** 20; // per request, so that proxies with a limit accept it
const MAX_ROWS = 300;
const HIDDEN = /(^|\/)(\.[^/]*|thumbs\.db|desktop\.ini|__macosx)(\/|$)/i;

let batch = null;
let existing = new Map(); // uploads of the batch on the server, by name
let items = []; // {name, file, sent, state, reason, upload, row}
let running = false;
let startedAt = 0;
let sentBefore = 0;

const size = (bytes) => {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
};
const timeLeft = (seconds) =>
  seconds > 90 ? t("left_minutes", { number: Math.round(seconds / 60) }) : t("left_seconds", { number: Math.ceil(seconds) });

// ---- choosing files ----

async function filesOf(entry, path) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return [{ name: path + file.name, file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const entries = await new Promise((done, failed) => reader.readEntries(done, failed)); // 100 at a time
    if (!entries.length) return found;
    for (const child of entries) found.push(...(await filesOf(child, `${path}${entry.name}/`)));
  }
}

function addFiles(found) {
  const names = new Set(items.map((item) => item.name));
  const added = found.filter(({ name }) => !HIDDEN.test(name) && !names.has(name));
  if (!added.length && !items.length) notice(texts.no_files, "warn");
  for (const { name, file } of added) items.push({ name, file, sent: 0, state: "ready", reason: "" });
  showRows();
  if (added.length && batch !== null) start();
}

function addFromInput(input) {
  addFiles([...input.files].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
  input.value = "";
}

// ---- display ----

function showRows() {
  element("sending").hidden = !items.length;
  const rows = element("rows");
  for (const item of items.slice(rows.children.length, MAX_ROWS)) {
    item.row = document.createElement("li");
    item.row.innerHTML = '<span class="file-name"></span><progress max="1"></progress><span class="file-size"></span><span class="state"></span>';
    item.row.querySelector(".file-name").textContent = item.name;
    item.row.querySelector("progress").setAttribute("aria-label", item.name);
    item.row.querySelector(".file-size").textContent = size(item.file.size);
    rows.append(item.row);
    showItem(item);
  }
  element("more").textContent = items.length > MAX_ROWS ? t("more", { number: items.length - MAX_ROWS }) : "";
  showTotals();
}

function showItem(item) {
  if (!item.row) return;
  item.row.querySelector("progress").value = item.file.size ? item.sent / item.file.size : item.state === "sent" ? 1 : 0;
  const state = item.row.querySelector(".state");
  state.textContent = item.reason || texts[`state_${item.state}`];
  state.className = `state ${item.state}`;
}

function showTotals() {
  const total = items.reduce((sum, item) => sum + item.file.size, 0);
  const sent = items.reduce((sum, item) => sum + item.sent, 0);
  const done = items.filter((item) => item.state === "sent").length;
  element("all").value = total ? sent / total : items.length ? done / items.length : 0;
  const speed = running ? (sent - sentBefore) / Math.max(0.5, (performance.now() - startedAt) / 1000) : 0;
  element("figures").textContent =
    running && speed > 0
      ? t("progress", { done, number: items.length, sent: size(sent), size: size(total), speed: size(speed), left: timeLeft((total - sent) / speed) })
      : t("chosen", { number: items.length, size: size(total) });
  element("begin").hidden = batch !== null;
  element("clear").hidden = batch !== null;
  element("pause").hidden = batch === null;
  element("pause").textContent = running ? texts.pause : texts.resume;
  element("submit-complete-files").hidden = batch === null || running;
}

let totalsScheduled = false;
function showSoon(item) {
  showItem(item);
  if (totalsScheduled) return;
  totalsScheduled = true;
  setTimeout(() => {
    totalsScheduled = false;
    showTotals();
  }, 250);
}

function lockForm(locked) {
  for (const field of form.elements) field.disabled = locked;
}

// ---- uploading ----

async function createBatch() {
  if (!form.elements.area.value) {
    notice(texts.choose_area, "warn");
    form.elements.area.focus();
    return;
  }
  if (!form.reportValidity()) return;
  const values = { area: form.elements.area.value, source: form.elements.source.value, name: form.elements.name.value };
  if (form.elements.date.value) values.date = form.elements.date.value;
  const bands = form.elements.bands.value.split(/[,，]/).filter((part) => part.trim());
  if (bands.length) values.bands = bands.map(Number);
  values.crs = form.elements.crs.value.trim();
  values.override = form.elements.override.checked;
  element("begin").disabled = true;
  try {
    const created = await post(`${root}/api/batches`, values);
    batch = created.id;
    localStorage.setItem(STORAGE_KEY, JSON.stringify({ batch, number: items.length }));
    start();
  } catch (error) {
    notice(error.message);
  } finally {
    element("begin").disabled = false;
  }
}

function start() {
  lockForm(true);
  element("unfinished").hidden = true;
  running = true;
  startedAt = performance.now();
  for (const item of items) {
    const previous = existing.get(item.name);
    const same = previous && previous.size === item.file.size && previous.modified === String(item.file.lastModified);
    if (item.state === "ready" && same) {
      item.sent = item.received = previous.offset;
      item.state = previous.offset === previous.size ? "sent" : "ready";
      item.address = `${root}/api/uploads/${previous.id}`;
    }
    if (["paused", "waiting", "refused"].includes(item.state)) Object.assign(item, { state: "ready", reason: "" });
    showItem(item);
  }
  sentBefore = items.reduce((sum, item) => sum + item.sent, 0);
  const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
  localStorage.setItem(STORAGE_KEY, JSON.stringify({ batch, number: Math.max(stored.number ?? 0, items.length) }));
  startNext();
}

function startNext() {
  if (!running) return;
  let active = items.filter((item) => item.state === "sending" || item.state === "waiting").length;
  for (const item of items) {
    if (active >= MAX_PARALLEL) break;
    if (item.state !== "ready") continue;
    active += 1;
    upload(item);
  }
  showTotals();
  if (!active && items.every((item) => item.state === "sent")) submitBatch(false);
  else if (!active) pause();
}

function upload(item) {
  item.state = "sending";
  showItem(item);
  if (item.upload) {
    item.upload.start();
    return;
  }
  item.upload = new tus.Upload(item.file, {
    endpoint: `${root}/api/uploads`,
    uploadUrl: item.address ?? null,
    metadata: { batch: String(batch), filename: item.name, modified: String(item.file.lastModified) },
    headers: { "X-CSRF-Token": document.body.dataset.csrf ?? "", Accept: "application/json" },
    chunkSize: CHUNK_BYTES,
    storeFingerprintForResuming: false,
    retryDelays: [0, 1000, 2000, 4000, 8000, 15000, 30000, 30000, 30000, 30000],
    onShouldRetry: (error) => {
      const status = error.originalResponse?.getStatus() ?? 0;
      const retry = status === 0 || status === 409 || status === 423 || status >= 500;
      if (retry) {
        Object.assign(item, { state: "waiting", sent: item.received ?? 0 }); // unacknowledged bytes are sent again
        showSoon(item);
      }
      return retry;
    },
    onProgress: (sent) => {
      item.sent = sent;
      if (item.state === "waiting") item.state = "sending";
      showSoon(item);
    },
    onChunkComplete: (_, received) => {
      item.received = received;
    },
    onSuccess: () => {
      Object.assign(item, { state: "sent", sent: item.file.size, upload: null });
      showItem(item);
      startNext();
    },
    onError: (error) => {
      const response = error.originalResponse;
      if (response?.getStatus() === 401) location.assign(`${root}/sign-in?next=${encodeURIComponent(location.pathname)}`);
      if (!response) {
        item.state = "waiting"; // retried later, because the browser may not notice that the connection is back
        setTimeout(() => retryWaiting(item), 20000);
      } else Object.assign(item, { state: "refused", reason: errorMessage(response), upload: null, address: null });
      showItem(item);
      startNext();
    },
  });
  item.upload.start();
}

function retryWaiting(item) {
  if (!running || item.state !== "waiting") return;
  item.upload?.abort();
  item.state = "ready";
  startNext();
}

function errorMessage(response) {
  try {
    return JSON.parse(response.getBody()).detail;
  } catch {
    return `${texts.state_refused} (${response.getStatus()})`;
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
  showTotals();
}

async function submitBatch(skipIncomplete) {
  running = false;
  element("upload-status").textContent = texts.finishing;
  try {
    await request(`${root}/api/batches/${batch}/complete?leave_out=${skipIncomplete}`, { method: "POST" });
    localStorage.removeItem(STORAGE_KEY);
    location.assign(`${root}/batches/${batch}`);
  } catch (error) {
    element("upload-status").textContent = "";
    notice(error.message);
    showTotals();
  }
}

// ---- resuming an unfinished batch ----

async function restoreBatch() {
  const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "null");
  if (!stored) return;
  const report = await request(`${root}/api/batches/${stored.batch}`).catch(() => null);
  if (!report?.uploads || report.complete) {
    localStorage.removeItem(STORAGE_KEY);
    return;
  }
  batch = stored.batch;
  existing = new Map(report.uploads.map((upload) => [upload.name, upload]));
  form.elements.area.value = report.area_code;
  form.elements.source.value = report.source;
  form.elements.name.value = report.name;
  lockForm(true);
  const done = report.uploads.filter((upload) => upload.offset === upload.size).length;
  element("unfinished").hidden = false;
  element("unfinished").querySelector("span").textContent = t("unfinished", { batch, done, number: Math.max(stored.number, report.uploads.length) });
}

// ---- events ----

const drop = element("drop");
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
    addFiles((await Promise.all(entries.map((entry) => filesOf(entry, "")))).flat());
  } catch (error) {
    notice(error.message);
  }
});
for (const id of ["files", "folder"]) {
  element(`choose-${id}`).addEventListener("click", () => element(id).click());
  element(id).addEventListener("change", (event) => addFromInput(event.target));
}
form.addEventListener("submit", (event) => event.preventDefault());
element("begin").addEventListener("click", createBatch);
element("pause").addEventListener("click", () => (running ? pause() : start()));
element("submit-complete-files").addEventListener("click", () => submitBatch(true));
element("submit-unfinished").addEventListener("click", () => submitBatch(true));
element("start-new-batch").addEventListener("click", () => {
  localStorage.removeItem(STORAGE_KEY);
  location.reload();
});
element("clear").addEventListener("click", () => {
  items = [];
  element("rows").replaceChildren();
  showRows();
});
window.addEventListener("offline", () => running && (element("upload-status").textContent = texts.offline));
window.addEventListener("online", () => {
  if (!running) return;
  element("upload-status").textContent = texts.online;
  setTimeout(() => element("upload-status").textContent === texts.online && (element("upload-status").textContent = ""), 4000);
  items.forEach(retryWaiting); // at once, without waiting for the next retry
});
window.addEventListener("beforeunload", (event) => running && event.preventDefault());
restoreBatch();
