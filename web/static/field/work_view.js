// The work list: the person's alerts, what is on the phone of each, and taking them along.
import { get, getAll, put } from "./database.js";
import { NoRoom, deleteOffline, takeAlong, takenAlerts } from "./offline_alerts.js";
import { Offline, api, state } from "./session.js";
import { el, formatBytes, formatTime, named, notice, root, t } from "./words.js";

let stopped = null; // AbortController of a download in progress
let progressWords = "";

/** Return the listed alerts and those taken along, together by number; from the phone without a network. */
async function collect() {
  const own = (await takenAlerts()).filter(({ login }) => login === state.session?.login); // phones are shared
  const taken = new Map(own.map((alert) => [alert.number, alert]));
  const kept = await get("meta", "work");
  let listed = kept?.login === state.session?.login ? (kept?.alerts ?? []) : [];
  let fresh = false;
  try {
    const answer = await api("/api/field/alerts");
    listed = answer.alerts;
    fresh = true;
    await put("meta", { ...answer, login: state.session?.login }, "work").catch(() => {});
  } catch (error) {
    if (!(error instanceof Offline) && error.status !== 401) throw error;
  }
  const drafts = new Set((await getAll("drafts")).map(({ number }) => number));
  const checked = new Set((await getAll("outbox")).map(({ number }) => number));
  const numbers = new Set(listed.map(({ number }) => number));
  const left = [...taken.values()].filter(({ number }) => !numbers.has(number)).map((alert) => ({ ...alert, gone: fresh }));
  return [...listed, ...left].map((alert) => ({ ...alert, taken: taken.get(alert.number), draft: drafts.has(alert.number), checked: checked.has(alert.number) }));
}

/** Take alerts along one after the other; `again` afterwards shows the list. */
async function take(alerts, again) {
  stopped = new AbortController();
  let count = 0;
  for (const [index, { number }] of alerts.entries()) {
    try {
      await takeAlong(number, stopped.signal, (done, total) => {
        progressWords = t("taking", { done: `${index + 1}/${alerts.length} · ${done}`, total });
        const shown = document.getElementById("take-progress");
        if (shown) shown.textContent = progressWords;
      });
      count += 1;
    } catch (error) {
      if (stopped.signal.aborted) break;
      notice(error instanceof NoRoom ? error.message : t("take_failed", { number, words: error.message }));
      if (error instanceof NoRoom || error instanceof Offline) break;
    }
  }
  stopped = null;
  progressWords = "";
  if (count) notice(t("take_done", { count }), "good");
  again();
}

function card(alert, again) {
  const { taken } = alert;
  const badges = [
    el("span", { class: `badge ${alert.kind}` }, named(alert.kind_name)),
    el("span", { class: "badge" }, named(alert.state_name)),
    alert.mine && el("span", { class: "badge" }, t("mine")),
    alert.draft && el("span", { class: "badge draft" }, t("draft_here")),
    alert.checked && el("span", { class: "badge done" }, t("checked_here")),
    alert.gone && !alert.checked && el("span", { class: "badge late" }, t("gone")),
  ];
  const size = taken && (taken.missing ? t("taken_part", { count: taken.missing }) : t("taken", { size: formatBytes(taken.storedBytes), day: formatTime(taken.taken_at) }));
  const remove = async () => {
    if (!confirm(t("remove_sure"))) return;
    await deleteOffline(alert.number);
    again();
  };
  const canTake = state.online && state.signedIn && !alert.gone;
  return el(
    "li",
    { class: "work", "data-number": alert.number, "data-taken": taken ? (taken.missing ? "part" : "whole") : "no" },
    el("a", { class: "work-open", href: `#/alert/${encodeURIComponent(alert.number)}`, "aria-disabled": taken ? null : "true" }, el("strong", {}, alert.number), el("span", {}, alert.place), el("span", {}, `${alert.mu.toFixed(2)} ${t("mu")}`)),
    el("div", { class: "row" }, badges, alert.due_on && el("span", { class: alert.overdue ? "late" : "muted" }, t(alert.overdue ? "overdue" : "due", { day: alert.due_on }))),
    alert.why && el("p", { class: "small" }, alert.why),
    el(
      "div",
      { class: "row small" },
      el("span", { class: taken?.missing ? "late" : "muted" }, size || t("not_taken")),
      canTake && el("button", { type: "button", class: "quiet small", disabled: stopped !== null, click: () => take([alert], again) }, taken ? t("take_again") : t("take", { size: formatBytes(alert.bytes ?? 0) })),
      taken && el("button", { type: "button", class: "quiet small", click: remove }, t("remove")),
    ),
  );
}

/** Show the list in `view`. */
export async function showWork(view) {
  const again = () => location.hash.replace(/^#\/?$/, "") === "" && showWork(view);
  const alerts = await collect();
  const missing = alerts.filter(({ taken, gone }) => !gone && (!taken || taken.missing));
  const canTake = state.online && state.signedIn && missing.length > 0;
  const bytes = missing.reduce((sum, alert) => sum + (alert.bytes ?? 0), 0);
  view.replaceChildren(
    ...[
      state.signedIn === false && el("p", { class: "notice warn" }, t("work_first"), " ", el("a", { href: `${root}/sign-in?next=/field` }, t("sign_in"))),
      !state.online && el("p", { class: "notice warn" }, alerts.length ? t("work_offline") : t("work_first")),
      stopped && el("p", { class: "row" }, el("span", { id: "take-progress", role: "status" }, progressWords), el("button", { type: "button", click: () => stopped?.abort() }, t("take_stop"))),
      !stopped && canTake && el("button", { type: "button", class: "primary wide-button", id: "take-all", click: () => (take(missing, again), again()) }, t("take_all", { count: missing.length, size: formatBytes(bytes) })),
      alerts.length ? el("ul", { class: "plain works" }, alerts.map((alert) => card(alert, again))) : state.online && state.signedIn && el("p", { class: "muted" }, t("work_none")),
    ].filter(Boolean),
  );
}
