// Requests to the server: who is signed in, with which settings; the clock is compared with each answer.
import { get, put } from "./database.js";
import { language, root } from "./words.js";

/** No answer: the network is off, or the line was cut. */
export class Offline extends Error {}

/** The server's answer is an error; `status` is its HTTP status. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const SECONDS = 20;

export const state = { session: null, online: false, signedIn: null, offset: null, measuredAt: null };
const watchers = new Set();

/** Call `watcher` whenever the connection, the person or the clock changes. */
export const watch = (watcher) => watchers.add(watcher);
const changed = () => watchers.forEach((watcher) => watcher(state));

/** Send a request; returns its JSON. Throws Offline or Refused. */
export async function api(path, body) {
  const headers = { Accept: "application/json", "Accept-Language": language(), "X-CSRF-Token": state.session?.csrf ?? "" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(SECONDS * 1000) };
  const begun = Date.now();
  let response, data;
  try {
    response = await fetch(`${root}${path}`, options);
    data = await response.json().catch((error) => (response.ok ? Promise.reject(error) : {}));
  } catch (error) {
    setOnline(false);
    throw new Offline(error.message);
  }
  setOnline(true);
  if (response.status === 401) {
    if (state.signedIn !== false) {
      state.signedIn = false;
      changed();
    }
  }
  if (!response.ok) throw new Refused(data.error ?? data.detail ?? String(response.status), response.status);
  if (data.server_time) await measureClock(data.server_time, begun, Date.now());
  return data;
}

function setOnline(online) {
  if (state.online === online) return;
  state.online = online;
  changed();
}

/** Compare the phone's clock with the server's: the request took place between `begun` and `ended`. */
async function measureClock(serverTime, begun, ended) {
  state.offset = Math.round((new Date(serverTime).getTime() - (begun + ended) / 2) / 100) / 10;
  state.measuredAt = new Date(ended).toISOString();
  await put("meta", { offset: state.offset, measuredAt: state.measuredAt }, "clock").catch(() => {});
}

/** Restore the last session, for work without a network. */
export async function restoreSession() {
  state.session = (await get("meta", "session")) ?? null;
  const clock = await get("meta", "clock");
  if (clock) Object.assign(state, { offset: clock.offset, measuredAt: clock.measuredAt });
}

/** Ask the server who is signed in; false without a network or a session. */
export async function refreshSession() {
  try {
    const session = await api("/api/field/session");
    state.session = session;
    state.signedIn = true;
    await put("meta", session, "session").catch(() => {});
    changed();
    return true;
  } catch (error) {
    if (!(error instanceof Offline) && !(error instanceof Refused)) throw error;
    changed();
    return false;
  }
}
