// Texts in both languages, and small helpers for elements. The page works without a network, so nothing is fetched here.

const texts = JSON.parse(document.getElementById("texts").textContent);
const KEY = "field-language";

/** Path under which the pages are served; "" for none. */
export const root = document.body.dataset.root;

let chosen = null;
try {
  chosen = localStorage.getItem(KEY);
} catch {
  // storage is forbidden: the page says so, see door.js
}
let current = chosen ?? (/tuban_language=en/.test(document.cookie) || !navigator.language.toLowerCase().startsWith("zh") ? "en" : "zh");

export const language = () => current;

export function setLanguage(code) {
  current = code;
  try {
    localStorage.setItem(KEY, code);
  } catch {
    // as above
  }
}

/** Return a text with its {placeholders} replaced; {count|alert|alerts} becomes the number with its noun. */
export function t(key, values = {}) {
  const words = texts[current][key] ?? key;
  return words.replace(/\{(\w+)(?:\|([^|{}]*)\|([^|{}]*))?\}/g, (_, name, one, many) => (one === undefined ? values[name] : `${values[name]} ${String(values[name]) === "1" ? one : many}`));
}

/** Return the name in the current language of something that has `zh` and `en`. */
export const named = (both, suffix = "") => both?.[suffix ? `${suffix}_${current}` : current] ?? "";

/** Create an element; attributes that are functions become event listeners, false and null are left out. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key === "class") element.className = value;
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

export function notice(words, kind = "bad") {
  const box = el("div", { class: `notice ${kind}` }, words);
  document.getElementById("notices").append(box);
  setTimeout(() => box.remove(), kind === "bad" ? 9000 : 4000);
}

export function formatBytes(bytes) {
  if (bytes < 1e5) return `${Math.max(0, Math.round(bytes / 1000))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** Local date and time of an instant, like 2026-11-24 09:05. */
export function formatTime(instant) {
  const time = new Date(instant);
  const two = (number) => String(number).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
}
