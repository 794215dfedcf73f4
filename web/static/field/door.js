// What a phone needs for checks without a network, and in plain words what is missing.
import { put, remove } from "./database.js";
import { root, t } from "./words.js";

const SWITCHING = "tuban-field-switching"; // the user chose the new version, which is not active yet

let workerFault = "";

/** Install the service worker, which keeps the page on the phone; `onUpdate(worker)` when a newer version waits. */
export async function installWorker(onUpdate) {
  if (!navigator.serviceWorker) {
    workerFault = t("need_worker_none");
    return;
  }
  try {
    const registration = await navigator.serviceWorker.register(`${root}/sw.js`, { scope: `${root}/field`, updateViaCache: "none" });
    const offer = () => registration.waiting && navigator.serviceWorker.controller && onUpdate(registration.waiting);
    registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", offer));
    offer();
    if (registration.waiting && sessionStorage.getItem(SWITCHING)) reloadWhenSwitched();
    else sessionStorage.removeItem(SWITCHING);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && registration.update().catch(() => {}));
    workerFault = "";
  } catch (error) {
    workerFault = navigator.onLine || !/fetch/i.test(error.message) ? error.message : "";
  }
}

/**
 * Load the page anew with the waiting version; drafts and unsent work are in the database, which it keeps.
 * A request of the page that hangs in a dead network holds the former version back; reloading the page ends it.
 */
export function useVersion(worker) {
  sessionStorage.setItem(SWITCHING, "1");
  reloadWhenSwitched();
  worker.postMessage("activate");
  setTimeout(() => location.reload(), 5000);
}

function reloadWhenSwitched() {
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    sessionStorage.removeItem(SWITCHING);
    location.reload();
  }, { once: true });
}

async function storageFault() {
  try {
    await put("meta", Date.now(), "probe");
    await remove("meta", "probe");
    return "";
  } catch (error) {
    return error.message || error.name;
  }
}

async function positionDenied() {
  if (!navigator.geolocation) return true;
  const permission = await navigator.permissions?.query({ name: "geolocation" }).catch(() => null);
  return permission?.state === "denied";
}

/** Return the conditions as [{name, why}]; `why` is "" where the condition is met, `hint` where it is only a risk. */
export async function conditions() {
  const stored = await storageFault();
  const worker = workerFault || (navigator.serviceWorker ? "" : t("need_worker_none"));
  return [
    { name: t("need_secure"), why: window.isSecureContext && crypto.subtle ? "" : t("need_secure_why") },
    { name: t("need_worker"), why: worker ? t("need_worker_why", { words: worker }) : "" },
    { name: t("need_storage"), why: stored ? t("need_storage_why", { words: stored }) : "" },
    { name: t("need_position"), why: (await positionDenied()) ? t("need_position_why") : "" },
    { name: t("need_persist"), why: (await navigator.storage?.persisted?.()) ? "" : t("need_persist_why"), risk: true },
    { name: t("need_locks"), why: navigator.locks ? "" : t("need_locks_why"), risk: true },
  ];
}

/** Whether checks can be made here at all: without these the page only tells what is missing. */
export const isUsable = (found) => found.every(({ why, risk }) => risk || !why);
