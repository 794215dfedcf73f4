// This phone: what it has and lacks, its clock and storage, the installation, and deletion of offline pictures.
import { conditions, isUsable } from "./door.js";
import { deleteOffline, takenAlerts } from "./offline_alerts.js";
import { state } from "./session.js";
import { el, formatBytes, root, t } from "./words.js";

let installer = null;
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  installer = event;
});

/** Return a list of the conditions with what is missing in words. */
export const conditionList = (found) =>
  el(
    "ul",
    { class: "plain conditions" },
    found.map(({ name, why, risk }) => el("li", { "data-met": String(!why) }, el("strong", {}, name), " ", el("span", { class: `badge ${why ? (risk ? "draft" : "late") : "done"}` }, why ? t("lacking") : t("fine")), why && el("p", { class: "small" }, why))),
  );

export async function showPhone(view) {
  const found = await conditions();
  const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {};
  const removeAll = async () => {
    if (!confirm(t("remove_all_sure"))) return;
    for (const { number } of await takenAlerts().catch(() => [])) await deleteOffline(number);
    showPhone(view);
  };
  const [tone, words] = isUsable(found) ? (found.some(({ why }) => why) ? ["warn", "door_risk"] : ["good", "door_ok"]) : ["bad", "door_missing"];
  const iphone = /iPhone|iPad/.test(navigator.userAgent);
  view.replaceChildren(
    ...[
      el("h1", {}, t("door")),
      el("p", { class: `notice ${tone}` }, t(words)),
      conditionList(found),
      state.offset !== null && el("p", { class: Math.abs(state.offset) > (state.session?.settings.clock_s ?? 300) ? "late" : "" }, t("clock"), t("colon"), t("clock_fine", { seconds: Math.round(state.offset) })),
      el("p", {}, t("storage_used", { used: formatBytes(usage), free: formatBytes(Math.max(0, quota - usage)) })),
      installer && el("button", { type: "button", class: "primary", click: () => installer.prompt() }, t("install")),
      iphone && el("p", { class: "small" }, t("install_ios")),
      el("div", { class: "row" }, el("button", { type: "button", click: removeAll }, t("remove_all")), el("a", { class: "button", href: `${root}/` }, t("desktop"))),
      el("p", { class: "muted small" }, t("version", { version: document.body.dataset.version })),
    ].filter(Boolean),
  );
}
