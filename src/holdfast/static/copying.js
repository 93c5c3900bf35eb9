// Buttons that copy what a field has: <button data-copies="id of the field" data-done="words when it is done" hidden>.
for (const button of document.querySelectorAll("button[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  if (!field) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = button.dataset.done;
    } catch {
      // Without https a page may not write there; the field is selected, and can be copied by hand.
      field.focus();
    }
  });
}
