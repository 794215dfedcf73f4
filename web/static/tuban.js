// What every page needs: notices, the token of changes, light and dark.

export function notice(words, kind = "bad") {
  const box = document.createElement("div");
  box.className = `notice ${kind}`;
  box.textContent = words;
  document.getElementById("notices").append(box);
  setTimeout(() => box.remove(), kind === "bad" ? 9000 : 4000);
}

/** fetch with the page's token; throws an Error with the server's words. */
export async function ask(address, options = {}) {
  const headers = { "X-CSRF-Token": document.body.dataset.csrf ?? "", Accept: "application/json", ...options.headers };
  let answer;
  try {
    answer = await fetch(address, { ...options, headers });
  } catch {
    throw new Error(document.body.dataset.lost);
  }
  if (answer.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.error ?? `${answer.status}`);
  }
  return answer.status === 204 ? null : answer.json();
}

/** The same as POST, with a body of JSON. */
export function send(address, body = {}) {
  return ask(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** A text with its {names} filled in. */
export const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** Zoom at which a tile's pixel is not larger than the image's, which is `gsd` metres; from `least` to 23. */
export function deepestZoom(gsd, latitude, least) {
  return Math.min(23, Math.max(least, Math.ceil(Math.log2((156543.034 * Math.cos((latitude * Math.PI) / 180)) / gsd))));
}

/** Texts that the page gave to its scripts: <script type="application/json" id="texts">. */
export function pageTexts() {
  const texts = document.getElementById("texts");
  return texts ? JSON.parse(texts.textContent) : {};
}

document.addEventListener("htmx:responseError", (event) => notice(event.detail.xhr.responseText || document.body.dataset.lost));
document.addEventListener("htmx:sendError", () => notice(document.body.dataset.lost));

document.getElementById("theme")?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});
