// A list of evidence files in a form: chosen or dropped, uploaded at once with progress, removable until submitted.
import { createElement } from "./alert_panel.js";
import { fill, request } from "./tuban.js";

const PHOTOS = "image/jpeg,image/png,image/webp,image/heic,image/heif,.heic";
const ANY = `${PHOTOS},application/pdf,.pdf,.docx`;

/** A UUID; crypto.randomUUID is missing where the page is not served by HTTPS. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function send(address, file, onProgress) {
  return new Promise((done, failed) => {
    const sender = new XMLHttpRequest();
    sender.open("POST", address);
    sender.setRequestHeader("X-CSRF-Token", document.body.dataset.csrf ?? "");
    sender.setRequestHeader("Accept", "application/json");
    sender.setRequestHeader("Content-Type", "application/octet-stream");
    sender.upload.addEventListener("progress", (event) => event.lengthComputable && onProgress(Math.round((100 * event.loaded) / event.total)));
    sender.addEventListener("error", () => failed(new Error(document.body.dataset.lost)));
    sender.addEventListener("load", () => {
      let body = {};
      try {
        body = JSON.parse(sender.responseText);
      } catch {
        body = {};
      }
      if (sender.status === 201) done(body);
      else failed(new Error(body.detail ?? String(sender.status)));
    });
    sender.send(file);
  });
}

export class FileList {
  /** `field`: of the step's form; `form`: limits, upload address and waiting files; `t`: texts. */
  constructor(field, form, t) {
    Object.assign(this, { field, form, t, items: [] });
    this.photos = field.kind === "photos";
    this.input = createElement("input", { type: "file", multiple: true, accept: this.photos ? PHOTOS : ANY, class: "visually-hidden", tabindex: -1, "aria-hidden": "true" });
    this.add = createElement("button", { type: "button" }, this.photos ? t.add_photos : t.add_files);
    this.list = createElement("ul", { class: "plain evidence-files" });
    const megabytes = Math.round(form.file_bytes / 2 ** 20);
    const hint = [field.hint, fill(this.photos ? t.photo_hint : t.file_hint, { most: megabytes })].filter(Boolean).join(" ");
    this.fault = createElement("p", { class: "fault", role: "alert", hidden: true });
    const label = field.required ? field.label : fill(t.bracketed, { name: field.label, more: t.optional });
    this.element = createElement("fieldset", { class: "bare evidence-field", "data-field": field.name }, createElement("legend", {}, label), this.list, createElement("div", { class: "row" }, this.add, this.input, createElement("span", { class: "muted small" }, hint)), this.fault);
    this.add.addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      this.take([...this.input.files]);
      this.input.value = "";
    });
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take([...event.dataTransfer.files]);
    });
    for (const waiting of form.pending) if (waiting.evidence_field === field.name) this.show({ id: waiting.file, name: waiting.name, info: waiting });
  }

  take(files) {
    this.fail("");
    for (const file of files.slice(0, Math.max(0, this.field.most - this.items.length))) {
      const item = this.show({ id: newId(), name: file.name, file });
      if (file.size > this.form.file_bytes) this.refuse(item, fill(this.t.file_too_large, { most: Math.round(this.form.file_bytes / 2 ** 20) }), false);
      else this.upload(item);
    }
  }

  show(item) {
    this.items.push(item);
    item.state = createElement("span", { class: "muted small", role: "status" }, item.info ? this.t.uploaded : "");
    item.picture = createElement("span", { class: "thumb" });
    const remove = createElement("button", { type: "button", class: "quiet small", "aria-label": `${this.t.remove} ${item.name}` }, this.t.remove);
    remove.addEventListener("click", () => this.remove(item));
    item.row = createElement("li", {}, item.picture, createElement("span", { class: "name" }, item.name), item.state, remove);
    this.list.append(item.row);
    if (item.info) this.thumbnail(item);
    return item;
  }

  thumbnail(item) {
    if (item.info.shown) item.picture.replaceChildren(createElement("img", { src: item.info.shown, alt: "", width: 56, height: 42 }));
  }

  async upload(item) {
    const query = new URLSearchParams({ name: item.name, field: this.field.name, to: this.form.to, file: item.id });
    item.failed = false;
    item.state.textContent = fill(this.t.uploading, { percent: 0 });
    try {
      item.info = await send(`${this.form.upload}?${query}`, item.file, (percent) => (item.state.textContent = fill(this.t.uploading, { percent })));
      item.state.textContent = this.t.uploaded;
      this.thumbnail(item);
      this.fail("");
    } catch (error) {
      this.refuse(item, error.message, true);
    }
    this.element.dispatchEvent(new CustomEvent("change", { bubbles: true }));
  }

  refuse(item, words, again) {
    item.failed = true;
    item.row.classList.add("failed");
    item.state.textContent = words;
    if (!again) return;
    const button = createElement("button", { type: "button", class: "small" }, this.t.retry);
    button.addEventListener("click", () => {
      button.remove();
      item.row.classList.remove("failed");
      this.upload(item);
    });
    item.state.after(button);
  }

  async remove(item) {
    if (item.info) {
      try {
        await request(item.info.address, { method: "DELETE" });
      } catch (error) {
        item.state.textContent = error.message;
        return;
      }
    }
    this.items.splice(this.items.indexOf(item), 1);
    item.row.remove();
    this.add.focus();
  }

  fail(words) {
    this.fault.textContent = words;
    this.fault.hidden = !words;
  }

  /** Ids of the uploaded files, or null after saying what is missing. */
  read() {
    if (this.items.some((item) => item.failed)) return this.fail(this.t.files_failed), null;
    if (this.items.some((item) => !item.info)) return this.fail(this.t.files_waiting), null;
    const least = this.field.required ? Math.max(1, this.field.least ?? 0) : 0;
    if (this.items.length < least) return this.fail(fill(this.t.files_missing, { label: this.field.label, least })), null;
    return this.items.map((item) => item.info.file);
  }
}
