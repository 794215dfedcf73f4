// The page /field: connection, tabs and views. Everything works from the phone; the network is only used to exchange.
import { showCheck } from "./check_view.js";
import { conditions, installWorker, isUsable, useVersion } from "./door.js";
import { getAll } from "./database.js";
import { showOutbox } from "./outbox_view.js";
import { sync, unsentCount, watchOutbox } from "./outbox.js";
import { conditionList, showPhone } from "./phone_view.js";
import { refreshSession, restoreSession, state, watch } from "./session.js";
import { showWork } from "./work_view.js";
import { el, language, root, setLanguage, t } from "./words.js";

const view = document.getElementById("view");
const banner = document.getElementById("banner");
let leave = () => {};
let shown = 0;
let waiting = null; // a newer version that waits to be used

const part = (id) => document.getElementById(id);

function showFrame() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  part("title").textContent = t("title");
  part("language").textContent = t("language");
  part("language").lang = language() === "zh" ? "en" : "zh-CN";
  part("tabs").setAttribute("aria-label", t("nav"));
}

function showConnection() {
  const online = state.online;
  part("connection").textContent = online && state.signedIn === false ? t("signed_out") : t(online ? "online" : "offline");
  part("connection").dataset.online = String(online);
  part("person").replaceChildren(online && state.signedIn === false ? el("a", { href: `${root}/sign-in?next=/field` }, t("sign_in")) : (state.session?.name ?? ""));
}

async function showTabs() {
  const unsent = await unsentCount().catch(() => 0);
  const here = location.hash.split("/")[1] || "";
  const tab = (name, words) => el("a", { href: `#/${name}`, "aria-current": here === name || (name === "" && here === "alert") ? "page" : null }, words);
  part("tabs").replaceChildren(tab("", t("tab_work")), tab("outbox", unsent ? `${t("tab_outbox")} (${unsent})` : t("tab_outbox")), tab("phone", t("tab_phone")));
}

function showBanner() {
  banner.replaceChildren(...(waiting ? [el("p", { class: "notice good row" }, t("new_version"), " ", el("button", { type: "button", id: "use-new", click: () => useVersion(waiting) }, t("use_new")))] : []));
}

async function route() {
  const turn = (shown += 1);
  leave();
  leave = () => {};
  delete view.dataset.shown;
  showTabs();
  const [, name = "", number = ""] = location.hash.split("/");
  const found = name === "phone" ? [] : await conditions();
  if (!isUsable(found)) {
    view.replaceChildren(el("h1", {}, t("door")), el("p", { class: "notice bad" }, t("door_missing")), conditionList(found.filter(({ why }) => why)));
    view.dataset.shown = "door";
    return;
  }
  const views = { "": showWork, outbox: showOutbox, phone: showPhone, alert: (target) => showCheck(target, decodeURIComponent(number), route) };
  try {
    const left = (await (views[name] ?? showWork)(view)) ?? (() => {});
    if (turn !== shown) return left();
    leave = left;
  } catch (error) {
    view.replaceChildren(el("p", { class: "notice bad" }, t("error", { words: error.message })));
    console.error(error);
  }
  view.dataset.shown = name || "work";
  scrollTo(0, 0);
}

async function begin() {
  showFrame();
  showConnection();
  watch(showConnection);
  watchOutbox(showTabs);
  part("language").addEventListener("click", () => {
    setLanguage(language() === "zh" ? "en" : "zh");
    showFrame();
    showConnection();
    showBanner();
    route();
  });
  addEventListener("hashchange", route);
  addEventListener("online", () => refreshSession().then(sync));
  addEventListener("offline", () => showConnection((state.online = false)));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && sync());
  addEventListener("beforeunload", (event) => view.querySelector("[role=status]")?.textContent === t("saving") && event.preventDefault());
  await installWorker((worker) => {
    waiting = worker;
    showBanner();
  });
  await restoreSession().catch(() => {});
  await refreshSession().catch(() => {});
  await route();
  sync();
  if ((await getAll("drafts").catch(() => [])).length || (await unsentCount().catch(() => 0))) navigator.storage?.persist?.().catch(() => {});
}

begin();
