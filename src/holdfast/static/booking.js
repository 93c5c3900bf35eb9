// Makes the pages of booking quicker; they do all the same without it.

// Other days and months without a new page: what can be chosen is taken from the answer, and focus goes to its heading.
const CHOICE = "choice";
let asked = 0;

async function swap(address, heading, isBack) {
  const turn = ++asked;
  const choice = document.getElementById(CHOICE);
  choice.setAttribute("aria-busy", "true");
  let text;
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.status);
    text = await answer.text();
  } catch {
    location.assign(address);
    return;
  }
  // Whoever has chosen something else meanwhile sees that.
  if (turn !== asked) return;
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const found = fresh.getElementById(CHOICE);
  if (!found) {
    location.assign(address);
    return;
  }
  if (!isBack) history.pushState(null, "", address);
  document.title = fresh.title;
  choice.replaceWith(found);
  document.querySelector(".languages").replaceWith(fresh.querySelector(".languages"));
  propose();
  const target = heading && document.getElementById(heading);
  if (target) {
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  swap(link.href, link.dataset.swap, false);
});

if (document.getElementById(CHOICE)) addEventListener("popstate", () => swap(location.href, null, true));

// The zone of this device, where the page shows another one and nobody has chosen it.
function propose() {
  const box = document.querySelector(".proposal");
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!box || !own || own === box.dataset.zone || new URLSearchParams(location.search).has("tz")) return;
  const link = box.querySelector("a");
  link.href = box.dataset.link.replace("ZONE", encodeURIComponent(own));
  box.querySelector("[data-city]").textContent = own;
  box.hidden = false;
}

propose();
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-dismiss]")) event.target.closest(".proposal").hidden = true;
});

// How long a place is still held; told aloud at few moments.
function count(box) {
  const clock = box.querySelector("[data-clock]");
  const words = box.querySelector("[data-words]");
  const said = box.querySelector("[role=status]");
  const moments = JSON.parse(box.dataset.moments);
  const button = document.querySelector("[data-extend]");
  let over = Date.now() + Number(box.dataset.hold) * 1000;
  let before = Infinity;

  function tick() {
    const left = Math.max(0, Math.round((over - Date.now()) / 1000));
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    box.classList.toggle("soon", left > 0 && left <= 120);
    box.classList.toggle("over", left === 0);
    for (const [moment, text] of Object.entries(moments)) {
      if (left <= moment && before > moment && before !== Infinity) said.textContent = text;
    }
    if (left === 0 && before > 0) {
      words.textContent = said.textContent = box.dataset.over;
      if (button) button.disabled = true;
    }
    before = left;
  }

  async function extend(event) {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await fetch(button.dataset.extend, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
      });
      if (!answer.ok) throw new Error(answer.status);
      const { remainingSeconds, expiresAt } = await answer.json();
      over = Date.now() + remainingSeconds * 1000;
      before = Infinity;
      const time = new Intl.DateTimeFormat("ru", { hour: "2-digit", minute: "2-digit", timeZone: box.dataset.zone });
      words.textContent = box.dataset.until.replace("TIME", time.format(new Date(expiresAt)));
      said.textContent = `${box.dataset.extended} ${words.textContent}`;
      tick();
      button.disabled = false;
    } catch {
      // The page of the server says why.
      button.disabled = false;
      button.removeEventListener("click", extend);
      button.click();
    }
  }

  if (button) button.addEventListener("click", extend);
  tick();
  setInterval(tick, 1000);
}

for (const box of document.querySelectorAll("[data-hold]")) count(box);
