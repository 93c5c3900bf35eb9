// The form of Stripe on the page that asks for money: card data is typed into Stripe's own frame and never comes to us.
"use strict";

const form = document.getElementById("paying");
const wrong = document.getElementById("paying-wrong");
const button = form.querySelector("button");
const words = button.textContent;

function tell(text) {
  wrong.textContent = text || "";
  wrong.hidden = !text;
}

function wait(waits) {
  button.disabled = waits;
  button.textContent = waits ? form.dataset.wait : words;
}

if (typeof Stripe === "undefined") {
  document.getElementById("paying-away").hidden = false;
} else {
  const stripe = Stripe(form.dataset.key, { locale: form.dataset.language });
  const elements = stripe.elements({ clientSecret: form.dataset.secret });
  elements.create("payment").mount("#paying-element");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    tell("");
    wait(true);
    const back = new URL(form.dataset.back, location.href).href;
    // Who has paid is led on from here; only what went wrong comes back.
    const { error } = await stripe.confirmPayment({ elements, confirmParams: { return_url: back } });
    tell(error.message);
    wait(false);
  });
}
