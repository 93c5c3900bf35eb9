// Keeps parts of a page up to date. An element with data-live="bookings blocks" is loaded anew from its data-live-url when
// something of these kinds has changed, and every data-live-every seconds for what nobody tells of. What it says by
// data-live-told is read out when others have changed it. Whoever holds something in it sets data-live-busy for so long.
// A page may listen to `live:changed` on the document, whose detail has the kinds and ids, and to `live:refreshed`.

const GATHER_MS = 250;
const shown = new WeakMap();
const loading = new WeakMap();
const due = new Map();
let source = null;
let isLost = false;
let isOver = false;
let voice = null;

const parts = () => [...document.querySelectorAll("[data-live]")];

// With what elements came, before any script touched it: this one is loaded before those that import it.
const served = new WeakMap(parts().map((part) => [part, part.innerHTML.trim()]));

function isAsServed(element, text) {
  const like = document.createElement("template");
  like.innerHTML = text;
  return like.innerHTML.trim() === served.get(element);
}

export function say(text) {
  if (!text) return;
  if (!voice) {
    voice = document.createElement("p");
    voice.className = "heard";
    voice.setAttribute("aria-live", "polite");
    document.body.append(voice);
  }
  voice.textContent = "";
  setTimeout(() => { voice.textContent = text; }, 60);
}

// How an element is found again in what replaces it: by its id or its address, and which of those it is.
function traceOf(element, within) {
  const href = element.getAttribute("href");
  const found = element.id ? `#${CSS.escape(element.id)}` : href ? `a[href="${CSS.escape(href)}"]` : null;
  return found && { found, nth: [...within.querySelectorAll(found)].indexOf(element) };
}

function put(element, text) {
  const focused = element.contains(document.activeElement) ? traceOf(document.activeElement, element) : null;
  const kept = [...element.querySelectorAll("[data-keep]")].map((one) => [one.scrollLeft, one.scrollTop]);
  element.innerHTML = text;
  [...element.querySelectorAll("[data-keep]")].forEach((one, n) => { if (kept[n]) [one.scrollLeft, one.scrollTop] = kept[n]; });
  if (focused) {
    const again = element.querySelectorAll(focused.found);
    (again[focused.nth] ?? again[0])?.focus({ preventScroll: true });
  }
  element.dispatchEvent(new CustomEvent("live:refreshed", { bubbles: true }));
}

export async function refresh(element, { told = false } = {}) {
  if (loading.has(element)) {
    loading.set(element, true);
    return;
  }
  loading.set(element, false);
  try {
    const answer = await fetch(element.dataset.liveUrl, { headers: { "HX-Request": "true" } });
    if (answer.status === 401) {
      isOver = true;
      stop();
    } else if (answer.ok) {
      const text = await answer.text();
      if ("liveBusy" in element.dataset) {
        due.set(element, told);
      } else if (!shown.has(element) && isAsServed(element, text)) {
        // It was told of something that was there already: nobody's hand loses what it is about to take.
        shown.set(element, text);
      } else if (shown.get(element) !== text) {
        shown.set(element, text);
        put(element, text);
        if (told) say(element.dataset.liveTold);
      }
    }
  } catch {
    // The server is away: a later round finds it.
  } finally {
    const again = loading.get(element);
    loading.delete(element);
    if (again) refresh(element, { told });
  }
}

// Loads what came while somebody held something.
export function settle(element) {
  delete element.dataset.liveBusy;
  if (due.has(element)) {
    const told = due.get(element);
    due.delete(element);
    refresh(element, { told });
  }
}

function start() {
  if (isOver || source || document.hidden || !parts().length) return;
  source = new EventSource("/admin/events");
  let wanted = new Set();
  let timer = null;
  source.addEventListener("error", () => { isLost = true; });
  source.addEventListener("open", () => {
    // What was to be told meanwhile was told to nobody.
    if (isLost) for (const part of parts()) refresh(part);
    isLost = false;
  });
  source.addEventListener("changed", (event) => {
    const { kinds, ids } = JSON.parse(event.data);
    document.dispatchEvent(new CustomEvent("live:changed", { detail: { kinds, ids } }));
    for (const part of parts()) if (part.dataset.live.split(" ").some((kind) => kinds.includes(kind))) wanted.add(part);
    timer ??= setTimeout(() => {
      timer = null;
      for (const part of wanted) refresh(part, { told: true });
      wanted = new Set();
    }, GATHER_MS);
  });
}

function stop() {
  source?.close();
  source = null;
}

// A hidden page holds no connection: browsers have few for a server. Whatever it has missed it loads when it is seen again.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stop();
  } else {
    start();
    for (const part of parts()) refresh(part);
  }
});
addEventListener("pagehide", stop);
addEventListener("pageshow", (event) => { if (event.persisted) start(); });

let rounds = 0;
setInterval(() => {
  rounds += 1;
  if (document.hidden) return;
  // Browsers connect again by themselves, but not after an answer that was no stream, as of a gateway without its server.
  if (rounds % 12 === 0 && source?.readyState === EventSource.CLOSED) {
    stop();
    start();
  }
  for (const part of parts()) if (part.dataset.liveEvery && (rounds * 5) % Number(part.dataset.liveEvery) === 0) refresh(part);
}, 5000);
start();
