// Questions to the person: a reason, a colleague, what a step needs. Each resolves to null when given up.
import { make } from "/static/alert_panel.js";

const REFERENCES = { correct_by: "date", reason: "area", basis: "area", photos: "area" };

/** Opens a dialog with `content`; resolves to what `read` makes of its form when it is sent. */
function put(title, content, t, read, ready) {
  return new Promise((done) => {
    const close = make("button", { type: "button", class: "quiet" }, t.cancel);
    const form = make("form", { method: "dialog" }, make("h2", { id: "dialog-title" }, title), ...content, make("div", { class: "row" }, make("button", { class: "primary" }, t.save), close));
    const dialog = make("dialog", { "aria-labelledby": "dialog-title" }, form);
    let sent = null;
    form.addEventListener("submit", () => (sent = read(form)));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(sent);
    });
    document.body.append(dialog);
    dialog.showModal();
    ready?.(dialog, form);
  });
}

/** A reason of a short list; its digit picks it at once, except the last, which needs words. */
export function askReason(title, list, t) {
  const choices = list.map(([name, words], index) => make("label", { class: "tick" }, make("input", { type: "radio", name: "reason", value: name, required: true }), make("kbd", {}, String(index + 1)), ` ${words}`));
  const words = make("label", {}, t.words, make("input", { name: "words", maxlength: 500 }));
  const read = (form) => ({ reason: form.elements.reason.value, words: form.elements.words.value });
  return put(title, [make("fieldset", { class: "bare" }, make("legend", { class: "visually-hidden" }, title), ...choices), words], t, read, (dialog, form) => {
    const needed = () => (form.elements.words.required = form.elements.reason.value === "other");
    form.addEventListener("change", needed);
    dialog.addEventListener("keydown", (event) => {
      const radio = event.target.type !== "text" && form.elements.reason[Number(event.key) - 1];
      if (!radio || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      radio.checked = true;
      needed();
      if (radio.value === "other") form.elements.words.focus();
      else form.requestSubmit();
    });
    form.elements.reason[0].focus();
  });
}

export function askPerson(alert, t) {
  const options = [make("option", { value: "" }, t.nobody), ...alert.people.map(({ login, name, role }) => make("option", { value: login, selected: login === alert.assignee }, `${name}（${role}）`))];
  const select = make("select", { name: "login" }, ...options);
  return put(t.assign, [make("label", {}, t.assignee, select)], t, (form) => ({ login: form.elements.login.value }), () => select.focus());
}

/** "gaps" or "line". */
export function askSplit(alert, t) {
  const choice = (value, words, off) => make("label", { class: "tick" }, make("input", { type: "radio", name: "how", value, required: true, disabled: off, checked: !off && (value === "gaps" || alert.parts < 2) }), ` ${words}`);
  const fields = make("fieldset", { class: "bare" }, choice("gaps", t.split_gaps.replace("{count}", alert.parts), alert.parts < 2), choice("line", t.split_line));
  return put(t.split_title, [fields], t, (form) => form.elements.how.value);
}

/** What the table asks for with a step. */
export function askEvidence(step, t) {
  const field = ({ name, words }) => {
    const kind = REFERENCES[name];
    if (name === "works") return make("label", {}, words, make("select", { name, required: true }, ...["levelled", "partly_built", "built"].map((value) => make("option", { value }, t[value]))));
    return make("label", {}, words, kind === "area" ? make("textarea", { name, rows: 3, required: true, maxlength: 1500 }) : make("input", { name, type: kind ?? "text", required: true, maxlength: kind ? null : 300 }));
  };
  const areas = step.balanced ? ["total_m2", "demolished_m2", "regularised_m2"].map((name) => make("label", {}, t[name], make("input", { name, type: "number", min: 0, step: "any", required: true }))) : [];
  if (step.balanced) areas.push(make("label", { class: "tick" }, make("input", { type: "checkbox", name: "agreed", required: true }), ` ${t.agreed}`));
  const remark = make("label", {}, t.why, make("input", { name: "why", maxlength: 500 }));
  return put(step.words, [...step.evidence.map(field), ...areas, remark], t, (form) => {
    const { why, ...given } = Object.fromEntries(new FormData(form));
    if (given.photos) given.photos = given.photos.split("\n").map((line) => line.trim()).filter(Boolean);
    for (const name of ["total_m2", "demolished_m2", "regularised_m2"]) if (given[name] !== undefined) given[name] = Number(given[name]);
    if (step.balanced) given.agreed = form.elements.agreed.checked;
    return { evidence: given, why };
  });
}
