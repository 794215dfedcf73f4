// The phone's database. No version of the page ever deletes a store: a new version may find unsent work.
import { openDB } from "../../packages/idb.js";

const NAME = "tuban-field";
const VERSION = 1;

// alerts: what was taken along, by number; tiles: its pictures, by [number, layer, z/x/y]
// drafts: checks in progress, by alert number; photos: original bytes, by id; thumbs: small copies, by id
// outbox: submitted checks with the state of each step, by id; meta: session, clock, work list
function upgrade(database, from) {
  if (from < 1) {
    database.createObjectStore("alerts", { keyPath: "number" });
    database.createObjectStore("tiles", { keyPath: ["number", "layer", "tile"] }).createIndex("number", "number");
    database.createObjectStore("drafts", { keyPath: "number" });
    database.createObjectStore("photos", { keyPath: "uid" });
    database.createObjectStore("thumbs", { keyPath: "uid" });
    database.createObjectStore("outbox", { keyPath: "uid" });
    database.createObjectStore("meta");
  }
}

let opening = null;

function open() {
  opening ??= openDB(NAME, VERSION, {
    upgrade,
    blocking: async () => close(), // another tab has a newer version
    terminated: () => (opening = null), // iOS closes databases of pages in the background
  }).catch((error) => {
    opening = null;
    throw error;
  });
  return opening;
}

async function close() {
  const database = opening;
  opening = null;
  (await database)?.close();
}

/** Run an action with the database, and once more if the browser had closed it. */
export async function withDatabase(action) {
  try {
    return await action(await open());
  } catch (error) {
    if (error?.name !== "InvalidStateError" && !/clos|lost|terminat/i.test(error?.message ?? "")) throw error;
    opening = null;
    return action(await open());
  }
}

export const get = (store, key) => withDatabase((database) => database.get(store, key));
export const getAll = (store) => withDatabase((database) => database.getAll(store));
export const put = (store, value, key) => withDatabase((database) => database.put(store, value, key));
export const remove = (store, key) => withDatabase((database) => database.delete(store, key));
export const count = (store) => withDatabase((database) => database.count(store));

export const isFull = (error) => error?.name === "QuotaExceededError" || /quota|full/i.test(error?.message ?? "");
