// Sends submitted checks. Every request may be repeated: the ids were made on the phone. The original of a photo is deleted
// only after the server has confirmed its SHA-256; a refused step blocks no other, and stays with its reason.
import { getAll, put, remove } from "./database.js";
import { deleteOriginal, deletePhoto, originalOf } from "./photos.js";
import { Offline, Refused, api, refreshSession, state } from "./session.js";
import { language, root, t } from "./words.js";

const SETTLED = ["applied", "kept", "refused"];
const CHUNK_BYTES = 256 * 1024;
const PARALLEL = 2;
const RETRY_MS = [0, 300, 700, 1500, 3000, 5000];
const AGAIN_SECONDS = [1, 2, 4, 8, 15]; // after failed attempts, and while the desk has an alert open
const ROUNDS = 5; // of one attempt; photos whose bytes differ are sent again

const watchers = new Set();
export const progress = new Map(); // bytes sent of a photo, by id
export let problem = "";
export let sending = false;
let timer = null;
let attempts = 0; // without an answer of the server

export const watchOutbox = (watcher) => {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
};
const changed = () => watchers.forEach((watcher) => watcher());

export const checks = async () => (await getAll("outbox")).sort((one, other) => (one.madeAt < other.madeAt ? 1 : -1));
export const sentSteps = (check) => check.steps.filter((step) => !["local", "needs_file", "lost"].includes(step.state)).length;
export const isSettled = (check) => check.steps.every((step) => SETTLED.includes(step.state));
export const isClean = (check) => check.steps.every((step) => step.state === "applied");
export const unsentCount = async () => (await checks()).reduce((sum, check) => sum + check.steps.length - sentSteps(check), 0);

/** Take over the server's answer about a check: states and reasons; confirmed originals are deleted. */
async function accept(check, answers) {
  const byId = new Map(answers.map((answer) => [answer.uid, answer]));
  for (const step of check.steps) {
    const answer = byId.get(step.uid);
    if (!answer) continue;
    Object.assign(step, { state: answer.state, reason: answer.reason, notes: answer.notes ?? [] });
    if (step.kind !== "photo") continue;
    if (answer.sha256 && answer.sha256 === step.content.sha256) await deleteOriginal(step.uid);
    else if (step.state === "applied") Object.assign(step, { state: "needs_file", reason: t("bytes_differ") }); // never: kept until they are equal
    if (step.state === "needs_file" && !(await originalOf(step.uid))) step.state = "lost";
  }
  await put("outbox", check);
}

let announcing = Promise.resolve();

/** Announce a check, or ask for its state; one after the other, so that no older answer overwrites a newer one. */
function announce(check) {
  announcing = announcing.then(
    () => exchange(check),
    () => exchange(check),
  );
  return announcing;
}

async function exchange(check) {
  const steps = check.steps.map(({ uid, kind, after, content, device_time }) => ({ uid, kind, after, content, device_time }));
  const answer = await api("/api/field/checks", { uid: check.uid, alert: check.number, device_time: new Date().toISOString(), steps });
  attempts = 0;
  await accept(check, answer.steps);
  changed();
}

/** Upload one photo from where it was interrupted; throws Offline or Refused. */
async function upload(step) {
  const photo = await originalOf(step.uid);
  if (!photo) return;
  await new Promise((done, failed) => {
    const sent = new tus.Upload(new Blob([photo.bytes]), {
      uploadUrl: `${root}/api/uploads/field/${step.uid}`,
      chunkSize: CHUNK_BYTES,
      storeFingerprintForResuming: false,
      headers: { "X-CSRF-Token": state.session.csrf, Accept: "application/json", "Accept-Language": language() },
      retryDelays: RETRY_MS,
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        return status === 0 || status === 409 || status === 423 || status >= 500;
      },
      onChunkComplete: (_, received) => {
        progress.set(step.uid, received);
        changed();
      },
      onSuccess: done,
      onError: (error) => {
        const response = error.originalResponse;
        if (!response) failed(new Offline(error.message));
        else failed(new Refused(messageOf(response), response.getStatus()));
      },
    });
    sent.start();
  });
}

function messageOf(response) {
  try {
    const body = JSON.parse(response.getBody());
    return body.error ?? body.detail ?? String(response.getStatus());
  } catch {
    return String(response.getStatus());
  }
}

/** Send one check as far as it goes; returns whether something is left that a later attempt may finish. */
async function send(check) {
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round === 0) await announce(check); // afterwards each photo has done so
    const queue = check.steps.filter((step) => step.kind === "photo" && step.state === "needs_file");
    if (!queue.length) break;
    let failure = null;
    const work = async () => {
      while (queue.length && !failure) {
        const step = queue.shift();
        try {
          await upload(step);
          await announce(check); // confirms it, so that the original can be deleted
        } catch (error) {
          // the server's answer about one photo blocks no other one; a cut line blocks all
          if (error instanceof Offline || [401, 403].includes(error.status)) failure = error;
          else problem = t("server_says", { words: error.message });
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    if (failure) throw failure;
  }
  return !isSettled(check);
}

/** Send everything of the signed-in person. One tab sends at a time; repeated calls are one. */
export async function sync() {
  if (sending) return;
  sending = true;
  clearTimeout(timer);
  const run = async (lock) => {
    if (lock === null) return true; // another tab sends
    let again = false;
    problem = "";
    for (const check of (await checks()).reverse()) {
      if (isSettled(check) || check.login !== state.session?.login) continue;
      try {
        again = (await send(check)) || again;
      } catch (error) {
        again = true;
        if (error instanceof Refused && error.status === 403 && (await refreshSession())) continue; // signed in anew meanwhile
        if (error instanceof Offline || error.status === 401) break;
        problem = t("server_says", { words: error.message });
      }
    }
    return again;
  };
  let again = true;
  try {
    if ((await checks()).every(isSettled)) again = false;
    else if (await refreshSession()) {
      changed();
      again = navigator.locks ? await navigator.locks.request("field-sync", { ifAvailable: true }, run) : await run({});
    }
  } finally {
    sending = false;
    const wait = AGAIN_SECONDS[Math.min(attempts, AGAIN_SECONDS.length - 1)];
    attempts += 1;
    if (again && state.signedIn !== false) timer = setTimeout(sync, wait * 1000);
    changed();
  }
}

/** Remove a finished check from the phone, with what is left of its photos. */
export async function forget(check) {
  for (const step of check.steps) if (step.kind === "photo") await deletePhoto(step.uid);
  await remove("outbox", check.uid);
  changed();
}
