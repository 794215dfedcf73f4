// Checks in progress: kept on the phone after every change; one tab at a time holds the draft of an alert.
import { get, put, remove, withDatabase } from "./database.js";
import { deletePhoto } from "./photos.js";
import { state } from "./session.js";

export const draftOf = (number) => get("drafts", number);
export const saveDraft = (draft) => put("drafts", draft);

/** Return a new draft of a check; all ids are made here, so that a repeated submission is the same one. */
export function newDraft(number) {
  const ids = Object.fromEntries(["accept", "findings", "report"].map((kind) => [kind, crypto.randomUUID()]));
  return { number, uid: crypto.randomUUID(), ids, login: state.session.login, name: state.session.name, values: {}, photos: [], begunAt: new Date().toISOString() };
}

export async function discardDraft(draft) {
  for (const photo of draft.photos) await deletePhoto(photo.uid);
  await remove("drafts", draft.number);
}

/** Hold the draft of an alert for this tab. Returns a function that releases it, or null if another tab holds it. */
export async function holdDraft(number) {
  if (!navigator.locks) return () => {};
  return new Promise((answer) => {
    navigator.locks.request(`field-draft-${number}`, { ifAvailable: true }, (lock) => {
      if (!lock) return answer(null);
      return new Promise((release) => answer(release));
    });
  });
}

/** Call `free` when the tab that holds the draft lets go of it, unless `signal` is aborted before. */
export function whenFree(number, signal, free) {
  navigator.locks?.request(`field-draft-${number}`, { signal }, () => {}).then(free, () => {});
}

/** Return the steps of a check in the order in which they are applied; each names those before it. */
function stepsOf(draft, alert, findings, reportAtOnce) {
  const at = new Date().toISOString();
  const step = (uid, kind, after, content, device_time = at) => ({ uid, kind, after, content, device_time, state: "local", reason: "", notes: [] });
  const accept = alert.state === "dispatched" ? [step(draft.ids.accept, "accept", [], {})] : [];
  const before = accept.map(({ uid }) => uid);
  const photos = draft.photos.map(({ uid, name, size, sha256, record }) => step(uid, "photo", [], { name, size, sha256, record }, record.device_time));
  const submitted = step(draft.ids.findings, "findings", [...before, ...photos.map(({ uid }) => uid)], findings);
  const report = reportAtOnce ? [step(draft.ids.report, "report", [submitted.uid], {})] : [];
  return [...accept, ...photos, submitted, ...report];
}

/** Move a draft to the outbox, in one transaction. */
export async function submitDraft(draft, alert, findings) {
  const { uid, number, login, name } = draft;
  const check = { uid, number, login, name, madeAt: new Date().toISOString(), steps: stepsOf(draft, alert, findings, state.session.settings.report_at_once) };
  await withDatabase(async (database) => {
    const transaction = database.transaction(["drafts", "outbox"], "readwrite");
    transaction.objectStore("outbox").put(check);
    transaction.objectStore("drafts").delete(number);
    await transaction.done;
  });
  return check;
}
