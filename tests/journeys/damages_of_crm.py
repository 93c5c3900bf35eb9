"""What can be wrong with leads and links: SQL that damages them, and what `verify` says of that."""

from typing import Any

from journeys.damages import NOWHERE, Damage, says
from journeys.practice import the
from journeys.references import MINE, NEW, row

REFERS, ONE, EMPTY = (
    f"crm.{name}"
    for name in ("leads_refer_to_their_own_business", "identities_lead_to_one_lead", "merged_leads_are_empty")
)
SURVIVOR, OTHER, THIRD = sorted(the(name) for name in ("survivor", "other", "third"))
SEALED, INDEX = "\\x68666531" + "00" * 40, "\\x" + "00" * 16


def lead(lead_id: str = NEW, business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts a lead."""
    return row("leads", business, id=lead_id, source="form", **values)


def identity(lead_id: str, identity_id: str = NEW) -> str:
    """Return SQL that inserts the one e-mail address that there is."""
    values = {"id": identity_id, "lead_id": lead_id, "kind": "email", "value": SEALED, "value_index": INDEX}
    return row("lead_identities", **values)


MERGED = lead(SURVIVOR) + lead(OTHER, merged_into=SURVIVOR)

# By the name of the foreign key.
CRM_REFERENCES: dict[str, Damage] = {
    "leads_business_id_fkey": (lead(business=NOWHERE), {says(REFERS, NEW, NOWHERE)}),
    "leads_merged_into": (lead(merged_into=NOWHERE), {says(REFERS, NEW, NOWHERE)}),
    "leads_deep_link": (lead(deep_link="nowhere"), {says(REFERS, NEW, "nowhere")}),
    "lead_identities_lead": (identity(NOWHERE), {says(REFERS, NEW, NOWHERE)}),
    "lead_timeline_events_lead": (
        row("lead_timeline_events", id=NEW, lead_id=NOWHERE, type="thing"),
        {says(REFERS, NEW, NOWHERE)},
    ),
    "lead_notes_lead": (
        row("lead_notes", id=NEW, lead_id=NOWHERE, text=SEALED, author=NEW),
        {says(REFERS, NEW, NOWHERE)},
    ),
    "deep_links_business_id_fkey": (
        row("deep_links", NOWHERE, id="new", target_path="/"),
        {says(REFERS, "new", NOWHERE)},
    ),
}

CRM: dict[str, Damage] = {
    "one address leads to two leads": (
        lead(SURVIVOR) + lead(OTHER) + identity(SURVIVOR) + identity(OTHER, THIRD),
        {says(ONE, *sorted([SURVIVOR, OTHER]))},
    ),
    "a merged lead has kept its address": (MERGED + identity(OTHER), {says(EMPTY, OTHER, NEW)}),
    "a merged lead has kept its timeline": (
        MERGED + row("lead_timeline_events", id=NEW, lead_id=OTHER, type="thing"),
        {says(EMPTY, OTHER, NEW)},
    ),
    "a merged lead has kept a note": (
        MERGED + row("lead_notes", id=NEW, lead_id=OTHER, text=SEALED, author=NEW),
        {says(EMPTY, OTHER, NEW)},
    ),
    "a merged lead leads to another merged one": (
        MERGED + lead(THIRD, merged_into=OTHER),
        {says(EMPTY, THIRD, OTHER)},
    ),
}
