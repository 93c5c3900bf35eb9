"""Guards of places: who gets one, and for how long."""

from proof.mutations.weakening import Weakening

_BOOKING = "src/holdfast/migrations/0303_booking.sql"
_ADMISSION = "src/holdfast/booking/admission.sql"
_REFUSES = "tests/booking/test_database_refuses.py"

WEAKENINGS = (
    Weakening(
        "exclusion constraint on claims",
        "two bookings of one place at overlapping times",
        _BOOKING,
        "business_id with =, resource_id with =, seat with =, during with &&",
        "business_id with =, resource_id with =, seat with =, booking_id with =, during with &&",
        (
            f"{_REFUSES}::test_place_is_never_sold_twice[an overlap]",
            "tests/races/test_places.py::test_a_thousand_clients_for_one_slot",
        ),
    ),
    Weakening(
        "CHECK of the seat",
        "a place beyond the capacity of its resource",
        _BOOKING,
        "check (seat between 1 and capacity)",
        "check (seat >= 1)",
        (f"{_REFUSES}::test_place_is_never_sold_twice[a seat above the capacity]",),
    ),
    Weakening(
        "CHECK of the empty range",
        "a claim that no other one can overlap",
        _BOOKING,
        """not isempty(during) and lower_inc(during) and not upper_inc(during)
        and not lower_inf(during) and not upper_inf(during)
        and isfinite(lower(during)) and isfinite(upper(during))""",
        """isempty(during) or (lower_inc(during) and not upper_inc(during)
        and not lower_inf(during) and not upper_inf(during)
        and isfinite(lower(during)) and isfinite(upper(during)))""",
        (f"{_REFUSES}::test_place_is_never_sold_twice[a range empty]",),
    ),
    Weakening(
        "CHECK of the finite range",
        "a claim that never ends",
        _BOOKING,
        """
        and not lower_inf(during) and not upper_inf(during)
        and isfinite(lower(during)) and isfinite(upper(during))""",
        """
        and not lower_inf(during) and not upper_inf(during)""",
        (f"{_REFUSES}::test_place_is_never_sold_twice[a range until infinity]",),
    ),
    Weakening(
        "CHECK of a schedule's counter",
        "more clients in a group than it has places",
        "src/holdfast/migrations/0301_catalog.sql",
        "check (taken between 0 and max_capacity)",
        "check (taken >= 0)",
        (f"{_REFUSES}::test_group_is_never_oversold[a booking beyond the capacity]",),
    ),
    Weakening(
        "lock of a schedule's counter",
        "a request that fails where it should be refused: two saw the same last place",
        _ADMISSION,
        """
            perform from program_schedules s where s.business_id = p_business_id and s.id = r.id for no key update;""",
        """
            null;""",
        ("tests/races/test_batches.py::test_the_last_place_of_a_group_is_waited_for",),
    ),
    Weakening(
        "lock of a resource",
        "more bookings on a day than a resource takes: two counted the same ones",
        _ADMISSION,
        """
                                         and (o.capacity > 1 or o.daily_limit is not null)
                                      offset 0 for no key update) s""",
        """
                                         and (o.capacity > 1 or o.daily_limit is not null)
                                      offset 0) s""",
        ("tests/races/test_batches.py::test_a_daily_limit_counts_whoever_was_first",),
    ),
    Weakening(
        "strength of a resource's lock",
        "deadlocks against whoever takes a place of it by the foreign key",
        _ADMISSION,
        """
                                         and (o.capacity > 1 or o.daily_limit is not null)
                                      offset 0 for no key update) s""",
        """
                                         and (o.capacity > 1 or o.daily_limit is not null)
                                      offset 0 for update) s""",
        ("tests/races/test_batches.py::test_a_resource_is_locked_beside_its_foreign_keys",),
    ),
    Weakening(
        "order of claims in a batch",
        "deadlocks between batches that want the same places in another order",
        _ADMISSION,
        """
            select distinct on (w.resource, w.claims_from, w.claims_to)
                   p_business_id, w.resource, 1, 1, tstzrange(w.claims_from, w.claims_to), w.id
              from wanted w order by w.resource, w.claims_from, w.claims_to, w.n""",
        """
            select p_business_id, w.resource, 1, 1, tstzrange(w.claims_from, w.claims_to), w.id
              from wanted w order by w.n""",
        ("tests/races/test_batches.py::test_batches_in_another_order_do_not_deadlock",),
    ),
    Weakening(
        "peak of the places taken",
        "a refusal although at no moment all places are taken",
        _ADMISSION,
        "union all select ends, -1 from taken) edges",
        "union all select ends, 0 from taken) edges",
        ("tests/booking/test_oracle.py::test_fragments_are_seated_anew",),
    ),
    Weakening(
        "busy time of an outside calendar",
        "a booking while the practitioner is elsewhere",
        _ADMISSION,
        """
                                 where busy.business_id = p_business_id and busy.resource_id = q.solo
                                   and busy.during && tstzrange(q.claims_from, q.claims_to))""",
        """
                                 where busy.business_id = p_business_id and busy.resource_id = q.solo and false)""",
        ("tests/calendars/test_mirror.py::test_a_busy_event_blocks_slots_and_reservations",),
    ),
    Weakening(
        "version of the catalog at admission",
        "a booking by rules that have been changed since they were read",
        _ADMISSION,
        """
                when r.catalog is distinct from v_catalog then 'stale'""",
        """
                when false then 'stale'""",
        ("tests/races/test_batches.py::test_what_was_checked_against_an_older_catalog_is_checked_again",),
    ),
    Weakening(
        "expiry when a hold is committed",
        "an appointment from a hold that has run out",
        _ADMISSION,
        "and case b.state when 'held' then b.expires_at > clock_timestamp() end",
        "and case b.state when 'held' then true end",
        ("tests/races/test_batches.py::test_a_hold_that_has_run_out_is_not_committed",),
    ),
    Weakening(
        "holds that have run out occupy nothing",
        "a refusal until some job has swept",
        _ADMISSION,
        "and b.state in ('held', 'pending_payment') and b.expires_at <= p_now)\n$$;",
        "and b.state in ('held', 'pending_payment') and false)\n$$;",
        ("tests/races/test_lives.py::test_an_expired_hold_needs_no_sweeper",),
    ),
    Weakening(
        "comparison of what a key was used for",
        "the answer to another request under the same key",
        _ADMISSION,
        "k.operation = q.operation and k.request_hash = q.hash as same",
        "true as same",
        ("tests/races/test_lives.py::test_a_key_is_one_request",),
    ),
    Weakening(
        "transitions of a booking",
        "a cancelled booking that is confirmed again without a place",
        "src/holdfast/migrations/0311_guest_data.sql",
        "if new.state <> old.state and not booking_may_become(old.state, new.state) then",
        "if false then",
        (f"{_REFUSES}::test_booking_changes_by_the_rules_only[a cancelled booking revived]",),
    ),
    Weakening(
        "version that a client saw",
        "a change that undoes another one unseen",
        "src/holdfast/booking/bookings.py",
        "if expected_version is not None and expected_version != booking.version:",
        "if False:",
        ("tests/booking/test_http_appointments.py::test_a_change_of_an_old_version",),
    ),
    Weakening(
        "look at the index of claims",
        "a claim that its exclusion constraint does not know, seen by nobody",
        "src/holdfast/booking/indexed.py",
        "if found != held:",
        "if False and found != held:",
        ("tests/journeys/test_verify.py::test_a_claim_that_its_index_lacks_is_found",),
    ),
)
