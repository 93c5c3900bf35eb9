// The week editor: bars that are drawn, moved and stretched stand for the times in the fields, which are what is sent.
const STEP = 15;
const LEAST = 15;
const DAY = 1440;
const SVG = "http://www.w3.org/2000/svg";

const form = document.querySelector("[data-week]");
if (form) {
  form.classList.add("live");
  form.querySelectorAll(".with-script").forEach((hint) => { hint.hidden = false; });
  const days = [...form.querySelectorAll("[data-day]")].map((section) => new Day(section));
  const redraw = () => days.forEach((day, number) => day.draw(days[(number + 6) % 7]));
  days.forEach((day) => day.begin(redraw, days));
  redraw();
}

function say(text) {
  form.querySelector("[data-said]").textContent = text;
}

function minutesOf(text, otherwise) {
  const [hours, minutes] = text.split(":").map(Number);
  return Number.isInteger(hours) && Number.isInteger(minutes) ? hours * 60 + minutes : otherwise;
}

function textOf(minutes) {
  const at = ((minutes % DAY) + DAY) % DAY;
  return `${String(Math.floor(at / 60)).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;
}

function Day(section) {
  const track = section.querySelector(".track");
  const box = section.querySelector(".hours");
  const closed = section.querySelector(".closed-day");
  const name = section.querySelector("h2").textContent.trim();
  const model = section.querySelector(".spare");
  let changed = () => {};

  const rows = () => [...box.querySelectorAll(".hours-row")];
  const times = (row) => {
    const [opens, closes] = row.querySelectorAll("input");
    return { opens, closes };
  };

  function read(row) {
    const { opens, closes } = times(row);
    const begin = minutesOf(opens.value, null);
    const end = minutesOf(closes.value, null);
    if (begin === null || end === null) return null;
    return { row, begin, end: end > begin ? end : end + DAY };
  }

  this.intervals = () => rows().map(read).filter(Boolean);

  function write(row, begin, end) {
    const { opens, closes } = times(row);
    opens.value = textOf(begin);
    closes.value = textOf(end);
    row.classList.add("used");
  }

  function bring(row) {
    row.querySelector(".drop").hidden = false;
    row.querySelector(".drop").addEventListener("click", () => { remove(row); });
    row.addEventListener("input", () => { row.classList.add("used"); changed(); });
  }

  function add(begin, end) {
    if (!model) return null;
    const row = model.cloneNode(true);
    row.classList.remove("spare");
    box.insertBefore(row, model);
    bring(row);
    if (begin !== undefined) write(row, begin, end);
    return row;
  }

  function remove(row) {
    const next = row.previousElementSibling?.querySelector?.("input") ?? section.querySelector(".more");
    row.remove();
    say(`${name}: ${form.dataset.saysGone}`);
    changed();
    next.focus();
  }

  this.take = (other) => {
    if (other === this) return;
    rows().filter((row) => row !== model).forEach((row) => row.remove());
    other.intervals().forEach(({ begin, end }) => add(begin, end));
  };

  // How far a bar may reach without touching its neighbours of the same day.
  const room = (row) => {
    const mine = read(row);
    const others = this.intervals().filter((each) => each.row !== row);
    const before = others.filter((each) => each.end <= mine.begin).map((each) => each.end);
    const after = others.filter((each) => each.begin >= mine.end).map((each) => each.begin);
    return { least: Math.max(0, ...before), most: after.length ? Math.min(...after) : Math.max(DAY, mine.end) };
  };

  function put(row, begin, end) {
    write(row, begin, end);
    changed();
    say(`${name}: ${form.dataset.saysMoved.replace("{opens}", textOf(begin)).replace("{closes}", textOf(end))}`);
  }

  // What is dragged: where, from what, with limits.
  function drag(row, part, at) {
    const { begin, end } = read(row);
    const { least, most } = room(row);
    const from = at;
    return (now) => {
      const by = Math.round((now - from) / STEP) * STEP;
      if (part === "begin") put(row, Math.min(Math.max(begin + by, least), end - LEAST), end);
      else if (part === "end") put(row, begin, Math.max(Math.min(end + by, most), begin + LEAST));
      else {
        const to = Math.min(Math.max(begin + by, least), most - (end - begin));
        put(row, to, to + (end - begin));
      }
    };
  }

  function begins(event) {
    if (event.button !== 0) return;
    const shape = track.getBoundingClientRect();
    const minute = (x) => Math.min(Math.max((x - shape.left) / shape.width, 0), 1) * DAY;
    const grip = (event.pointerType === "touch" ? 22 : 9) / shape.width * DAY;
    const at = minute(event.clientX);
    const found = this.intervals().find((each) => each.begin - grip <= at && at <= Math.min(each.end, DAY) + grip);
    let move;
    if (found && found.end > DAY && at > found.begin + grip) {
      move = null; // What goes on past midnight is stretched by its fields.
    } else if (found) {
      const inner = Math.min(grip, (found.end - found.begin) / 3);
      const part = at < found.begin + inner ? "begin" : at > found.end - inner ? "end" : "whole";
      move = drag(found.row, part, at);
    } else if (model) {
      const start = Math.min(Math.round(at / STEP) * STEP, DAY - LEAST);
      const row = add(start, start + LEAST);
      const { least, most } = room(row);
      const first = Math.max(start, least);
      if (most - first < LEAST) { row.remove(); return; }
      const until = (end) => put(row, first, Math.min(Math.max(end, first + LEAST), most));
      until(first + 60);
      // A click opens an hour; whoever goes on draws until where they let go.
      move = (now) => { if (now - at >= STEP) until(Math.round(now / STEP) * STEP); };
    }
    if (!move) return;
    event.preventDefault();
    track.setPointerCapture(event.pointerId);
    const moved = (next) => move(minute(next.clientX));
    const ends = () => {
      track.removeEventListener("pointermove", moved);
      track.removeEventListener("pointerup", ends);
      track.removeEventListener("pointercancel", ends);
    };
    track.addEventListener("pointermove", moved);
    track.addEventListener("pointerup", ends);
    track.addEventListener("pointercancel", ends);
  }

  function keyed(event, row) {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      remove(row);
      return;
    }
    const by = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageUp: 60, PageDown: -60 }[event.key];
    if (!by) return;
    event.preventDefault();
    const part = event.shiftKey ? "end" : event.altKey ? "begin" : "whole";
    const place = this.intervals().findIndex((each) => each.row === row);
    drag(row, part, 0)(by);
    track.querySelectorAll(".bar")[place]?.focus();
  }

  this.draw = (yesterday) => {
    track.querySelectorAll(".bar, .tail").forEach((bar) => bar.remove());
    const bar = (kind, x, width) => {
      const rect = document.createElementNS(SVG, "rect");
      Object.entries({ class: kind, x, y: 6, width: Math.max(width, 0), height: 28, rx: 4 })
        .forEach(([key, value]) => rect.setAttribute(key, value));
      track.append(rect);
      return rect;
    };
    yesterday.intervals().filter((each) => each.end > DAY).forEach((each) => bar("tail", 0, each.end - DAY));
    const now = this.intervals();
    now.forEach(({ row, begin, end }) => {
      const rect = bar("bar", begin, Math.min(end, DAY) - begin);
      const told = form.dataset.saysMoved.replace("{opens}", textOf(begin)).replace("{closes}", textOf(end));
      Object.entries({
        tabindex: 0, role: "slider", "aria-label": `${name}. ${form.dataset.saysBar}`,
        "aria-valuemin": 0, "aria-valuemax": DAY, "aria-valuenow": begin, "aria-valuetext": told,
      }).forEach(([key, value]) => rect.setAttribute(key, value));
      rect.addEventListener("keydown", (event) => keyed.call(this, event, row));
    });
    if (closed) closed.hidden = now.length > 0;
  };

  this.begin = (redraw, days) => {
    changed = redraw;
    track.removeAttribute("aria-hidden");
    track.setAttribute("role", "group");
    track.setAttribute("aria-label", name);
    rows().forEach(bring);
    track.addEventListener("pointerdown", begins.bind(this));
    section.querySelector(".more").addEventListener("click", (event) => {
      event.preventDefault();
      const last = Math.max(9 * 60, ...this.intervals().map((each) => each.end + 60));
      const row = last + 60 <= DAY ? add(last, last + 60) : add();
      changed();
      times(row).opens.focus();
    });
    section.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", (event) => {
      event.preventDefault();
      days.slice(0, button.dataset.copy === "working" ? 5 : 7).forEach((day) => day.take(this));
      redraw();
      section.querySelector(".copy").open = false;
      section.querySelector(".copy summary").focus();
      say(`${name}: ${form.dataset.saysCopied}`);
    }));
  };
}
