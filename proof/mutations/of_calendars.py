"""Guards of time and of other people's calendars."""

from proof.mutations.weakening import Weakening

_CALENDARS = "src/holdfast/calendars"

WEAKENINGS = (
    Weakening(
        "skipped hour of a change of clocks",
        "a window that begins at a time that no clock shows",
        "src/holdfast/availability/walltime.py",
        "    if found.to_plain() != plain:",
        "    if False and found.to_plain() != plain:",
        ("tests/availability/test_walltime.py::test_an_edge_is_resolved_as_promised",),
    ),
    Weakening(
        "repeated hour of a change of clocks",
        "a window that closes an hour before its rule says",
        "src/holdfast/availability/walltime.py",
        'return _edge(day, wall, zone, "later")',
        'return _edge(day, wall, zone, "earlier")',
        ("tests/availability/test_walltime.py::test_an_edge_is_resolved_as_promised",),
    ),
    Weakening(
        "If-Match at a server of CalDAV",
        "an export over what a person has just changed",
        f"{_CALENDARS}/caldav.py",
        'answer = await self._send(url, body, {"if-match": etag})',
        "answer = await self._send(url, body, {})",
        ("tests/calendars/caldav/test_events.py::test_a_change_between_reading_and_writing_is_not_lost",),
    ),
    Weakening(
        "If-Match at Google",
        "an export over what a person has just changed",
        f"{_CALENDARS}/google_api.py",
        'headers["If-Match"] = etag',
        "pass",
        ("tests/calendars/test_google_writing.py::test_a_change_names_the_version_that_it_replaces",),
    ),
    Weakening(
        "fencing token of a look at a calendar",
        "what a worker saw whose turn is over, in the place of what is newer",
        f"{_CALENDARS}/mirror.sql",
        "and lease = %(lease)s;\n\n-- name: hold",
        "and true;\n\n-- name: hold",
        ("tests/calendars/test_mirror.py::test_who_has_lost_the_lease_writes_nothing_beside_its_holder",),
    ),
    Weakening(
        "token of a push channel",
        "anybody who has us look at calendars all the time",
        f"{_CALENDARS}/channels.py",
        "if not hmac.compare_digest(_hash_of(token), expected) or not found:",
        "if not found:",
        ("tests/calendars/test_channels.py::test_a_push_that_proves_nothing_is_refused",),
    ),
    Weakening(
        "public addresses only",
        "an address by which our server asks its own network",
        "src/holdfast/kernel/outward.py",
        "return private_networks or (meant.is_global and not is_of_a_site)",
        "return True",
        ("tests/calendars/test_addresses.py::test_no_way_of_writing_an_address_gets_around_the_check",),
    ),
)
