// Shows the booking page of a business within a page of somebody else, as high as it is:
// <script src="https://booking.example.org/static/embed.js" data-business="my-practice" async></script>
// data-service="slug" and data-lang="en" choose a service and a language.
"use strict";

(() => {
  const script = document.currentScript;
  const home = new URL(script.src);
  const address = new URL(`/${encodeURIComponent(script.dataset.business)}/booking/slot`, home.origin);
  address.searchParams.set("embed", "1");
  for (const name of ["service", "lang"]) {
    if (script.dataset[name]) address.searchParams.set(name, script.dataset[name]);
  }
  const frame = document.createElement("iframe");
  frame.src = address.href;
  frame.title = script.dataset.title || "Booking";
  frame.style.cssText = "display:block;width:100%;border:0;min-height:24rem";
  addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== home.origin) return;
    const { holdfast, height } = event.data || {};
    if (holdfast === "height" && Number.isFinite(height)) frame.style.height = `${Math.min(Math.max(height, 0), 20000)}px`;
    // A page that follows begins at its top.
    if (holdfast === "opened" && frame.getBoundingClientRect().top < 0) frame.scrollIntoView();
  });
  script.after(frame);
})();
