// The outbox: each check with "12 of 15 sent", each step with its state and reason, and the export of what is unsent.
import { put } from "./database.js";
import { download, exportUnsent } from "./export.js";
import * as outbox from "./outbox.js";
import { deletePhoto, thumbAddress } from "./photos.js";
import { state } from "./session.js";
import { el, formatTime, named, notice, root, t } from "./words.js";

async function stepLine(check, step) {
  const photo = step.kind === "photo";
  const address = photo ? await thumbAddress(step.uid) : null;
  const shot = photo ? named(state.session?.form.shots[step.content.record.shot]) : "";
  const sent = outbox.progress.get(step.uid);
  const percent = photo && step.state === "needs_file" && sent ? t("percent", { percent: Math.floor((100 * sent) / step.content.size) }) : "";
  const discard = async () => {
    if (!confirm(t("delete_sure"))) return;
    await deletePhoto(step.uid);
    step.discarded = true;
    await put("outbox", check);
    document.dispatchEvent(new Event("outbox-changed"));
  };
  return el(
    "li",
    { class: `step ${step.state}`, "data-kind": step.kind, "data-state": step.state },
    address && el("img", { src: address, alt: "" }),
    el("div", {}, el("span", {}, [t(`kind_${step.kind}`), shot].filter(Boolean).join(" · ")), " ", el("span", { class: `badge ${step.state}` }, [t(`state_${step.state}`), percent].filter(Boolean).join(" ")), step.reason && el("span", { class: "block small late" }, step.reason), (step.notes ?? []).map((words) => el("span", { class: "block small muted" }, words))),
    photo && step.state === "refused" && !step.discarded && el("button", { type: "button", class: "quiet small", click: discard }, t("discard_refused")),
  );
}

async function checkCard(check) {
  const sent = outbox.sentSteps(check);
  const total = check.steps.length;
  const lines = [];
  for (const step of check.steps) lines.push(await stepLine(check, step));
  const other = state.session && check.login !== state.session.login;
  const forget = () => confirm(t("forget_sure")) && outbox.forget(check);
  return el(
    "li",
    { class: "check", "data-number": check.number, "data-sent": sent, "data-total": total },
    el("div", { class: "row" }, el("strong", {}, check.number), el("span", { class: "muted small" }, formatTime(check.madeAt)), el("span", { class: "sent" }, sent === total ? t("all_sent", { total }) : t("sent_of", { sent, total }))),
    el("progress", { max: total, value: sent, "aria-label": t("sent_of", { sent, total }) }),
    other && el("p", { class: "notice warn small" }, t("other_person", { name: check.name || check.login })),
    el("details", { open: !outbox.isClean(check) && sent === total }, el("summary", {}, t("steps", { count: total })), el("ul", { class: "plain steps" }, lines)),
    outbox.isSettled(check) && el("button", { type: "button", class: "quiet small", click: forget }, t("forget")),
  );
}

/** Show the outbox in `view`; returns a function that leaves it. */
export async function showOutbox(view) {
  let rendering = false;
  let again = false;
  async function render() {
    if (rendering) return void (again = true);
    rendering = true;
    do {
      again = false;
      await draw(view);
    } while (again);
    rendering = false;
  }
  const stop = outbox.watchOutbox(render);
  document.addEventListener("outbox-changed", render);
  await render();
  return () => {
    stop();
    document.removeEventListener("outbox-changed", render);
  };
}

async function draw(view) {
  const open = new Set([...view.querySelectorAll("details[open]")].map((details) => details.closest(".check").dataset.number));
  const checks = await outbox.checks();
  const unsent = await outbox.unsentCount();
  const cards = [];
  for (const check of checks) cards.push(await checkCard(check));
  for (const card of cards) if (open.has(card.dataset.number)) card.querySelector("details").open = true;
  const save = async () => {
    try {
      download(await exportUnsent(), `tuban-unsent-${formatTime(Date.now()).replace(/[: ]/g, "-")}.zip`);
      notice(t("exported"), "good");
    } catch (error) {
      notice(t("error", { words: error.message }));
    }
  };
  view.replaceChildren(
    ...[
      el("h1", { class: "visually-hidden" }, t("tab_outbox")),
      unsent > 0 && el("p", { class: "notice warn" }, t("not_sent_yet", { count: unsent })),
      unsent > 0 && state.signedIn === false && el("p", { class: "notice warn" }, t("sign_in_to_send"), " ", el("a", { href: `${root}/sign-in?next=/field` }, t("sign_in"))),
      outbox.problem && el("p", { class: "notice bad" }, outbox.problem),
      el("div", { class: "row" }, unsent > 0 && el("button", { type: "button", class: "primary", disabled: outbox.sending, click: () => outbox.sync() }, outbox.sending ? t("sending") : t("send_now")), el("button", { type: "button", id: "export", click: save }, t("export"))),
      checks.length ? el("ul", { class: "plain checks" }, cards) : el("p", { class: "muted" }, t("outbox_none")),
    ].filter(Boolean),
  );
}
