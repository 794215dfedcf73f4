// Prefetched alerts and images, so that the next alert is shown without waiting.
import { request, root } from "./tuban.js";

const MAX_PICTURES = 900; // tiles and pictures in memory: about ten alerts on a large screen
const MAX_ALERTS = 12;
const alerts = new Map();
const pictures = new Map();

/** Return the data of an alert, fetched once and passed to `prepare`; `store` replaces it by newer data. */
export function fetchAlert(number, query, prepare) {
  if (!alerts.has(number)) {
    const promise = request(`${root}/alerts/${encodeURIComponent(number)}/data${query ? `?${query}` : ""}`).then(prepare);
    promise.catch(() => alerts.delete(number));
    alerts.set(number, promise);
    if (alerts.size > MAX_ALERTS) alerts.delete(alerts.keys().next().value);
  }
  return alerts.get(number);
}

export function store(data) {
  alerts.set(data.number, Promise.resolve(data));
}

export function remove(number) {
  alerts.delete(number);
}

/** Return an object URL for a picture; null if it does not exist. */
export function fetchPicture(address) {
  let cached = pictures.get(address);
  if (cached === undefined) {
    const get = () => fetch(address, { credentials: "same-origin" });
    cached = get()
      .catch(get) // a short network failure does not mean that the image is missing
      .then((response) => (response.ok ? response.blob() : null))
      .then(async (blob) => {
        if (blob === null) return null;
        const objectUrl = URL.createObjectURL(blob);
        const decoded = new Image(); // decode in advance, so that drawing does not wait for it
        decoded.src = objectUrl;
        await decoded.decode().catch(() => {});
        return objectUrl;
      })
      .catch(() => {
        pictures.delete(address);
        return null;
      });
  }
  pictures.delete(address); // reinsert as the most recently used one
  pictures.set(address, cached);
  if (pictures.size > MAX_PICTURES) {
    const [oldest, expired] = pictures.entries().next().value;
    pictures.delete(oldest);
    expired.then((objectUrl) => objectUrl && URL.revokeObjectURL(objectUrl));
  }
  return cached;
}
