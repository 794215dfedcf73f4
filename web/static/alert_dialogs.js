// Dialogs of the review: reason, assignee, split. Each resolves to null if cancelled.
import { createElement } from "./alert_panel.js";
import { fill } from "./tuban.js";

/**
 * Open a dialog with `content`; resolves to the result of `read(form)` when it is submitted. It stays open while that is
 * undefined, or a promise that is not settled yet.
 */
export function openDialog(title, content, t, read, ready) {
  return new Promise((done) => {
    const close = createElement("button", { type: "button", class: "quiet" }, t.cancel);
    const form = createElement("form", { method: "dialog" }, createElement("h2", { id: "dialog-title" }, title), ...content, createElement("div", { class: "row" }, createElement("button", { class: "primary" }, t.save), close));
    const dialog = createElement("dialog", { "aria-labelledby": "dialog-title" }, form);
    let result = null;
    form.addEventListener("submit", async (event) => {
      const reading = read(form);
      const later = reading instanceof Promise;
      if (later || reading === undefined) event.preventDefault();
      const save = form.querySelector("button.primary");
      save.disabled = later;
      if (!later) return void (result = reading);
      result = await reading;
      save.disabled = false;
      if (result !== undefined) dialog.close();
    });
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(result ?? null);
    });
    document.body.append(dialog);
    dialog.showModal();
    ready?.(dialog, form);
  });
}

/** Let the user choose a reason; its digit submits at once, except for the last one, which needs a remark. */
export function chooseReason(title, list, t) {
  const choices = list.map(([name, words], index) => createElement("label", { class: "tick" }, createElement("input", { type: "radio", name: "reason", value: name, required: true }), createElement("kbd", {}, String(index + 1)), ` ${words}`));
  const words = createElement("label", {}, t.words, createElement("input", { name: "words", maxlength: 500 }));
  const read = (form) => ({ reason: form.elements.reason.value, words: form.elements.words.value });
  return openDialog(title, [createElement("fieldset", { class: "bare" }, createElement("legend", { class: "visually-hidden" }, title), ...choices), words], t, read, (dialog, form) => {
    const updateRequired = () => (form.elements.words.required = form.elements.reason.value === "other");
    form.addEventListener("change", updateRequired);
    dialog.addEventListener("keydown", (event) => {
      const radio = event.target.type !== "text" && form.elements.reason[Number(event.key) - 1];
      if (!radio || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      radio.checked = true;
      updateRequired();
      if (radio.value === "other") form.elements.words.focus();
      else form.requestSubmit();
    });
    form.elements.reason[0].focus();
  });
}

export function chooseAssignee(alert, t) {
  const options = [createElement("option", { value: "" }, t.unassigned), ...alert.people.map(({ login, name, role }) => createElement("option", { value: login, selected: login === alert.assignee }, fill(t.bracketed, { name, more: role })))];
  const select = createElement("select", { name: "login" }, ...options);
  return openDialog(t.assign, [createElement("label", {}, t.assignee, select)], t, (form) => ({ login: form.elements.login.value }), () => select.focus());
}

/** Let the user give the reason of a corrected outline; `save(why)` rejects with the server's reason. */
export function enterReason(title, label, t, save) {
  const words = createElement("textarea", { name: "why", rows: 3, required: true, minlength: 2, maxlength: 1500 });
  const fault = createElement("p", { class: "notice bad", role: "alert", hidden: true });
  const read = (form) =>
    save(form.elements.why.value).then(
      () => true,
      (error) => void ((fault.textContent = error.message), (fault.hidden = false)),
    );
  return openDialog(title, [createElement("label", {}, label, words), fault], t, read, () => words.focus());
}

/** Let the user choose the alerts to merge into this one: those of its site, those that touch it, or by number. */
export function chooseMerge(alert, t) {
  const known = [...new Map([...alert.touching, ...alert.site].map((other) => [other.number, other])).values()];
  const boxes = known.map(({ number, state_name, mu }) => createElement("label", { class: "tick" }, createElement("input", { type: "checkbox", name: "known", value: number }), ` ${number} · ${state_name} · ${mu.toFixed(2)} ${t.mu}`));
  const numbers = createElement("input", { name: "numbers", maxlength: 400, required: !known.length });
  const why = createElement("input", { name: "why", maxlength: 500 });
  const content = [createElement("fieldset", { class: "bare" }, createElement("legend", { class: "visually-hidden" }, t.merge_title), ...boxes), createElement("label", {}, t.merge_numbers, numbers), createElement("label", {}, t.why, why)];
  return openDialog(t.merge_title, content, t, (form) => {
    const chosen = [...form.querySelectorAll("[name=known]:checked")].map(({ value }) => value);
    const typed = form.elements.numbers.value.split(/[,，\s]+/).filter(Boolean);
    const alerts = [...new Set([...chosen, ...typed])].filter((number) => number !== alert.number);
    return alerts.length ? { alerts, why: form.elements.why.value } : undefined;
  });
}

/** Let the user choose "gaps" or "line". */
export function chooseSplit(alert, t) {
  const choice = (value, words, disabled) => createElement("label", { class: "tick" }, createElement("input", { type: "radio", name: "how", value, required: true, disabled, checked: !disabled && (value === "gaps" || alert.parts < 2) }), ` ${words}`);
  const fields = createElement("fieldset", { class: "bare" }, choice("gaps", fill(t.split_gaps, { count: alert.parts }), alert.parts < 2), choice("line", t.split_line));
  return openDialog(t.split_title, [fields], t, (form) => form.elements.how.value);
}
