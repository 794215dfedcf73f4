// The form of a step: fields by the server's description, files, choice of a later image. Resolves to null if cancelled.
import { openDialog } from "./alert_dialogs.js";
import { createElement } from "./alert_panel.js";
import { FileList } from "./evidence_upload.js";
import { fill, notice, request } from "./tuban.js";

const SQUARE_METRES_PER_MU = 10000 / 15;
const LEAST_MU = 1; // areas up to this are never called implausible, as on the server

/**
 * Let the user enter the evidence of a step. The form stays open, with what was typed, until it is saved.
 * `address`: of the alert, like /alerts/NUMBER; `save({evidence, why})`: sends the step, rejects with the server's reason.
 */
export async function enterEvidence(step, t, address, save = async () => {}) {
  let form;
  try {
    form = await request(`${address}/form?to=${encodeURIComponent(step.to)}`);
  } catch (error) {
    notice(error.message || t.form_failed);
    return null;
  }
  const fields = form.fields.map((field) => makeField(field, form, t));
  const findings = form.findings.map((field) => makeField(field, form, t));
  const remark = createElement("label", {}, fill(t.bracketed, { name: t.why, more: t.optional }), createElement("input", { name: "why", maxlength: 500 }));
  const content = [...fields.filter((field) => field.description.kind === "photos"), ...findings, ...fields.filter((field) => field.description.kind !== "photos")];
  watchConditions(findings, form, t);
  watchAreas(fields, t);
  offerDocuments(fields, form.documents);
  const fault = createElement("p", { class: "notice bad", role: "alert", hidden: true });
  const read = (dialog) => {
    const evidence = {};
    for (const [field, value] of content.map((one) => [one, one.read()])) {
      if (value === null) return undefined; // the field says why
      if (value === "" || (Array.isArray(value) && !value.length)) continue;
      if (field.description.group) (evidence[field.description.group] ??= {})[field.description.name] = value;
      else evidence[field.description.name] = value;
    }
    if (evidence.findings?.works) evidence.works = evidence.findings.works;
    const entered = { evidence, why: dialog.elements.why.value };
    return save(entered).then(
      () => entered,
      (error) => {
        fault.textContent = error.message;
        fault.hidden = false;
        fault.scrollIntoView({ block: "nearest" });
      },
    );
  };
  return openDialog(form.title, [...content.map(({ element }) => element), remark, fault], t, read);
}

function makeField(field, form, t) {
  if (field.kind === "photos" || field.kind === "files") {
    const list = new FileList(field, form, t);
    return { description: field, element: list.element, read: () => (field.name === "later_image" ? photosInstead(list.read()) : list.read()) };
  }
  if (field.kind === "image") return imageChoice(field, form);
  if (field.kind === "nothing") return { description: field, element: createElement("p", { class: "notice warn" }, `${field.label}：${field.hint}`), read: () => "" };
  if (field.kind === "flag") return flag(field);
  const control = makeControl(field, t);
  const hint = field.hint ? createElement("span", { class: "muted small hint" }, field.hint) : "";
  const beside = createElement("span", { class: "muted small", "aria-live": "polite" });
  const label = field.required ? field.label : fill(t.bracketed, { name: field.label, more: t.optional });
  const element = createElement("label", { "data-field": field.name }, label, hint, control, beside);
  return { description: field, element, control, beside, read: () => readControl(field, control) };
}

const photosInstead = (files) => (files?.length ? { photos: files } : files);

function makeControl(field, t) {
  const named = { name: field.name, required: field.required };
  switch (field.kind) {
    case "choice":
      return createElement("select", named, createElement("option", { value: "" }, t.choose), ...field.choices.map(({ value, words }) => createElement("option", { value }, words)));
    case "long":
      return createElement("textarea", { ...named, rows: 3, minlength: field.least || null, maxlength: field.most });
    case "date":
      return createElement("input", { ...named, type: "date", min: field.min, max: field.max });
    case "number":
    case "area":
      return createElement("input", { ...named, type: "number", min: 0, step: "any", inputmode: "decimal", value: field.value ?? null });
    default:
      return createElement("input", { ...named, type: "text", minlength: field.least || null, maxlength: field.most ?? 1000 });
  }
}

function readControl(field, control) {
  if (control.disabled) return "";
  const value = control.value.trim();
  if (value === "") return "";
  return field.kind === "number" || field.kind === "area" ? Number(value) : value;
}

function flag(field) {
  const control = createElement("input", { type: "checkbox", name: field.name, required: field.required });
  return { description: field, control, element: createElement("label", { class: "tick", "data-field": field.name }, control, ` ${field.label}`), read: () => (control.checked ? true : "") };
}

/** The later image of a recheck: one of those that show the place after the correction was ordered. */
function imageChoice(field, form) {
  const choices = form.images.map(({ image, date, source, gsd_m, picture }, index) => {
    const radio = createElement("input", { type: "radio", name: field.name, value: image, required: true, checked: index === 0 });
    const words = `${date} · ${source} · ${Number(gsd_m.toPrecision(2))} m`;
    return createElement("label", { class: "image-choice" }, radio, createElement("img", { src: picture, alt: words, width: 160, height: 160, loading: "lazy" }), createElement("span", {}, words));
  });
  const element = createElement("fieldset", { class: "bare evidence-field", "data-field": field.name }, createElement("legend", {}, field.label), createElement("div", { class: "image-choices" }, ...choices));
  return { description: field, element, read: () => Number(element.querySelector("input:checked")?.value ?? 0) || "" };
}

/** Fields that are shown only while a flag is set, and numbers that are part of another one or larger than the place. */
function watchConditions(findings, form, t) {
  const byName = Object.fromEntries(findings.map((field) => [field.description.name, field]));
  for (const field of findings) {
    const { only_if, at_most, required } = field.description;
    if (only_if) {
      const condition = byName[only_if].control;
      const apply = () => {
        field.element.hidden = field.control.disabled = !condition.checked;
        field.control.required = required && condition.checked;
      };
      condition.addEventListener("change", apply);
      apply();
    }
    if (field.description.kind === "number") {
      const whole = byName[at_most];
      const most = Math.max(form.area_factor * form.alert.mu, LEAST_MU);
      const check = () => {
        const value = field.control.value === "" ? 0 : Number(field.control.value);
        let words = value > most ? fill(t.more_than_place, { mu: form.alert.mu, factor: form.area_factor }) : "";
        if (whole?.control.value && value > Number(whole.control.value)) words = fill(t.more_than, { whole: `${whole.description.label} ${whole.control.value}` });
        field.control.setCustomValidity(words);
        field.beside.textContent = words;
        field.beside.classList.toggle("late", Boolean(words));
      };
      for (const one of whole ? [field, whole] : [field]) one.control.addEventListener("input", check);
    }
  }
}

/** Offer the numbers of issued documents; choosing one fills in its day and the deadline that it sets. */
function offerDocuments(fields, documents) {
  const byName = Object.fromEntries(fields.filter((field) => field.control).map((field) => [field.description.name, field]));
  const [name] = Object.keys(byName).filter((each) => byName[each].description.kind === "number_of" && documents.some((one) => one[each]));
  if (!name) return;
  const { control, element } = byName[name];
  const list = createElement("datalist", { id: "issued-documents" }, ...documents.filter((one) => one[name]).map((one) => createElement("option", { value: one[name] })));
  control.setAttribute("list", list.id);
  element.append(list);
  const take = () => {
    const chosen = documents.find((one) => one[name] === control.value.trim());
    for (const [key, value] of Object.entries(chosen ?? {})) if (byName[key]?.control && !byName[key].control.value) byName[key].control.value = value;
  };
  control.addEventListener("input", take);
  if (!control.value) control.value = documents.find((one) => one[name])[name];
  take();
}

/** The areas of a correction: in mu beside, what is left, and never more than the whole. */
function watchAreas(fields, t) {
  const areas = fields.filter((field) => field.description.kind === "area");
  if (!areas.length) return;
  const [total, ...parts] = areas;
  const show = () => {
    for (const { control, beside } of areas) beside.textContent = control.value === "" ? "" : fill(t.as_mu, { mu: (Number(control.value) / SQUARE_METRES_PER_MU).toFixed(2) });
    const left = Number(total.control.value) - parts.reduce((sum, part) => sum + Number(part.control.value), 0);
    const rounded = Math.round(left * 100) / 100;
    const more = rounded < 0 ? fill(t.too_much, { more: -rounded }) : "";
    parts.at(-1).control.setCustomValidity(more);
    const beside = parts.at(-1).beside;
    beside.textContent = [beside.textContent, more || fill(t.remaining, { left: rounded })].filter(Boolean).join(" · ");
  };
  for (const { control } of areas) control.addEventListener("input", show);
  show();
}
