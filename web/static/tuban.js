// Shared by all pages: notices, requests with the CSRF token, texts, and the theme.

/** Path under which a proxy serves the pages, like /tuban; "" for none. Prepended to every path of this service. */
export const root = document.body.dataset.root;

export function notice(text, kind = "bad") {
  const box = document.createElement("div");
  box.className = `notice ${kind}`;
  box.textContent = text;
  document.getElementById("notices").append(box);
  setTimeout(() => box.remove(), kind === "bad" ? 9000 : 4000);
}

/** Send a request with the page's CSRF token; throws an Error with the server's message. */
export async function request(address, options = {}) {
  const headers = { "X-CSRF-Token": document.body.dataset.csrf ?? "", Accept: "application/json", ...options.headers };
  let response;
  try {
    response = await fetch(address, { ...options, headers });
  } catch {
    throw new Error(document.body.dataset.lost);
  }
  if (response.status === 401) location.assign(`${root}/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new Error(body.detail ?? `${response.status}`);
  }
  return response.status === 204 ? null : response.json();
}

/** Send a POST request with a JSON body. */
export function post(address, body = {}) {
  return request(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** Replace the {placeholders} of a text; {count|alert|alerts} becomes the number with its noun. */
export const fill = (text, values) =>
  text.replace(/\{(\w+)(?:\|([^|{}]*)\|([^|{}]*))?\}/g, (_, name, one, many) => (one === undefined ? values[name] : `${values[name]} ${String(values[name]) === "1" ? one : many}`));

/** Write a place like 113.896400°E 30.934400°N; west of Greenwich and south of the equator without a minus sign. */
export function formatPlace(lon, lat) {
  const wrapped = ((((lon + 180) % 360) + 360) % 360) - 180;
  return `${Math.abs(wrapped).toFixed(6)}°${wrapped < 0 ? "W" : "E"} ${Math.abs(lat).toFixed(6)}°${lat < 0 ? "S" : "N"}`;
}

/** Return the lowest zoom, from `minimum` to 23, whose pixels are not larger than the image's, which are `gsd` metres. */
export function maxImageZoom(gsd, latitude, minimum) {
  return Math.min(23, Math.max(minimum, Math.ceil(Math.log2((156543.034 * Math.cos((latitude * Math.PI) / 180)) / gsd))));
}

/** Return the texts in the page: <script type="application/json" id="texts">. */
export function pageTexts() {
  const texts = document.getElementById("texts");
  return texts ? JSON.parse(texts.textContent) : {};
}

/** Return the words of an error: the detail of problem details, or the text as it is. */
function errorWords(text) {
  try {
    return JSON.parse(text).detail ?? text;
  } catch {
    return text;
  }
}

document.addEventListener("htmx:responseError", (event) => notice(errorWords(event.detail.xhr.responseText) || document.body.dataset.lost));
document.addEventListener("htmx:sendError", () => notice(document.body.dataset.lost));

// Menus of the navigation close by a click beside them and by Escape
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".bar .menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector(".bar .menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.getElementById("theme")?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});
