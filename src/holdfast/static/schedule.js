// What makes the calendar quick: things open beside it, and are moved by dragging, by touch or by keyboard. Everything goes by
// the same forms without this script.
import { refresh, say, settle } from "./live.js";

const STEP = 15, FINE = 5, ROW = 5, HOLD_MS = 350, MOVED_PX = 6;
const board = document.getElementById("board");
const sheet = document.getElementById("sheet");
const body = document.getElementById("sheet-body");
const told = document.getElementById("told");
const word = (name) => document.querySelector("#words").content.querySelector(`[data-word="${name}"]`).textContent;
const headers = { "HX-Request": "true", ...JSON.parse(document.body.getAttribute("hx-headers") ?? "{}") };
const clock = new Intl.DateTimeFormat(document.documentElement.lang === "ru" ? "ru" : "en-GB", {
  timeZone: board.dataset.zone, weekday: "short", hour: "2-digit", minute: "2-digit",
});

if (board.dataset.chosen === "no" && board.dataset.view === "day" && matchMedia("(max-width: 40rem)").matches) {
  const there = new URL(location.href);
  there.searchParams.set("view", "list");
  location.replace(there);
}

// --- asking the server

async function ask(path, form) {
  const answer = await fetch(path, form ? { method: "POST", headers, body: new URLSearchParams(form) } : { headers });
  if (answer.status === 401) location.assign(answer.headers.get("HX-Redirect") ?? "/admin/login");
  const text = await answer.text();
  const made = document.createElement("template");
  made.innerHTML = text;
  return { ok: answer.ok, nodes: made.content, done: made.content.querySelector("[data-done]") };
}

function tell(nodes) {
  told.replaceChildren(nodes);
}

function lost() {
  const notice = document.createElement("p");
  notice.className = "notice bad";
  notice.textContent = word("lost");
  tell(notice);
}

// --- what is opened beside the calendar

let opener = null;

async function open(path) {
  try {
    const { nodes } = await ask(path);
    body.replaceChildren(nodes);
    if (!sheet.open) {
      opener = document.activeElement?.getAttribute?.("href");
      sheet.showModal();
    }
    (body.querySelector("[autofocus]") ?? body.querySelector("input:not([type=hidden]), select, summary, a, button"))?.focus();
  } catch {
    location.assign(path);
  }
}

sheet?.addEventListener("close", () => {
  body.replaceChildren();
  settle(board);
  if (opener) board.querySelector(`a[href="${CSS.escape(opener)}"]`)?.focus({ preventScroll: true });
});
sheet?.addEventListener("click", (event) => { if (event.target === sheet) sheet.close(); });

async function send(form, submitter) {
  const fields = new FormData(form);
  if (submitter?.name) fields.set(submitter.name, submitter.value);
  form.setAttribute("aria-busy", "true");
  try {
    const { ok, nodes, done } = await ask(form.getAttribute("action"), fields);
    if (ok && done) {
      sheet.close();
      tell(nodes);
      await refresh(board);
    } else if (form.closest("#told")) {
      tell(nodes);
      await refresh(board);
    } else {
      body.replaceChildren(nodes);
      body.querySelector("[autofocus]")?.focus();
    }
  } catch {
    lost();
    sheet.close();
  } finally {
    form.removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || !(form.closest("#sheet-body") || form.closest("#told"))) return;
  event.preventDefault();
  if (form.getAttribute("aria-busy") !== "true") send(form, event.submitter);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-sheet]");
  if (!link || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  if (!justDropped) open(link.getAttribute("href"));
});

// --- where a time stands in the grid, and what time a place is

const grid = () => board.querySelector(".board");
const columns = () => [...board.querySelectorAll(".col")];
const stretches = (column) => column.dataset.map.split(" ").map((text) => text.split(":").map(Number));

function instantAt(column, minute) {
  for (const [first, begins, minutes] of stretches(column)) {
    if (minute >= first && minute < first + minutes) return begins + (minute - first) * 60;
  }
  return null;
}

function minuteOf(column, at) {
  for (const [first, begins, minutes] of stretches(column)) {
    if (at >= begins && at < begins + minutes * 60) return first + Math.floor((at - begins) / 60);
  }
  return null;
}

const pixels = () => parseFloat(getComputedStyle(grid()).getPropertyValue("--row"));
const nameOf = (column) => column.getAttribute("aria-label");

// --- moving

let lifted = null;
let justDropped = false;

function lift(item) {
  const column = item.closest(".col");
  const start = Number(item.dataset.s), minutes = Number(item.dataset.m);
  const ghost = document.createElement("div");
  ghost.className = "ghost";
  lifted = { item, ghost, from: column, column, start, minutes, minute: minuteOf(column, start) };
  board.dataset.liveBusy = "";
  item.classList.add("lifted");
  place(column, lifted.minute);
}

function place(column, minute) {
  const { first, last } = grid().dataset;
  const most = Number(last) - Math.min(lifted.minutes, 30);
  const at = Math.max(Number(first), Math.min(minute, most));
  const instant = instantAt(column, at);
  if (instant === null) return;
  Object.assign(lifted, { column, minute: at, start: instant });
  const { ghost, minutes } = lifted;
  ghost.style.gridRowStart = Math.floor((at - Number(first)) / ROW) + 1;
  ghost.style.gridRowEnd = `span ${Math.max(3, Math.round(minutes / ROW))}`;
  ghost.textContent = `${clock.format(new Date(instant * 1000))} – ${clock.format(new Date((instant + minutes * 60) * 1000)).replace(/^\S+ /, "")}`;
  if (ghost.parentNode !== column) column.append(ghost);
}

function putBack() {
  if (!lifted) return;
  lifted.ghost.remove();
  lifted.item.classList.remove("lifted");
  lifted = null;
  settle(board);
}

async function drop() {
  const { item, ghost, from, column, start } = lifted;
  const isSame = start === Number(item.dataset.s) && column.dataset.who === from.dataset.who;
  if (isSame) {
    putBack();
    return;
  }
  lifted = null;
  ghost.classList.add("sending");
  say(word("sending"));
  const fields = { start, resource: column.dataset.who, from: from.dataset.who, version: item.dataset.v, drop: "yes" };
  try {
    const { nodes } = await ask(`${item.getAttribute("href")}/move`, fields);
    tell(nodes);
    delete board.dataset.liveBusy;
    await refresh(board);
  } catch {
    lost();
  } finally {
    ghost.remove();
    item.classList.remove("lifted");
    settle(board);
  }
}

// By mouse at once, by finger after a moment: before that it scrolls.
let pressed = null;

board.addEventListener("pointerdown", (event) => {
  const item = event.target.closest("a.mv");
  if (!item || event.button || lifted) return;
  const box = item.getBoundingClientRect();
  pressed = { item, id: event.pointerId, x: event.clientX, y: event.clientY, grip: event.clientY - box.top };
  if (event.pointerType !== "mouse") {
    const mine = pressed;
    pressed.timer = setTimeout(() => {
      if (pressed !== mine) return;
      navigator.vibrate?.(10);
      begin();
    }, HOLD_MS);
  }
});

function begin() {
  lift(pressed.item);
  pressed.isDragging = true;
  board.classList.add("dragging");
}

function over(x, y) {
  const column = columns().find((one) => { const box = one.getBoundingClientRect(); return x >= box.left && x < box.right; });
  if (!column) return;
  const top = column.getBoundingClientRect().top;
  const rows = (y - pressed.grip - top) / pixels();
  const minute = Number(grid().dataset.first) + Math.round(rows) * ROW;
  place(column, minute);
}

// The calendar scrolls along at its edges.
function scrollAlong(x, y) {
  const box = grid().getBoundingClientRect();
  const near = (at, low, high) => (at < low + 40 ? -1 : at > high - 40 ? 1 : 0);
  grid().scrollBy(near(x, box.left + 56, box.right) * 12, near(y, box.top + 48, Math.min(box.bottom, innerHeight)) * 12);
}

addEventListener("pointermove", (event) => {
  if (!pressed || event.pointerId !== pressed.id) return;
  const isFar = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > MOVED_PX;
  if (!pressed.isDragging) {
    if (!isFar) return;
    if (event.pointerType !== "mouse") {
      cancel();
      return;
    }
    begin();
  }
  event.preventDefault();
  scrollAlong(event.clientX, event.clientY);
  over(event.clientX, event.clientY);
});

// While something is dragged by a finger, the page under it stands still.
board.addEventListener("touchmove", (event) => { if (pressed?.isDragging) event.preventDefault(); }, { passive: false });
board.addEventListener("contextmenu", (event) => { if (pressed?.isDragging) event.preventDefault(); });
board.addEventListener("dragstart", (event) => event.preventDefault());

function cancel() {
  clearTimeout(pressed?.timer);
  pressed = null;
  board.classList.remove("dragging");
}

addEventListener("pointerup", (event) => {
  if (!pressed || event.pointerId !== pressed.id) return;
  const wasDragging = pressed.isDragging;
  cancel();
  if (!wasDragging) return;
  justDropped = true;
  setTimeout(() => { justDropped = false; });
  drop();
});
addEventListener("pointercancel", () => {
  if (!pressed) return;
  cancel();
  putBack();
});

// By keyboard: arrows lift and move, Enter drops, Escape puts back.
function nextColumn(by) {
  const all = columns();
  return all[all.indexOf(lifted.column) + by] ?? lifted.column;
}

board.addEventListener("keydown", (event) => {
  const item = event.target.closest?.("a.mv");
  if (!item) return;
  if (lifted && event.key === "Escape") {
    event.preventDefault();
    putBack();
    say(word("back"));
    return;
  }
  if (lifted && event.key === "Enter") {
    event.preventDefault();
    drop();
    return;
  }
  const step = event.shiftKey ? FINE : STEP;
  const by = { ArrowUp: [0, -step], ArrowDown: [0, step], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
  if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const isFirst = !lifted;
  if (isFirst) lift(item);
  place(nextColumn(by[0]), lifted.minute + by[1]);
  lifted.ghost.scrollIntoView({ block: "nearest", inline: "nearest" });
  say(`${isFirst ? `${word("lifted")} ` : ""}${nameOf(lifted.column)}, ${lifted.ghost.textContent}`);
});
board.addEventListener("focusout", () => { if (lifted && !pressed) putBack(); });

// --- an empty place is where something new begins

board.addEventListener("click", (event) => {
  const column = event.target.closest(".col");
  if (!column || event.target.closest("a") || justDropped || !column.dataset.who) return;
  const button = document.querySelector('.calendar-actions a[href^="/admin/schedule/"]');
  if (!button) return;
  const rows = (event.clientY - column.getBoundingClientRect().top) / pixels();
  const minute = Number(grid().dataset.first) + Math.floor((rows * ROW) / STEP) * STEP;
  const at = instantAt(column, minute);
  if (at !== null) open(`${button.getAttribute("href").split("?")[0]}?at=${at}&who=${column.dataset.who}`);
});

// What is happening now is where the eye goes first.
const first = grid()?.querySelector(".now") ?? grid()?.querySelector(".today");
if (first) {
  const [box, outer] = [first.getBoundingClientRect(), grid().getBoundingClientRect()];
  grid().scrollTo(box.left - outer.left - 60, first.className.includes("now") ? box.top - outer.top - outer.height / 3 : 0);
}
