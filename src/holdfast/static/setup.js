// Proposes the time zone of whoever sets a server up, until they choose one themselves.
const zone = document.querySelector("select[name=timezone]");
if (zone && !document.querySelector("[aria-invalid=true]")) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zone.options].some((option) => option.value === here)) zone.value = here;
}
