"""What can be wrong in a database whose constraints are gone: SQL that damages it, and what `verify` says of that.

The rows are those of practice.py. Ids of claims are not known before, so a damage that touches a claim renumbers it.
"""

from journeys.practice import DEAD, NEIGHBOUR, at, the

Finding = tuple[str, tuple[str, ...]]  # a check, and the ids that it names
Damage = tuple[str, set[Finding]]

ROW = "900001"  # the number of a claim that is touched
NOWHERE = "00000000-0000-4000-8000-000000000000"
ANA, BEN, ROOM, STUDIO, HALL, LIMIT = (the(name) for name in ("ana", "ben", "room", "studio", "hall", "limit"))
TEN, ELEVEN = at("10:00"), at("11:00")


def says(check: str, *ids: str) -> Finding:
    """Return what verify finds by a check of the booking capability, or of the one that is named."""
    return check if "." in check else f"booking.{check}", ids


def owners(*names: str) -> list[str]:
    """Return the ids of bookings, schedules and blocks in the order in which verify lists them."""
    return sorted(the(name) for name in names)


def of(name: str, condition: str = "true") -> str:
    """Return the condition for the claims of an owner."""
    return f"coalesce(booking_id, schedule_id, block_id) = '{the(name)}' and {condition}"


def claims(name: str, assignments: str, condition: str = "true") -> str:
    """Return SQL that changes the claims of an owner."""
    return f"update claims set {assignments} where {of(name, condition)};"


def claim(resource: str, owner: str, owner_id: str, day: int = 20) -> str:
    """Return SQL that inserts a claim of a resource of capacity 1 on a day on which nothing else is."""
    row = f"'{the('business')}', {ROW}, '{resource}', 1, 1, '[{at('10:00', day)}, {at('11:00', day)})', '{owner_id}'"
    return f"insert into claims (business_id, id, resource_id, capacity, seat, during, {owner}) values ({row});"


def row(table: str, name: str, assignments: str) -> str:
    """Return SQL that changes a row that has an id."""
    return f"update {table} set {assignments} where id = '{the(name)}';"


def booking(name: str, assignments: str) -> str:
    """Return SQL that changes a booking's row."""
    return row("bookings", name, assignments)


def entry(name: str, version: int, assignments: str) -> str:
    """Return SQL that changes an audit entry."""
    return f"update audit_log set {assignments} where aggregate_id = '{the(name)}' and version = {version};"


def without(table: str, name: str, version: int) -> str:
    """Return SQL that deletes an audit entry or an event."""
    return f"delete from {table} where aggregate_id = '{the(name)}' and version = {version};"


def without_change(name: str, version: int) -> str:
    """Return SQL that deletes an audit entry with its event."""
    return without("audit_log", name, version) + without("outbox_events", name, version)


def twice(table: str, condition: str) -> str:
    """Return SQL that doubles rows."""
    return f"insert into {table} select * from {table} where {condition};"


def event(aggregate_id: str, kind: str) -> str:
    """Return SQL that inserts an event."""
    values = f"'{the('business')}', '{aggregate_id}', 1, '{kind}'"
    return f"insert into outbox_events (business_id, aggregate_id, version, type) values ({values});"


def key(name: str, assignments: str) -> str:
    """Return SQL that changes an idempotency key."""
    return f"update idempotency_keys set {assignments} where business_id = '{the('business')}' and key = '{name}';"


PLACES: dict[str, Damage] = {
    "a place is taken twice": (
        claims("booked", f"resource_id = '{ANA}'"),
        {says("seats_are_taken_once", ANA, *owners("hold", "booked"))}
        | {says("resources_are_not_oversold", ANA, *owners("hold", "booked"))},
    ),
    "a second place is taken where there is one": (
        claims("booked", f"id = {ROW}, resource_id = '{ANA}', seat = 2"),
        {says("claims_name_a_seat_that_exists", ANA, the("booked"), ROW)}
        | {says("resources_are_not_oversold", ANA, *owners("hold", "booked"))},
    ),
    "a long claim lies over two short ones": (
        claims("hold", f"during = '[{at('09:00')}, {at('14:30')})'")
        + claims("booked", f"resource_id = '{ANA}', during = '[{at('11:00')}, {at('12:00')})'")
        + booking("booked", f"starts_at = '{at('11:00')}', ends_at = '{at('12:00')}'"),
        {says("seats_are_taken_once", ANA, *owners("hold", "booked", "moved"))}
        | {says("resources_are_not_oversold", ANA, *owners("hold", other)) for other in ("booked", "moved")},
    ),
    "a seat is zero": (
        claims("hold", f"id = {ROW}, seat = 0"),
        {says("claims_name_a_seat_that_exists", ANA, the("hold"), ROW)},
    ),
    "a seat is above the capacity that its claim carries": (
        claims("hold", f"id = {ROW}, seat = 2, capacity = 2"),
        {says("claims_name_a_seat_that_exists", ANA, the("hold"), ROW)},
    ),
    "a claim carries another capacity": (
        claims("hold", f"id = {ROW}, capacity = 2"),
        {says("claims_name_a_seat_that_exists", ANA, the("hold"), ROW)},
    ),
    "a capacity was lowered below what is taken": (
        f"delete from claims where resource_id = '{HALL}' and not ({of('monday')});"
        f"delete from blocks where id = '{the('repairs')}';"
        + claims("monday", "id = seat, capacity = 1")
        + row("resources", "hall", "capacity = 1"),
        {says("claims_name_a_seat_that_exists", HALL, the("monday"), "2")}
        | {says("resources_are_not_oversold", HALL, the("monday"))}
        | {says("blocks_and_schedules_take_whole_resources", the("monday"), HALL)},
    ),
    "a claim never ends": (
        claims("paid", f"id = {ROW}, during = '[{at('15:00')},)'"),
        {says("claims_are_bounded", BEN, the("paid"), ROW)},
    ),
    "a claim ends at infinity": (
        claims("paid", f"id = {ROW}, during = '[{at('15:00')}, infinity)'"),
        {says("claims_are_bounded", BEN, the("paid"), ROW)},
    ),
    "a claim never began": (
        claims("past", f"id = {ROW}, during = '(,{at('11:00', year=2020)})'"),
        {says("claims_are_bounded", ANA, the("past"), ROW)},
    ),
    "a claim includes its end": (
        claims("paid", f"id = {ROW}, during = '[{at('15:00')}, {at('16:00')}]'"),
        {says("claims_are_bounded", BEN, the("paid"), ROW)},
    ),
    "a claim is empty": (
        claims("paid", f"id = {ROW}, during = 'empty'"),
        {says("claims_are_bounded", BEN, the("paid"), ROW), says("live_bookings_have_their_claims", the("paid"))},
    ),
    "a counter is too low": (
        row("program_schedules", "monday", "taken = 8"),
        {says("schedule_counters_equal_their_bookings", the("monday"))},
    ),
    "a booking went without its counter": (
        f"delete from bookings where id = '{the('seat-hold')}';",
        {says("schedule_counters_equal_their_bookings", the("monday"))},
    ),
    "a counter is negative": (
        row("program_schedules", "tuesday", "taken = -1"),
        {says("schedule_counters_equal_their_bookings", the("tuesday"))}
        | {says("schedules_are_not_oversold", the("tuesday"))},
    ),
    "a schedule is sold beyond its capacity, counted": (
        booking("seat-hold", "party_size = 4") + row("program_schedules", "monday", "taken = 11"),
        {says("schedules_are_not_oversold", the("monday"))},
    ),
    "a schedule is sold beyond its capacity, uncounted": (
        booking("seat-hold", "party_size = 4"),
        {says("schedules_are_not_oversold", the("monday"))}
        | {says("schedule_counters_equal_their_bookings", the("monday"))},
    ),
    "a service allows more than its pool": (
        row("services", "open", "max_simultaneous_bookings = 3"),
        {says("catalog.pools_carry_the_limit_of_their_service", the("open"), LIMIT)},
    ),
    "a limit has no pool": (
        row("services", "open", "pool_id = null"),
        {says("catalog.pools_carry_the_limit_of_their_service", the("open"))},
    ),
}

CLAIMS: dict[str, Damage] = {
    "a hold lost its claim": (
        f"delete from claims where {of('hold')};",
        {says("live_bookings_have_their_claims", the("hold"))},
    ),
    "an appointment lost its claim": (
        f"delete from claims where {of('booked')};",
        {says("live_bookings_have_their_claims", the("booked"))},
    ),
    "only the claims of a pool are left": (
        f"delete from claims where {of('open')} and resource_id = '{STUDIO}';",
        {says("live_bookings_have_their_claims", the("open"))},
    ),
    "a party lost some of its places": (
        booking("open", "party_size = 3"),
        {says("live_bookings_have_their_claims", the("open"))},
    ),
    "a party has more places than it is": (
        booking("past-open", "party_size = 1"),
        {says("live_bookings_have_their_claims", the("past-open"))},
    ),
    "a claim begins after its appointment": (
        claims("booked", f"during = '[{at('10:30')}, {at('11:00')})'"),
        {says("live_bookings_have_their_claims", the("booked"))},
    ),
    "a claim ends before its appointment": (
        booking("booked", f"ends_at = '{at('11:01')}'"),
        {says("live_bookings_have_their_claims", the("booked"))},
    ),
    "the claims of a booking differ": (
        claims("moved", f"during = '[{at('12:55')}, {at('14:20')})'", f"resource_id = '{ROOM}'"),
        {says("live_bookings_have_their_claims", the("moved"))},
    ),
    **{
        f"a booking that is {state} has a claim": (
            claim(ROOM, "booking_id", the(state)),
            {says("dead_bookings_have_no_claims", the(state))},
        )
        for state in sorted(DEAD)
    },
    "a place in a schedule has a claim": (
        claim(ROOM, "booking_id", the("seat")),
        {says("schedule_bookings_have_no_claims", the("seat"))},
    ),
    "a claim's booking is nowhere": (
        claim(ROOM, "booking_id", NOWHERE),
        {says("claims_have_one_owner", ROW, NOWHERE)},
    ),
    "a claim's schedule is nowhere": (
        claim(ROOM, "schedule_id", NOWHERE),
        {says("claims_have_one_owner", ROW, NOWHERE)},
    ),
    "a claim's block is nowhere": (
        claim(ROOM, "block_id", NOWHERE),
        {says("claims_have_one_owner", ROW, NOWHERE)},
    ),
    "a claim has no owner": (
        claims("past", f"id = {ROW}, booking_id = null"),
        {says("claims_have_one_owner", ROW)},
    ),
    "a claim has two owners": (
        claims("paid", f"id = {ROW}, block_id = '{the('repairs')}'"),
        {says("claims_have_one_owner", ROW, the("paid"), the("repairs"))},
    ),
    "a block lost a place": (
        f"delete from claims where {of('repairs')} and seat = 2;",
        {says("blocks_and_schedules_take_whole_resources", the("repairs"), HALL)},
    ),
    "a block lost every place": (
        f"delete from claims where {of('repairs')};",
        {says("blocks_and_schedules_take_whole_resources", the("repairs"), HALL)},
    ),
    "a block is longer than its claims": (
        row("blocks", "repairs", f"during = '[{at('08:00')}, {at('13:00')})'"),
        {says("blocks_and_schedules_take_whole_resources", the("repairs"), HALL)},
    ),
    "a block takes a resource that is not its own": (
        claim(ROOM, "block_id", the("repairs")),
        {says("blocks_and_schedules_take_whole_resources", the("repairs"), ROOM)},
    ),
    "a schedule lost a place of its room": (
        f"delete from claims where {of('monday')} and seat = 1;",
        {says("blocks_and_schedules_take_whole_resources", the("monday"), HALL)},
    ),
    "a schedule was moved away from its claims": (
        row("program_schedules", "tuesday", f"starts_at = '{at('17:59', day=3)}'"),
        {says("blocks_and_schedules_take_whole_resources", the("tuesday"), HALL)},
    ),
    "a party is of nobody": (
        booking("past", "party_size = 0"),
        {says("bookings_are_well_formed", the("past"))},
    ),
    "a booking is for nothing": (
        booking("past", "service_id = null"),
        {says("bookings_are_well_formed", the("past"))},
    ),
    "a booking is for a service and a schedule": (
        booking("refunded", f"schedule_id = '{the('tuesday')}'"),
        {says("bookings_are_well_formed", the("refunded"))},
    ),
    "a booking ends before it begins": (
        booking("past", f"ends_at = '{at('09:00', year=2020)}'"),
        {says("bookings_are_well_formed", the("past"))},
    ),
    "a booking never ends": (
        booking("refunded", "ends_at = 'infinity'"),
        {says("bookings_are_well_formed", the("refunded"))},
    ),
    "a hold never ends": (
        booking("hold", "expires_at = null"),
        {says("bookings_are_well_formed", the("hold"))},
    ),
    "a version is zero": (
        booking("hold", "version = 0"),
        {says("bookings_are_well_formed", the("hold"))},
    ),
    "a booking has two rows": (
        twice("bookings", f"id = '{the('past')}'"),
        {says("bookings_have_one_row", the("past"))},
    ),
    "a hold was not swept": (
        booking("hold", "expires_at = now() - interval '301 seconds'"),
        {says("holds_are_swept", the("hold"))},
    ),
}

HISTORY: dict[str, Damage] = {
    "a state is unknown": (
        booking("booked", "state = 'paid'"),
        {says("bookings_are_well_formed", the("booked")), says("history_ends_at_the_booking", the("booked"))},
    ),
    "a change in the middle is missing": (
        without_change("past", 2),
        {says("history_has_no_gap", the("past"), "3")},
    ),
    "the first change is missing": (
        without_change("moved", 2),
        {says("history_follows_the_transitions", the("moved"), "3")},
    ),
    "the last change is missing": (
        without_change("moved", 3),
        {says("history_ends_at_the_booking", the("moved"))},
    ),
    "every change is missing": (
        without_change("booked", 1),
        {says("appointments_have_a_history", the("booked"))},
    ),
    "the history of an expired appointment is missing": (
        without_change("unpaid", 2) + without_change("unpaid", 3) + booking("unpaid", "confirmed_at = now()"),
        {says("appointments_have_a_history", the("unpaid"))},
    ),
    "an entry is there twice": (
        twice("audit_log", f"aggregate_id = '{the('moved')}' and version = 3"),
        {says("history_has_no_gap", the("moved"), "3")},
    ),
    "an entry does not begin where the one before it ended": (
        entry("past", 3, "from_state = 'confirmed'"),
        {says("history_follows_the_transitions", the("past"), "3")},
    ),
    "a transition is not allowed": (
        entry("past", 2, "to_state = 'cancelled'") + entry("past", 3, "from_state = 'cancelled'"),
        {says("history_follows_the_transitions", the("past"), "3")},
    ),
    "a transition after a gap is not allowed": (
        without_change("past", 2) + entry("past", 3, "from_state = 'refunded'"),
        {says("history_has_no_gap", the("past"), "3"), says("history_follows_the_transitions", the("past"), "3")},
    ),
    "a history begins with an expired booking": (
        entry("moved", 2, "from_state = 'expired'"),
        {says("history_follows_the_transitions", the("moved"), "2")},
    ),
    "a history begins with an end": (
        entry("booked", 1, "to_state = 'cancelled'"),
        {says("history_follows_the_transitions", the("booked"), "1")}
        | {says("history_ends_at_the_booking", the("booked"))},
    ),
    "a booking made at once has a second version": (
        entry("moved", 2, "from_state = null"),
        {says("history_follows_the_transitions", the("moved"), "2")},
    ),
    "a committed hold has no version of its own": (
        entry("booked", 1, "from_state = 'held'"),
        {says("history_follows_the_transitions", the("booked"), "1")},
    ),
    "a version was raised without an entry": (
        booking("booked", "version = 2"),
        {says("history_ends_at_the_booking", the("booked"))},
    ),
    "a state was changed without an entry": (
        booking("booked", "state = 'completed'"),
        {says("history_ends_at_the_booking", the("booked"))},
    ),
    "a cancelled appointment was revived by hand": (
        booking("cancelled", "state = 'confirmed'"),
        {says("history_ends_at_the_booking", the("cancelled"))}
        | {says("live_bookings_have_their_claims", the("cancelled"))},
    ),
    "an acknowledged appointment is gone": (
        f"delete from claims where {of('moved')}; delete from bookings where id = '{the('moved')}';",
        {says("histories_have_a_booking", the("moved"))},
    ),
    "a key's booking is nowhere": (
        key("key-hold", f"booking_id = '{NOWHERE}'"),
        {says("keys_point_to_their_booking", "key-hold", NOWHERE)},
    ),
    "a key's booking belongs to another business": (
        key("key-hold", f"booking_id = '{the('hold', NEIGHBOUR)}'"),
        {says("keys_point_to_their_booking", "key-hold", the("hold", NEIGHBOUR))},
    ),
    "a key's answer names another booking": (
        key("key-booked", f"""answer = answer || '{{"id": "{the("hold")}"}}'"""),
        {says("keys_point_to_their_booking", "key-booked", the("booked"))},
    ),
    "a booking is the effect of two keys": (
        key("key-seat", f"booking_id = '{the('hold')}', answer = '{{}}'"),
        {says("bookings_are_the_effect_of_one_key", the("hold"), "key-hold", "key-seat")},
    ),
    "a key has two answers": (
        twice("idempotency_keys", f"booking_id = '{the('hold')}'")
        + "update idempotency_keys set operation = 'cancel' where ctid = (select max(ctid) from idempotency_keys);",
        {says("kernel.keys_are_unique", "key-hold")},
    ),
    "an event is missing": (
        without("outbox_events", "moved", 3),
        {says("changes_and_events_match", the("moved"), "3")},
    ),
    "an event is there twice": (
        twice("outbox_events", f"aggregate_id = '{the('moved')}' and version = 3"),
        {says("changes_and_events_match", the("moved"), "3")},
    ),
    "an event has no entry": (
        without("audit_log", "moved", 3),
        {says("changes_and_events_match", the("moved"), "3"), says("history_ends_at_the_booking", the("moved"))},
    ),
    "an event speaks of a hold": (
        event(the("hold"), "Held"),
        {says("changes_and_events_match", the("hold"), "1")},
    ),
    "an event speaks of a booking that is nowhere": (
        event(NOWHERE, "AppointmentConfirmed"),
        {says("changes_and_events_match", NOWHERE, "1")},
    ),
}
