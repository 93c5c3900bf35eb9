"""What can be wrong with payments: SQL that damages them, and what `verify` says of that."""

from journeys.damages import NOWHERE, Damage, booking, says
from journeys.practice import at, the
from journeys.references import NEW, payment, refund, row, webhook

BACK, PAID_FOR, ONCE, POSSIBLE, COUNTED, PLACED, OPEN = (
    f"payments.{check}"
    for check in (
        "refunds_do_not_exceed_their_payment",
        "what_has_to_be_paid_is_paid",
        "bookings_are_paid_once",
        "amounts_are_possible",
        "what_went_back_is_counted",
        "money_is_where_it_belongs",
        "what_is_open_is_looked_at",
    )
)
# A booking that takes place with the payment that pays it, one that was cancelled, and one that expired unpaid.
PAID, PAYING, DEAD, UNPAID = the("paid"), the("payment of paid"), the("cancelled"), the("unpaid")
NOBODY_LOOKS = f"update payments set next_attempt_at = null where id = '{NEW}';"


def paying(assignments: str) -> str:
    """Return SQL that changes the payment of a booking that takes place."""
    return f"update payments set {assignments} where id = '{PAYING}';"


def captured(booking_id: str, **values: str) -> str:
    """Return SQL that inserts a payment whose money was taken, and of which nothing is open."""
    terms = {"state": "succeeded", "captured_minor": "1", "captured_at": at("10:00", year=2020), "attempt": "2"}
    return payment(booking_id=booking_id, **(terms | values)) + NOBODY_LOOKS


def item(kind: str, **values: str) -> str:
    """Return SQL that puts the payment before staff."""
    return row("attention_items", id=NEW, kind=kind, subject_id=NEW, severity="warning", **values)


KEPT_OF_CANCELLED = booking("cancelled", "due_minor = 1") + captured(DEAD, pays="true")
WRONG_OF_CANCELLED = {says(PLACED, NEW, DEAD)}
PAID_TWICE = sorted((PAYING, NEW))
DONE = at("10:00", year=2020)

MONEY: dict[str, Damage] = {
    "more is on its way back than was captured": (
        payment() + refund(payment_id=NEW, state="pending"),
        {says(BACK, NEW)},
    ),
    "a refund has another currency than its payment": (
        payment(captured_minor="1", state="succeeded", captured_at=DONE, refunded_minor="1")
        + refund(payment_id=NEW, state="succeeded", currency="EUR"),
        {says(BACK, NEW)},
    ),
    "a refund has another currency than was captured": (
        payment(
            captured_minor="1",
            state="succeeded",
            captured_at=DONE,
            refunded_minor="1",
            mismatch="currency",
            captured_currency="EUR",
        )
        + refund(payment_id=NEW, state="succeeded"),
        {says(BACK, NEW)},
    ),
    "a booking that has to be paid is not": (
        paying("pays = false"),
        {says(PAID_FOR, PAID), says(PLACED, PAYING, PAID)},
    ),
    "a booking is paid in another currency": (paying("currency = 'EUR'"), {says(PAID_FOR, PAID, PAYING)}),
    "a booking is paid with less than it costs": (booking("paid", "due_minor = 2"), {says(PAID_FOR, PAID, PAYING)}),
    "a booking is paid in part": (paying("amount_minor = 2"), {says(PAID_FOR, PAID, PAYING)}),
    "a booking is paid with what was not asked for": (
        paying("mismatch = 'mode'"),
        {says(PAID_FOR, PAID, PAYING)},
    ),
    "a booking is paid twice": (
        captured(PAID, pays="true"),
        {says(PAID_FOR, PAID, *PAID_TWICE), says(ONCE, PAID, *PAID_TWICE)},
    ),
    "a booking is paid that need not be": (captured(the("past"), pays="true"), {says(ONCE, the("past"), NEW)}),
    "a booking is paid that has expired": (
        captured(UNPAID, pays="true"),
        {says(ONCE, UNPAID, NEW), says(PLACED, NEW, UNPAID)},
    ),
    "money was taken by what has not succeeded": (
        payment(state="pending", captured_minor="1"),
        {says(POSSIBLE, NEW)},
    ),
    "nothing was taken by what has succeeded": (payment(state="succeeded"), {says(POSSIBLE, NEW)}),
    "more was taken than was asked for": (
        payment(state="succeeded", captured_minor="2"),
        {says(POSSIBLE, NEW)},
    ),
    "more is kept as a fee than was taken": (
        paying("fee_minor = 2"),
        {says(POSSIBLE, PAYING), says(PLACED, PAYING, PAID)},
    ),
    "more is said to have gone back than has": (paying("refunded_minor = 1"), {says(COUNTED, PAYING)}),
    "what went back is not counted": (
        refund(payment_id=PAYING, cause="goodwill", state="succeeded"),
        {says(COUNTED, PAYING)},
    ),
    "money stays for a booking that was cancelled": (KEPT_OF_CANCELLED, WRONG_OF_CANCELLED),
    "less stays for a booking that was cancelled than is said": (
        KEPT_OF_CANCELLED
        + refund(payment_id=NEW, state="pending")
        + f"update payments set fee_minor = 1 where id = '{NEW}';",
        WRONG_OF_CANCELLED,
    ),
    "money that came too late stays": (captured(UNPAID), {says(PLACED, NEW, UNPAID)}),
    "money that came twice stays": (captured(PAID), {says(PLACED, NEW, PAID)}),
    "money goes back for a booking that takes place": (
        refund(payment_id=PAYING, state="pending"),
        {says(PLACED, PAYING, PAID)},
    ),
    "a refusal is thought to be settled and is not": (
        captured(UNPAID) + item("refund_refused", resolved_at=DONE),
        {says(PLACED, NEW, UNPAID)},
    ),
    "staff are asked about something else": (captured(UNPAID) + item("thing"), {says(PLACED, NEW, UNPAID)}),
    "nobody asks after a payment": (payment(state="pending") + NOBODY_LOOKS, {says(OPEN, NEW)}),
    "nobody does what was decided about a payment": (
        captured(PAID, wanted="capture") + refund(payment_id=NEW, cause="duplicate", state="pending"),
        {says(OPEN, NEW)},
    ),
    "nobody asks after a refund": (
        refund(payment_id=PAYING, cause="goodwill", state="pending") + "update refunds set next_attempt_at = null;",
        {says(OPEN, NEW)},
    ),
    "nobody looks at what a provider has told": (
        webhook() + "update webhook_events set next_attempt_at = null;",
        {says(OPEN, NEW)},
    ),
}

MONEY_SOUND = {
    "more was taken than was asked for, and goes back": (
        captured(UNPAID, captured_minor="2", mismatch="amount")
        + refund(payment_id=NEW, cause="mismatch", state="pending", amount_minor="2")
    ),
    "another currency was taken than was asked for, and goes back": (
        captured(UNPAID, mismatch="currency", captured_currency="EUR")
        + refund(payment_id=NEW, cause="mismatch", state="pending", currency="EUR")
    ),
    "some of what was paid goes back of goodwill": refund(payment_id=PAYING, cause="goodwill", state="pending"),
    "a fee is kept of a booking that was cancelled": (
        KEPT_OF_CANCELLED + f"update payments set fee_minor = 1 where id = '{NEW}';"
    ),
    "money of a booking that was cancelled goes back": KEPT_OF_CANCELLED + refund(payment_id=NEW, state="pending"),
    "money of a booking that was cancelled is about to go back": (
        KEPT_OF_CANCELLED + f"update payments set next_attempt_at = now() where id = '{NEW}';"
    ),
    "staff have to see to money": captured(UNPAID) + item("payment_mismatch"),
    "staff have seen to money": captured(UNPAID) + item("refund_refused", resolved_at=DONE, resolved_by=NOWHERE),
    "staff have to see to an event": (
        webhook() + item("payment_event_unprocessed") + "update webhook_events set next_attempt_at = null;"
    ),
    "what was processed is not looked at": webhook(processed_at=DONE, next_attempt_at=DONE),
}

# What is told of the money of the business then, in which a booking is paid with 1.
MONEY_PLACED: dict[str, tuple[str, dict[str, int]]] = {
    "a booking takes place": ("", {"captured": 1, "earned": 1, "inbox": 0}),
    "goodwill went back": (
        refund(payment_id=PAYING, cause="goodwill", state="succeeded") + paying("refunded_minor = 1"),
        {"captured": 1, "refunded": 1, "earned": 0},
    ),
    "a fee is kept": (
        MONEY_SOUND["a fee is kept of a booking that was cancelled"],
        {"captured": 2, "earned": 1, "fee": 1},
    ),
    "money is on its way back": (
        captured(UNPAID) + refund(payment_id=NEW, cause="late", state="pending"),
        {"captured": 2, "returning": 1, "earned": 1, "inbox": 0},
    ),
    "a refund was refused": (
        captured(UNPAID) + refund(payment_id=NEW, cause="late"),
        {"captured": 2, "returning": 0, "earned": 1, "inbox": 1},
    ),
    "money is only set aside": (
        payment(state="authorized", booking_id=UNPAID),
        {"captured": 1, "earned": 1, "authorized": 1},
    ),
}
