// Reads a chosen calendar file into the field whose text is sent, and names it.
const form = document.querySelector("[data-holidays]");
if (form) {
  const file = form.querySelector("[data-file]");
  file.closest(".with-script").hidden = false;
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    form.elements.text.value = await chosen.text();
    form.elements.source.value ||= chosen.name;
  });
}
