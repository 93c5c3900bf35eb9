"""What must be true of money when all is quiet: the provider's own books, ours, and the bookings agree."""

from collections import Counter
from typing import Any
from uuid import UUID

from holdfast.payments.states import PaymentState, RefundState
from payments.counterparts import Taken
from payments.happening import World

STANDS = ("confirmed", "completed", "no_show")
_KINDS = {"refund_refused", "payment_mismatch", "payment_refused", "payment_unexplained", "payment_event_unprocessed"}


def check(world: World) -> None:
    """Look at everything."""
    nothing_failed_that_nobody_expects(world)
    confirmed_is_paid(world)
    _books_agree(world)
    _refunds_agree(world)
    for booking_id in world.states():
        _money_is_where_it_belongs(world, booking_id)
    _each_is_confirmed_once(world)
    _all_is_settled(world)


def nothing_failed_that_nobody_expects(world: World) -> None:
    """Nobody has caught an error that is no refusal of the provider's."""
    for line in world.lines:
        assert line["event"] not in {"money_not_settled", "event_not_looked_up", "events_not_acted_on"}, line
        if line["event"] in {"payment_not_settled", "payments_not_compared"}:
            assert "error" not in line, line
            assert line.get("error_code") != "unexpected", line


def confirmed_is_paid(world: World) -> None:
    """What takes place was taken in full at the provider, at any moment."""
    captured = Counter[str]()
    for taken in world.remote(PaymentState.SUCCEEDED):
        captured[taken.names["booking_id"]] += taken.captured_minor
    rows = world.sql(
        "select id::text, due_minor from bookings where business_id = %s and due_minor is not null and state = any (%s)",
        world.business_id,
        list(STANDS),
    )
    for booking_id, due in rows:
        assert captured[booking_id] >= due, f"{booking_id} takes place, and {captured[booking_id]} of {due} were paid"


def _books_agree(world: World) -> None:
    rows = world.sql(
        "select provider_payment_id, state, captured_minor, refunded_minor from payments"
        " where business_id = %s and provider_payment_id is not null",
        world.business_id,
    )
    ours = {remote_id: (state, captured, back) for remote_id, state, captured, back in rows}
    for taken in world.remote(*PaymentState):
        if taken.id not in ours:
            assert taken.state in {PaymentState.PENDING, PaymentState.CANCELLED}, f"nobody knows of {taken}"
            continue
        assert ours.pop(taken.id) == (taken.state, taken.captured_minor, taken.refunded_minor), taken
    assert not ours, f"the provider does not know {ours}"


def _refunds_agree(world: World) -> None:
    rows = world.sql(
        "select r.id::text, r.provider_refund_id, r.state, r.amount_minor from refunds r where r.business_id = %s",
        world.business_id,
    )
    by_remote = {remote_id: (refund_id, state, minor) for refund_id, remote_id, state, minor in rows if remote_id}
    gone = Counter[str]()
    for back in world.returned():
        if back.state is RefundState.REFUSED:
            continue
        assert back.id in by_remote, f"nobody knows of {back}"
        refund_id, state, minor = by_remote[back.id]
        assert (state, minor) == (back.state, back.minor), back
        gone[refund_id] += back.state is RefundState.SUCCEEDED
    for refund_id, _, state, _ in rows:
        assert gone[refund_id] == (state == "succeeded"), (
            f"refund {refund_id} is {state}, and went {gone[refund_id]} times"
        )


def _money_is_where_it_belongs(world: World, booking_id: UUID) -> None:
    """What is at the provider for a booking is its price, less what was given of goodwill; or what is kept as a fee."""
    [(state, due, percent)] = world.sql(
        "select state, due_minor, refund_percent from bookings where id = %s", booking_id
    )
    taken = [each for each in world.remote(PaymentState.SUCCEEDED) if each.names["booking_id"] == str(booking_id)]
    kept = sum(each.captured_minor - each.refunded_minor for each in taken)
    paid = world.sql("select provider_payment_id, fee_minor from payments where booking_id = %s and pays", booking_id)
    assert len(paid) == (state in STANDS or bool(paid)) <= 1, f"{booking_id} is {state}, and paid by {paid}"
    if not paid:
        assert kept == 0, f"{booking_id} is {state}, and {kept} are kept of {taken}"
        return
    [payment] = [each for each in taken if each.id == paid[0][0]]
    assert kept == payment.captured_minor - payment.refunded_minor, f"{booking_id} was paid twice: {taken}"
    assert payment.captured_minor == due
    goodwill, by_hand = _goodwill(world, payment)
    if state in STANDS:
        assert kept == due - goodwill, f"{booking_id} costs {due}, {goodwill} were given back, and {kept} are there"
        return
    share = (due * percent * 2 + 100) // 200
    assert kept == paid[0][1], f"{kept} are there of {booking_id}, and {paid[0][1]} are said to be its fee"
    if by_hand:
        assert kept <= due - share, f"{booking_id} gives back {percent} %, and {kept} of {due} are there"
    else:
        assert kept == max(0, due - share - goodwill), (
            f"{booking_id} gives back {percent} %, and {kept} of {due} are there"
        )


def _goodwill(world: World, payment: Taken) -> tuple[int, bool]:
    """Return how much the client got beyond what the booking says, and whether any of it by hand at the provider."""
    ours = dict[str, str](
        world.sql("select id::text, cause from refunds where business_id = %s", world.business_id)  # type: ignore[arg-type]
    )
    given = [back for back in world.returned() if back.payment_id == payment.id and back.state is RefundState.SUCCEEDED]
    by_hand = [back for back in given if back.refund_id not in ours]
    return sum(back.minor for back in given if ours.get(back.refund_id or "", "goodwill") == "goodwill"), bool(by_hand)


def _each_is_confirmed_once(world: World) -> None:
    rows = world.sql(
        "select b.id, b.confirmed_at is not null, (select count(*) from outbox_events o"
        " where o.aggregate_id = b.id and o.type = 'AppointmentConfirmed') from bookings b"
        " where b.business_id = %s and b.due_minor is not null",
        world.business_id,
    )
    for booking_id, was_confirmed, told in rows:
        assert told == int(was_confirmed), f"that {booking_id} is confirmed was told {told} times"


def _all_is_settled(world: World) -> None:
    assert world.owed() == []
    items: list[tuple[Any, ...]] = world.sql(
        "select kind, subject_id from attention_items where business_id = %s and resolved_at is null", world.business_id
    )
    open_ones = {subject for kind, subject in items if kind in _KINDS}
    for refund_id, payment_id, number, cause in world.sql(
        "select id, payment_id, number, cause from refunds where business_id = %s and state = 'refused'"
        " and reason is distinct from 'given_back_elsewhere'",
        world.business_id,
    ):
        again = world.sql(
            "select 1 from refunds where payment_id = %s and cause = %s and number > %s", payment_id, cause, number
        )
        all_is_back = world.sql("select 1 from payments where id = %s and refunded_minor = captured_minor", payment_id)
        assert again or all_is_back or payment_id in open_ones, f"refund {refund_id} was refused, and nobody knows"
