"""The money of three: what the provider has taken and given back, what our books say, and what clients were told."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from proof.findings import Finding, Kind
from proof.lives import Life
from proof.recorded import Payment, Recorded


class Charge(msgspec.Struct, frozen=True):
    """A payment in the provider's books, in minor units; `is_paid`: the client has done their part."""

    provider_id: str
    captured_minor: int
    refunded_minor: int
    is_paid: bool = True


def check_money(lives: Iterable[Life], recorded: Recorded, charges: Sequence[Charge]) -> Iterator[Finding]:
    """Return what is wrong with money, once nothing is on its way any more (`shop.on_their_way`)."""
    ours = {payment.provider_id: payment for payment in recorded.payments if payment.provider_id is not None}
    theirs = {charge.provider_id: charge for charge in charges}
    for charge in charges:
        yield from _told_otherwise(charge, ours.get(charge.provider_id))
    for payment in recorded.payments:
        if payment.captured_minor and payment.provider_id not in theirs:
            what = f"{payment.captured_minor} count as taken for {payment.booking}, and nobody has taken them"
            yield Finding(Kind.MONEY_MISSING, what)
    of_booking: dict[str, list[Payment]] = defaultdict(list)
    for payment in recorded.payments:
        of_booking[payment.booking].append(payment)
    lived = {life.booking: life for life in lives if life.booking is not None}
    for booking in recorded.bookings:
        if booking.due_minor is not None:
            yield from _of_booking(
                booking.state, booking.due_minor, of_booking[booking.id], theirs, lived.get(booking.id)
            )


def _told_otherwise(charge: Charge, payment: Payment | None) -> Iterator[Finding]:
    if payment is None:
        if charge.captured_minor > charge.refunded_minor:
            what = f"{charge.captured_minor} were taken by {charge.provider_id}, of which our books know nothing"
            yield Finding(Kind.MONEY_LOST, what)
        return
    told = (payment.captured_minor, payment.refunded_minor)
    if told != (charge.captured_minor, charge.refunded_minor) and not (payment.is_open or payment.is_known):
        what = (
            f"{charge.provider_id} took {charge.captured_minor} and gave back {charge.refunded_minor}; "
            f"our books say {told[0]} and {told[1]}"
        )
        yield Finding(Kind.MONEY_DIFFERS, what)


def _of_booking(
    state: str, due_minor: int, payments: Sequence[Payment], theirs: dict[str, Charge], life: Life | None
) -> Iterator[Finding]:
    charges = [theirs[payment.provider_id] for payment in payments if payment.provider_id in theirs]
    kept = [charge for charge in charges if charge.captured_minor > charge.refunded_minor]
    ids = () if life is None else life.ids
    settled = not any(payment.is_open or payment.is_known for payment in payments)
    named = f"booking {payments[0].booking}" if payments else "a booking"
    if len(kept) > 1 and settled:
        yield Finding(Kind.CHARGED_TWICE, f"{named} is paid by {len(kept)} payments", ids)
        return
    left = sum(charge.captured_minor - charge.refunded_minor for charge in kept)
    if state == "confirmed" and sum(charge.captured_minor for charge in charges) < due_minor:
        yield Finding(Kind.MONEY_MISSING, f"{named} is confirmed for {due_minor}, and {left} were taken", ids)
    if state in {"held", "expired", "released", "pending_payment"} and left and settled:
        yield Finding(Kind.MONEY_LOST, f"{named} is {state}, and {left} were taken for it", ids)
    if state == "confirmed" and left != due_minor and settled and len(kept) == 1:
        yield Finding(Kind.MONEY_DIFFERS, f"{named} costs {due_minor}, and {left} are kept", ids)
    if state == "cancelled" and settled:
        told = None if life is None else next((c.told.back_minor for c in life.changed("cancel") if c.done), None)
        back = sum(charge.refunded_minor for charge in charges)
        taken = sum(charge.captured_minor for charge in charges)
        if told is not None and taken and back not in {told, taken}:
            yield Finding(Kind.MONEY_DIFFERS, f"{named} was told that {told} go back, and {back} did", ids)
