"""What can be wrong in a database whose constraints are gone: SQL that damages it, and what `verify` says of that.

The rows are those of practice.py. Ids of claims are not known before, so a damage that touches a claim renumbers it.
"""

from journeys.practice import DEAD, at, the

Finding = tuple[str, tuple[str, ...]]  # a check, and the ids that it names
Damage = tuple[str, set[Finding]]

ROW = "900001"  # the number of a claim that is touched
NOWHERE = "00000000-0000-4000-8000-000000000000"
ANA, BEN, ROOM, STUDIO, HALL, LIMIT = (the(name) for name in ("ana", "ben", "room", "studio", "hall", "limit"))
BEFORE_MOVED = f"[{at('11:50')}, {at('12:50')})"


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


def twice(table: str, condition: str) -> str:
    """Return SQL that doubles rows."""
    return f"insert into {table} select * from {table} where {condition};"


CONTACTS: dict[str, Damage] = {
    "a contact is in plain text still": (booking("booked", "contact_plain = true"), {says("contacts_are_sealed")}),
    "a contact is in plain text again": (
        booking("booked", "guest_email = 'a@b.example'"),
        {says("contacts_are_ciphertext", the("booked"))},
    ),
    "a contact is no ciphertext": (
        booking("booked", "contact = 'a@b.example, who is afraid of heights'"),
        {says("contacts_are_ciphertext", the("booked"))},
    ),
    "a note is no ciphertext": (
        booking("past", "note = 'is afraid of heights'"),
        {says("contacts_are_ciphertext", the("past"))},
    ),
    "an index is a text": (
        booking("booked", "email_index = 'a@b.example'"),
        {says("contacts_are_ciphertext", the("booked"))},
    ),
}

PLACES: dict[str, Damage] = {
    "a place is taken twice": (
        claims("booked", f"resource_id = '{ANA}'"),
        {says("seats_are_taken_once", ANA, *owners("hold", "booked"))}
        | {says("resources_are_not_oversold", ANA, *owners("hold", "booked"))},
    ),
    "a place is taken twice, beside a neighbour": (
        claims("hold", f"during = '{BEFORE_MOVED}'")
        + claims("booked", f"during = '{BEFORE_MOVED}', resource_id = '{ANA}'")
        + "".join(
            booking(name, f"starts_at = '{at('11:50')}', ends_at = '{at('12:50')}'") for name in ("hold", "booked")
        ),
        {says("seats_are_taken_once", ANA, *owners("hold", "booked"))}
        | {says("resources_are_not_oversold", ANA, *owners("hold", "booked"))},
    ),
    "a place of a schedule is taken": (
        claims("paid", f"resource_id = '{HALL}', capacity = 2, during = '[{at('18:00')}, {at('19:00')})'")
        + booking("paid", f"starts_at = '{at('18:00')}', ends_at = '{at('19:00')}'"),
        {says("seats_are_taken_once", HALL, *owners("monday", "paid"))}
        | {says("resources_are_not_oversold", HALL, *owners("monday", "paid"))},
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
    "a claim began at minus infinity": (
        claims("past", f"id = {ROW}, during = '[-infinity, {at('11:00', year=2020)})'"),
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
    "a counter is above the capacity": (
        row("program_schedules", "monday", "taken = 11"),
        {
            says("schedule_counters_equal_their_bookings", the("monday")),
            says("schedules_are_not_oversold", the("monday")),
        },
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
    "a schedule was withdrawn with its bookings": (
        row("program_schedules", "monday", "withdrawn = 'staff'") + f"delete from claims where {of('monday')};",
        {says("withdrawn_schedules_are_empty", the("monday"))},
    ),
    "a schedule was withdrawn with its claims": (
        row("program_schedules", "tuesday", "withdrawn = 'rule'"),
        {says("withdrawn_schedules_are_empty", the("tuesday"))},
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
    "a booking was neither paid nor ended": (
        booking(
            "booked",
            "state = 'pending_payment', due_minor = 1, refund_terms = '[]', expires_at = now() - interval '301 seconds'",
        ),
        {says("unpaid_bookings_are_ended", the("booked")), says("history_ends_at_the_booking", the("booked"))},
    ),
    "a booking awaits no money, and without end": (
        booking("booked", "state = 'pending_payment', expires_at = null"),
        {says("bookings_are_well_formed", the("booked")), says("history_ends_at_the_booking", the("booked"))},
    ),
}
