"""What can be wrong with the chains of the audit log: SQL that damages them, and what `verify` says of that."""

from journeys.damages import Finding, twice
from journeys.damages_of_history import entry, without
from journeys.practice import NEIGHBOUR, the

ENTRIES, HEADS = "kernel.chain_entries_are_genuine", "kernel.chain_heads_are_genuine"
LINKS, ENDS, LOOSE = "kernel.chain_links_hold", "kernel.chain_heads_are_at_the_end", "kernel.chain_entries_have_hashes"


def head(name: str, assignments: str) -> str:
    """Return SQL that changes the head of a chain."""
    return f"update audit_heads set {assignments} where aggregate_id = '{the(name)}';"


def says(check: str, name: str, *versions: int) -> set[Finding]:
    """Return what is found of a thing, for each of the versions."""
    return {(check, (the(name), str(version))) for version in versions} or {(check, (the(name),))}


def cut(name: str, version: int) -> str:
    """Return SQL that deletes the last entry and moves the head back to the one before: all that needs no key."""
    before = f"(select mac from audit_log where aggregate_id = '{the(name)}' and version = {version - 1})"
    return without("audit_log", name, version) + head(name, f"version = {version - 1}, entry_mac = {before}")


# What was done; what is found with the key, and what without.
CHAINS: dict[str, tuple[str, set[Finding], set[Finding]]] = {
    **{
        f"an entry in the middle has another {assignment.split()[0]}": (
            entry("past", 2, assignment),
            says(ENTRIES, "past", 2),
            set(),
        )
        for assignment in (
            "aggregate_type = 'block'",
            "action = 'cancel'",
            "from_state = null",
            "to_state = 'confirmed'",
            "actor = 'client'",
            f"actor_id = '{the('ana')}'",
            f"reason_id = '{the('ana')}'",
            "occurred_at = occurred_at - interval '1 microsecond'",
        )
    },
    "the last entry was edited": (entry("moved", 3, "action = 'cancel'"), says(ENTRIES, "moved", 3), set()),
    "an entry happened never": (entry("past", 2, "occurred_at = 'infinity'"), says(ENTRIES, "past", 2), set()),
    "a link was edited": (
        entry("past", 2, "previous_mac = sha256('')"),
        says(ENTRIES, "past", 2) | says(LINKS, "past", 2),
        says(LINKS, "past", 2),
    ),
    "the hash of an entry was edited": (
        entry("past", 2, "mac = sha256('')"),
        says(ENTRIES, "past", 2) | says(LINKS, "past", 3),
        says(LINKS, "past", 3),
    ),
    "an entry in the middle is gone": (
        without("audit_log", "past", 2),
        says(LINKS, "past", 3),
        says(LINKS, "past", 3),
    ),
    "the first entry is gone": (without("audit_log", "past", 1), says(LINKS, "past", 2), says(LINKS, "past", 2)),
    "two entries changed places": (
        entry("past", 2, "version = -2") + entry("past", 3, "version = 2") + entry("past", -2, "version = 3"),
        says(ENTRIES, "past", 2, 3) | says(LINKS, "past", 2, 3) | says(ENDS, "past"),
        says(LINKS, "past", 2, 3) | says(ENDS, "past"),
    ),
    "the last entry is gone": (without("audit_log", "moved", 3), says(ENDS, "moved"), says(ENDS, "moved")),
    "the last entry is gone, and the head was moved back": (
        cut("moved", 3),
        says(HEADS, "moved"),
        set(),
    ),
    "a chain has two heads": (
        "alter table audit_heads drop constraint audit_heads_pkey;"
        + twice("audit_heads", f"aggregate_id = '{the('moved')}'"),
        says("kernel.chain_heads_are_single", "moved"),
        says("kernel.chain_heads_are_single", "moved"),
    ),
    "a head is gone": (
        f"delete from audit_heads where aggregate_id = '{the('moved')}';",
        says(ENDS, "moved"),
        says(ENDS, "moved"),
    ),
    "a chain is gone, and its head is there": (
        without("audit_log", "booked", 1),
        says(ENDS, "booked"),
        says(ENDS, "booked"),
    ),
    "a head was edited": (head("moved", "mac = sha256(mac)"), says(HEADS, "moved"), set()),
    "a head was moved on": (
        head("moved", "version = 4"),
        says(HEADS, "moved") | says(ENDS, "moved"),
        says(ENDS, "moved"),
    ),
    "a head names another entry": (
        head("moved", "entry_mac = sha256(entry_mac)"),
        says(HEADS, "moved") | says(ENDS, "moved"),
        says(ENDS, "moved"),
    ),
    "a head is that of another chain": (
        head("moved", f"mac = (select mac from audit_heads where aggregate_id = '{the('past')}')"),
        says(HEADS, "moved"),
        set(),
    ),
    "the last entry and its head were edited together, without the key": (
        entry("moved", 3, "action = 'cancel', mac = sha256(mac)")
        + head("moved", "entry_mac = sha256(entry_mac), mac = sha256(mac)"),
        says(ENTRIES, "moved", 3) | says(HEADS, "moved"),
        set(),
    ),
    "an entry was added with its head, without the key": (
        "insert into audit_log (business_id, aggregate_id, version, aggregate_type, action, actor, previous_mac, mac)"
        " select business_id, aggregate_id, 4, 'booking', 'cancel', 'client', mac, sha256(mac) from audit_log"
        f" where aggregate_id = '{the('moved')}' and version = 3;"
        + head("moved", "version = 4, entry_mac = sha256(entry_mac), mac = sha256(mac)"),
        says(ENTRIES, "moved", 4) | says(HEADS, "moved"),
        set(),
    ),
    "a chain went to another thing": (
        f"update audit_log set aggregate_id = '{the('hold')}' where aggregate_id = '{the('moved')}';"
        + head("moved", f"aggregate_id = '{the('hold')}'"),
        says(ENTRIES, "hold", 2, 3) | says(HEADS, "hold"),
        set(),
    ),
    "a chain went to another business": (
        f"update audit_log set business_id = '{the('business', NEIGHBOUR)}' where aggregate_id = '{the('moved')}';"
        + head("moved", f"business_id = '{the('business', NEIGHBOUR)}'"),
        says(ENTRIES, "moved", 2, 3) | says(HEADS, "moved"),
        set(),
    ),
    "an entry lost its hash": (
        entry("moved", 3, "mac = null"),
        says(LOOSE, "moved", 3) | says(ENDS, "moved"),
        says(LOOSE, "moved", 3) | says(ENDS, "moved"),
    ),
    "a whole chain was taken out of its hashes": (
        entry("past", 1, "mac = null")
        + entry("past", 2, "mac = null, previous_mac = null")
        + entry("past", 3, "mac = null, previous_mac = null")
        + f"delete from audit_heads where aggregate_id = '{the('past')}';",
        says(LOOSE, "past", 1, 2, 3),
        says(LOOSE, "past", 1, 2, 3),
    ),
    "the key of a business is gone": (
        f"delete from tenant_keys where purpose = 'audit' and business_id = '{the('business', NEIGHBOUR)}';",
        {("kernel.chain_keys_open", (the("business", NEIGHBOUR),))},
        set(),
    ),
}
