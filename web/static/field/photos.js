// A photo with its record: the page's own position, heading and clocks. The original bytes are stored as they are.
import exifr from "../../packages/exifr.js";
import { get, remove, withDatabase } from "./database.js";
import { distanceBetween, distanceToOutline } from "./geometry.js";
import { readingsAt } from "./sensors.js";
import { state } from "./session.js";
import { t } from "./words.js";

const THUMB_PX = 320;
const EARLY_MS = 3000; // a camera may set the time of its file a little before the page noticed the tap

export async function sha256(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Read a chosen file, record where and when it was taken, and store both; returns the photo without its bytes. */
export async function addPhoto(file, { alert, check, shot, source, openedAt }) {
  const settings = state.session.settings;
  const now = Date.now();
  const bytes = await file.arrayBuffer();
  const modified = file.lastModified || now;
  const shutter = source === "camera" && openedAt && modified >= openedAt - EARLY_MS && modified <= now + EARLY_MS ? modified : now;
  const { fix, heading } = await readingsAt(shutter, settings.fix_age_s);
  const iso = (time) => new Date(time).toISOString();
  const record = {
    shot,
    source,
    lon: fix?.lon ?? null,
    lat: fix?.lat ?? null,
    accuracy_m: fix ? Math.round(fix.accuracy * 10) / 10 : null,
    fix_age_s: fix ? Math.round((shutter - fix.at) / 100) / 10 : null,
    altitude_m: fix?.altitude ?? null,
    heading_deg: heading ? Math.round(heading.degrees * 10) / 10 : null,
    heading_source: heading?.source ?? "unknown",
    heading_north: heading ? "magnetic" : "",
    device_time: iso(shutter),
    file_time: file.lastModified ? iso(file.lastModified) : null,
    gps_time: fix ? iso(fix.at) : null,
    clock_offset_s: state.offset,
    clock_measured_at: state.measuredAt,
  };
  const photo = { uid: crypto.randomUUID(), check, number: alert.number, name: file.name || "photo.jpg", type: file.type, size: bytes.byteLength, sha256: await sha256(bytes), record, warnings: await warnings(record, bytes, alert, settings) };
  const thumb = await thumbnail(bytes, file.type);
  await withDatabase(async (database) => {
    const transaction = database.transaction(["photos", "thumbs"], "readwrite");
    transaction.objectStore("photos").put({ ...photo, bytes });
    if (thumb) transaction.objectStore("thumbs").put({ uid: photo.uid, bytes: thumb });
    await transaction.done;
  });
  return photo;
}

/** Return what the person should know at once; a missing position in the file is normal, only a contradiction is told. */
async function warnings(record, bytes, alert, settings) {
  const found = [];
  const offset = record.clock_offset_s;
  if (record.lon === null) found.push(t("warn_no_fix"));
  else {
    const metres = distanceToOutline(alert.outline, record.lon, record.lat);
    if (record.accuracy_m > settings.accuracy_m) found.push(t("warn_accuracy", { metres: Math.round(record.accuracy_m), most: settings.accuracy_m }));
    if (metres - record.accuracy_m > settings.distance_m) found.push(t("warn_distance", { metres: Math.round(metres), most: settings.distance_m }));
    if (record.source === "camera" && Math.abs(record.fix_age_s) > settings.fix_age_s) found.push(t("warn_age", { seconds: Math.round(Math.abs(record.fix_age_s)) }));
    const written = await exifr.gps(bytes).catch(() => null);
    if (record.source === "camera" && Number.isFinite(written?.latitude) && Number.isFinite(written?.longitude)) {
      const apart = distanceBetween([record.lon, record.lat], [written.longitude, written.latitude]);
      if (apart - record.accuracy_m > settings.exif_m) found.push(t("warn_exif", { metres: Math.round(apart) }));
    }
  }
  if (offset !== null && Math.abs(offset) > settings.clock_s) found.push(t("warn_clock", { minutes: Math.round(Math.abs(offset) / 60) }));
  return found;
}

/** Make a small copy for the page, upright; null if the browser cannot decode the file. */
async function thumbnail(bytes, type) {
  try {
    const image = await createImageBitmap(new Blob([bytes], { type }), { imageOrientation: "from-image" });
    const scale = Math.min(1, THUMB_PX / Math.max(image.width, image.height));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.max(1, Math.round(image.width * scale)), Math.max(1, Math.round(image.height * scale))];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
    return blob && (await blob.arrayBuffer());
  } catch {
    return null;
  }
}

const addresses = new Map();

/** Return the address of a photo's small copy for an image element; null if there is none. */
export async function thumbAddress(uid) {
  if (!addresses.has(uid)) {
    const thumb = await get("thumbs", uid);
    if (!thumb) return null;
    addresses.set(uid, URL.createObjectURL(new Blob([thumb.bytes], { type: "image/jpeg" })));
  }
  return addresses.get(uid);
}

export async function deletePhoto(uid) {
  await remove("photos", uid);
  await remove("thumbs", uid);
  if (addresses.has(uid)) URL.revokeObjectURL(addresses.get(uid));
  addresses.delete(uid);
}

/** Delete only the original; the small copy stays, so that the outbox shows what was sent. */
export const deleteOriginal = (uid) => remove("photos", uid);
export const originalOf = (uid) => get("photos", uid);
