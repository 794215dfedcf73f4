// The form of the findings (核查登记卡), built from the settings, with the checks that the server repeats.
import { el, named, t } from "./words.js";

const today = () => {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
};

function input(name, field, value, id) {
  const common = { id, name, required: field.required, "aria-describedby": `${id}-fault` };
  if (field.kind === "choice") {
    const options = Object.entries(field.choices).map(([key, words]) => el("option", { value: key, selected: key === value }, named(words)));
    return el("select", common, el("option", { value: "" }, t("choose")), options);
  }
  if (field.kind === "flag") return el("input", { ...common, type: "checkbox", checked: value === true });
  const shown = { ...common, value: value === undefined ? "" : String(value) };
  if (field.kind === "date") return el("input", { ...shown, type: "date", max: today() });
  if (field.kind === "number") return el("input", { ...shown, type: "text", inputmode: "decimal", autocomplete: "off" });
  return el("input", { ...shown, type: "text", maxlength: "1000", autocomplete: "off", placeholder: named(field, "hint") });
}

const LEAST_MU = 1; // areas up to this are never called implausible, as on the server

/** Create the form for a place of `mu` mu; `onChange(values)` after every input. Returns {element, check}. */
export function findingsForm(fields, values, { mu, factor }, onChange, disabled) {
  const rows = Object.entries(fields).map(([name, field]) => {
    const id = `finding-${name}`;
    const control = input(name, field, values[name], id);
    control.disabled = disabled;
    const label = [named(field), field.required ? el("span", { class: "muted small" }, ` · ${t("required")}`) : ""];
    const fault = el("p", { class: "fault", id: `${id}-fault`, hidden: true });
    const row = field.kind === "flag" ? el("div", { class: "field-row" }, el("label", { class: "tick" }, control, " ", label), fault) : el("div", { class: "field-row" }, el("label", { for: id }, label), control, fault);
    return { name, field, control, row, fault };
  });
  const element = el("form", { class: "findings", submit: (event) => event.preventDefault() }, rows.map(({ row }) => row));

  /** Return what is filled in: numbers as numbers, so that the server gets what was meant. */
  function read() {
    const found = {};
    for (const { name, field, control } of rows) {
      if (field.only_if && !found[field.only_if]) continue;
      const text = control.value.trim();
      if (field.kind === "flag") found[name] = control.checked;
      else if (!text) continue;
      else if (field.kind === "number") found[name] = Number.isFinite(Number(text.replace(",", "."))) ? Number(text.replace(",", ".")) : text;
      else found[name] = text;
    }
    return found;
  }

  function faultOf({ name, field }, found) {
    if (field.only_if && !found[field.only_if]) return "";
    const value = found[name];
    if (value === undefined || value === "") return field.required ? t("is_missing", { name: named(field) }) : "";
    if (field.kind === "number" && !(typeof value === "number" && value >= 0)) return t("not_a_number", { name: named(field) });
    if (field.kind === "number" && field.at_most && value > found[field.at_most]) return t("more_than", { name: named(field), whole: named(fields[field.at_most]) });
    if (field.kind === "number" && value > Math.max(factor * mu, LEAST_MU)) return t("more_than_place", { name: named(field), mu: mu.toFixed(2), factor });
    return field.kind === "date" && value > today() ? t("in_future", { name: named(field) }) : "";
  }

  function showFault({ fault, control }, words) {
    fault.textContent = words;
    fault.hidden = !words;
    control.setAttribute("aria-invalid", String(Boolean(words)));
  }

  function update() {
    const found = read();
    for (const { field, row } of rows) row.hidden = Boolean(field.only_if && !found[field.only_if]);
    return found;
  }

  element.addEventListener("input", () => {
    const found = update();
    for (const one of rows) if (!one.fault.hidden) showFault(one, faultOf(one, found));
    onChange(found);
  });
  update();
  return {
    element,
    /** Show what is missing or wrong; returns the values, or null after moving to the first fault. */
    check() {
      const found = update();
      let first = null;
      for (const one of rows) {
        const words = faultOf(one, found);
        showFault(one, words);
        if (words) first ??= one.control;
      }
      first?.focus();
      return first ? null : found;
    },
  };
}
