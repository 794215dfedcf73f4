// What was fetched ahead: data of alerts, and pictures of the ground, so that moving on waits for nothing.
import { ask } from "/static/tuban.js";

const MOST = 900; // tiles and pictures in memory: about ten alerts on a large screen
const alerts = new Map();
const pictures = new Map();

/** The data of an alert, fetched once; `keep` puts newer data in its place. */
export function alert(number, query) {
  if (!alerts.has(number)) {
    const asked = ask(`/alerts/${encodeURIComponent(number)}/data${query ? `?${query}` : ""}`);
    asked.catch(() => alerts.delete(number));
    alerts.set(number, asked);
    if (alerts.size > 12) alerts.delete(alerts.keys().next().value);
  }
  return alerts.get(number);
}

export function keep(data) {
  alerts.set(data.number, Promise.resolve(data));
}

export function forget(number) {
  alerts.delete(number);
}

/** An address in memory for a picture; null where there is none. */
export function picture(address) {
  let known = pictures.get(address);
  if (known === undefined) {
    const get = () => fetch(address, { credentials: "same-origin" });
    known = get()
      .catch(get) // a line that was lost for a moment is no missing image
      .then((answer) => (answer.ok ? answer.blob() : null))
      .then(async (blob) => {
        if (blob === null) return null;
        const held = URL.createObjectURL(blob);
        const decoded = new Image(); // decoded ahead as well: else the first drawing waits for it
        decoded.src = held;
        await decoded.decode().catch(() => {});
        return held;
      })
      .catch(() => {
        pictures.delete(address);
        return null;
      });
  }
  pictures.delete(address); // the oldest unused ones go first
  pictures.set(address, known);
  if (pictures.size > MOST) {
    const [oldest, held] = pictures.entries().next().value;
    pictures.delete(oldest);
    held.then((place) => place && URL.revokeObjectURL(place));
  }
  return known;
}
