// Documents in the alert's panel: those that exist, a hint at a transfer, and the kinds that may be drafted now.
import { createElement } from "./alert_panel.js";
import { fill, notice, post, request } from "./tuban.js";

function line(one, texts) {
  const due = one.due ? createElement("span", { class: one.late ? "late small" : "muted small" }, ` ${one.late ? texts.overdue : texts.due} ${one.due}`) : "";
  return createElement("li", {}, createElement("a", { href: one.address }, `${one.title} ${one.number || texts.no_number}`), " ", createElement("span", { class: "badge" }, texts[`state_${one.state}`]), due);
}

/** Form that drafts a document; the server answers with the address of its page. */
function draftForm(found, alert, texts) {
  const about = createElement("select", { name: "about", "aria-label": texts.choose_about, hidden: true });
  const kind = createElement("select", { name: "kind", required: true, "aria-label": texts.draft_new }, createElement("option", { value: "" }, texts.choose), ...found.kinds.map((one) => createElement("option", { value: one.kind }, one.words)));
  const button = createElement("button", {}, texts.draft);
  kind.addEventListener("change", () => {
    const choices = found.kinds.find((one) => one.kind === kind.value)?.about ?? [];
    about.replaceChildren(...choices.map(({ id, words }) => createElement("option", { value: id }, words)));
    about.hidden = !choices.length;
  });
  const form = createElement("form", { class: "row draft-document" }, kind, about, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const body = about.hidden ? { kind: kind.value } : { kind: kind.value, about: Number(about.value) };
      const added = await post(found.draft, body);
      location.assign(`${found.pages}/${added.id}`);
    } catch (error) {
      notice(error.message);
      button.disabled = false;
    }
  });
  return form;
}

/** Show the documents of an alert in `place`. */
export async function showDocuments(place, alert, isShown) {
  const texts = JSON.parse(document.getElementById("document-texts").textContent);
  place.replaceChildren();
  const found = await request(`${alert.address}/documents`).catch(() => null);
  if (!found || !isShown() || !(found.documents.length || found.kinds.length)) return;
  const hints = found.hints.map(({ what, mu }) => createElement("p", { class: "notice warn small" }, createElement("b", {}, texts.hint_title), " ", fill(texts[`hint_${what}`], { mu })));
  const list = createElement("ul", { class: "plain" }, ...found.documents.map((one) => line(one, texts)));
  place.replaceChildren(createElement("h2", {}, texts.title), ...hints, list, found.kinds.length ? draftForm(found, alert, texts) : "");
}
