"""Guards of what is written: in one transaction, behind the wall of its tenant, as ciphertext."""

from proof.mutations.weakening import Weakening

_DATABASE = "src/holdfast/kernel/database.py"
_PRIVACY = "src/holdfast/migrations/0005_privacy.sql"
# Where the two functions that all columns use were defined last.
_GUEST_DATA = "src/holdfast/migrations/0311_guest_data.sql"
_REFUSES = "tests/booking/test_database_refuses.py"

WEAKENINGS = (
    Weakening(
        "boundary of a transaction",
        "half of a change, without its entry in the audit log",
        _DATABASE,
        "f\"begin; set local holdfast.business = '{UUID(int=business_id.int)}'\"",
        "f\"set holdfast.business = '{UUID(int=business_id.int)}'\"",
        ("tests/kernel/test_transactions.py::test_what_fails_leaves_neither_change_nor_entry",),
    ),
    Weakening(
        "doubt about a commit",
        "success for a booking that a failover may take back",
        _DATABASE,
        "if connection.take_doubt():",
        "if False and connection.take_doubt():",
        ("tests/kernel/test_transactions.py::test_a_commit_in_doubt_is_no_success",),
    ),
    Weakening(
        "audit entry and event of a commit",
        "an appointment that nobody hears of",
        "src/holdfast/booking/admission.sql",
        """
        perform record_changes(p_business_id, v_committed, v_chain_keys, 'commit', 'held', 'client', null,
                               'AppointmentConfirmed');""",
        """
        null;""",
        ("tests/booking/test_http_commit.py::test_a_commit_has_one_entry_and_one_event",),
    ),
    Weakening(
        "chain of the audit log",
        "an entry that was changed afterwards",
        "src/holdfast/kernel/audit_chain.py",
        "if key is not None and not hmac.compare_digest(mac_of(key, entry), entry.mac):",
        "if key is not None and entry.mac is None:",
        ("tests/journeys/test_audit_chain.py::test_damage_is_found",),
    ),
    Weakening(
        "row-level security of a table",
        "rows of another tenant",
        "src/holdfast/migrations/0316_isolation.sql",
        "select isolate('bookings');",
        "select 1;",
        (
            "tests/kernel/test_walls.py::test_a_tenant_sees_no_row_of_another",
            "tests/house/test_schema.py::test_every_table_of_tenants_is_walled_off",
        ),
    ),
    Weakening(
        "what the wall lets a tenant write",
        "a row that is given to another tenant",
        _PRIVACY,
        "with check (business_id = current_business())', p_table);",
        "with check (true)', p_table);",
        ("tests/kernel/test_walls.py::test_a_tenant_changes_no_row_of_another",),
    ),
    Weakening(
        "tenant of a transaction",
        "rows of the tenant that had the connection before",
        _DATABASE,
        "set_config('holdfast.business', %s, true)",
        "set_config('holdfast.business', %s, false)",
        ("tests/kernel/test_walls.py::test_the_tenant_of_a_transaction_ends_with_it",),
    ),
    Weakening(
        "CHECK of an envelope",
        "what a person confides, in plain text",
        _GUEST_DATA,
        "octet_length(p_value) >= 36 and substring(p_value from 1 for 4) = '\\x68666531'::bytea",
        "octet_length(p_value) >= 36",
        (
            f"{_REFUSES}::test_personal_data_is_ciphertext_only[a text where a note should be]",
            "tests/kernel/test_privacy.py::test_the_database_refuses_what_is_no_envelope",
        ),
    ),
    Weakening(
        "CHECK of a blind index",
        "an e-mail address where its hash should be",
        _GUEST_DATA,
        "return octet_length(p_value) = 16;",
        "return true;",
        (f"{_REFUSES}::test_personal_data_is_ciphertext_only[a text to find an address by]",),
    ),
    Weakening(
        "binding of an envelope to its row",
        "ciphertext of one person that opens as that of another",
        "src/holdfast/kernel/privacy.py",
        "self.business_id.bytes + row.bytes + place.encode()",
        "self.business_id.bytes + place.encode()",
        ("tests/kernel/test_privacy.py::test_an_envelope_opens_nowhere_else",),
    ),
)
