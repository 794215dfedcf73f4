// Keeps the page on the phone. The server puts `const SHELL = {version, root, assets}` before this line.
// Only caches of the shell are replaced; drafts, photos and unsent steps are in IndexedDB, which is never touched here.

const PREFIX = "field-shell-";
const CACHE = PREFIX + SHELL.version;
const PAGE = `${SHELL.root}/field`;

self.addEventListener("install", (event) => {
  const requests = SHELL.assets.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests))); // all or none
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener("message", (event) => event.data === "activate" && self.skipWaiting());

async function fromShell(path, request) {
  const kept = await (await caches.open(CACHE)).match(path);
  return kept ?? fetch(request);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (address.pathname === PAGE || address.pathname === `${PAGE}/`) event.respondWith(fromShell(PAGE, request));
    return;
  }
  if (SHELL.assets.includes(address.pathname) && address.pathname !== PAGE) event.respondWith(fromShell(address.pathname, request));
});
