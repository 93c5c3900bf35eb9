"""Walls between tenants that have a hole, what `verify` says of each, and SQL that mends them all."""

from journeys.damages import Damage, says

WALLED = "kernel.tenants_are_walled_off"

WALLS: dict[str, Damage] = {
    "a table has no wall": ("alter table blocks disable row level security;", {says(WALLED, "blocks")}),
    "an owner passes the wall": ("alter table services no force row level security;", {says(WALLED, "services")}),
    "a second policy opens a table": ("create policy more on programs using (true);", {says(WALLED, "programs")}),
    "a wall has lost its policy": ("drop policy tenant on businesses;", {says(WALLED, "businesses")}),
    "everything is seen": ("alter policy tenant on claims using (true);", {says(WALLED, "claims")}),
    "everything may be written": ("alter policy tenant on bookings with check (true);", {says(WALLED, "bookings")}),
    "a view passes the wall": ("alter view appointments reset (security_invoker);", {says(WALLED, "appointments")}),
}

REBUILD = """
alter table blocks enable row level security;
alter table services force row level security;
drop policy if exists more on programs;
drop policy if exists tenant on businesses;
create policy tenant on businesses using (id = current_business()) with check (id = current_business());
alter policy tenant on claims using (business_id = current_business());
alter policy tenant on bookings with check (business_id = current_business());
alter view appointments set (security_invoker = true);
"""
