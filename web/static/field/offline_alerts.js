// Alerts taken along: their data, the tiles of their offline maps and their pictures, with progress and deletion.
import { get, getAll, isFull, put, withDatabase } from "./database.js";
import { api, state } from "./session.js";
import { formatBytes, t } from "./words.js";

const PARALLEL = 6;
const TILE_SECONDS = 30;

/** The browser has too little room; the message says how much is needed. */
export class NoRoom extends Error {}

export const takenAlerts = () => getAll("alerts");
export const takenAlert = (number) => get("alerts", number);

async function requireRoom(bytes) {
  const { usage = 0, quota = Infinity } = (await navigator.storage?.estimate?.()) ?? {};
  if (quota - usage < bytes) throw new NoRoom(t("no_room", { size: formatBytes(bytes), free: formatBytes(Math.max(0, quota - usage)) }));
}

/** List what belongs to an alert: [layer, tile key, address]. */
function filesOf(data) {
  const tiles = data.layers.flatMap(({ name, template, tiles }) =>
    tiles.map(([z, x, y]) => [name, `${z}/${x}/${y}`, template.replace("{z}", z).replace("{x}", x).replace("{y}", y)]),
  );
  return [...tiles, ...Object.entries(data.pictures).map(([when, address]) => ["picture", when, address])];
}

async function fetchFile(address, signal) {
  const timeout = AbortSignal.timeout(TILE_SECONDS * 1000);
  const response = await fetch(address, { signal: AbortSignal.any?.([signal, timeout]) ?? timeout }); // not on iOS before 17.4
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(String(response.status));
  return { bytes: await response.arrayBuffer(), type: response.headers.get("content-type") ?? "" };
}

/**
 * Take an alert along; files that are stored already are not fetched again, unless the image has changed.
 * `onProgress(done, total)`; throws NoRoom, Offline, Refused, or an AbortError if `signal` stopped it.
 */
export async function takeAlong(number, signal, onProgress = () => {}) {
  navigator.storage?.persist?.().catch(() => {});
  const data = await api(`/api/field/alerts/${encodeURIComponent(number)}/take`, {});
  const former = await takenAlert(number);
  const same = former && JSON.stringify(former.images) === JSON.stringify(data.images);
  if (former && !same) await deleteTiles(number);
  const files = filesOf(data);
  const stored = new Set((await withDatabase((database) => database.getAllKeysFromIndex("tiles", "number", number))).map(([, layer, tile]) => `${layer}/${tile}`));
  const missing = files.filter(([layer, tile]) => !stored.has(`${layer}/${tile}`));
  await requireRoom((data.bytes * missing.length) / Math.max(1, files.length));
  const record = { ...data, login: state.session.login, tilesTotal: files.length, missing: missing.length, storedBytes: same ? (former.storedBytes ?? 0) : 0 };
  await put("alerts", record);
  let done = files.length - missing.length;
  onProgress(done, files.length);
  const queue = [...missing];
  let failure = null;
  const work = async () => {
    while (queue.length && !failure && !signal.aborted) {
      const [layer, tile, address] = queue.shift();
      try {
        const file = await fetchFile(address, signal);
        if (file) await put("tiles", { number, layer, tile, ...file });
        record.storedBytes += file?.bytes.byteLength ?? 0;
        record.missing -= 1;
        onProgress((done += 1), files.length);
      } catch (error) {
        failure = isFull(error) ? new NoRoom(t("storage_full")) : error;
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  await put("alerts", record);
  if (failure) throw failure;
  signal.throwIfAborted();
  return record;
}

async function deleteTiles(number) {
  await withDatabase(async (database) => {
    const transaction = database.transaction("tiles", "readwrite");
    for (const key of await transaction.store.index("number").getAllKeys(number)) transaction.store.delete(key);
    await transaction.done;
  });
}

/** Delete the pictures of an alert; its facts stay while a check of it is on the phone. */
export async function deleteOffline(number) {
  await deleteTiles(number);
  await withDatabase(async (database) => {
    const busy = (await database.get("drafts", number)) || (await database.getAll("outbox")).some((check) => check.number === number);
    const data = await database.get("alerts", number);
    if (!data) return;
    if (busy) await database.put("alerts", { ...data, missing: data.tilesTotal, storedBytes: 0 });
    else await database.delete("alerts", number);
  });
}

/** Return the address of a stored file for an image element; null if it is not stored. Revoke it after use. */
export async function storedFile(number, layer, tile) {
  const file = await get("tiles", [number, layer, tile]);
  return file ? URL.createObjectURL(new Blob([file.bytes], { type: file.type })) : null;
}
