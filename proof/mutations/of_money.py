"""Guards of money: who tells of it, that it is moved once, and that the books agree."""

from proof.mutations.weakening import Weakening

_PAYMENTS = "src/holdfast/payments"
_IMPOSSIBLE = "tests/payments/test_ledger.py::test_the_database_refuses_impossible_money"
_NOTICES = f"{_PAYMENTS}/stripe_notices.py"

WEAKENINGS = (
    Weakening(
        "signature of a webhook",
        "a message of anybody as one of the provider",
        _NOTICES,
        "if not any(matches) or abs(now - signed_at) > TOLERANCE_SECONDS:",
        "if not matches or abs(now - signed_at) > TOLERANCE_SECONDS:",
        (
            "tests/payments/test_stripe_notices.py::test_the_body_counts_byte_for_byte",
            "tests/payments/test_webhooks.py::test_stripe_is_known_by_its_signature_over_the_raw_body",
        ),
    ),
    Weakening(
        "age of a signature",
        "a signed message again, years later",
        _NOTICES,
        "if not any(matches) or abs(now - signed_at) > TOLERANCE_SECONDS:",
        "if not any(matches):",
        ("tests/payments/test_stripe_notices.py::test_a_notice_has_to_be_fresh",),
    ),
    Weakening(
        "address that a provider tells from",
        "a message of anybody as one of a provider that does not sign",
        f"{_PAYMENTS}/webhooks_web.py",
        "if not is_from_yookassa(client, state.payment_settings.yookassa_networks):",
        "if client is None:",
        ("tests/payments/test_webhooks.py::test_yookassa_is_known_by_where_it_tells_from",),
    ),
    Weakening(
        "unique id of an event",
        "one id of an event for two facts",
        "src/holdfast/migrations/0601_payments.sql",
        "constraint webhook_events_event_id unique (business_id, provider, event_id),",
        "constraint webhook_events_event_id unique (business_id, provider, event_id, id),",
        ("tests/payments/test_webhooks.py::test_an_id_of_an_event_that_is_of_another_fact_is_heard_and_left",),
    ),
    Weakening(
        "CHECK of what was given back",
        "more money back than was taken",
        "src/holdfast/migrations/0601_payments.sql",
        "check (refunded_minor between 0 and captured_minor)",
        "check (refunded_minor >= 0)",
        (f"{_IMPOSSIBLE}[captured_minor = 500000, refunded_minor = 500001-payments_refunded_bounded]",),
    ),
    Weakening(
        "bound of a refund",
        "a refund of more than is left",
        f"{_PAYMENTS}/refunds.py",
        "if not 0 < amount_minor <= payment.left_minor - owed:",
        "if amount_minor <= 0:",
        ("tests/payments/test_refunds.py::test_partial_refunds_never_exceed_what_was_taken",),
    ),
    Weakening(
        "confirmation by a payment only",
        "an appointment that has to be paid and is not",
        "src/holdfast/migrations/0603_paid_bookings.sql",
        "if not exists (select from payments p",
        "if false and not exists (select from payments p",
        ("tests/races/test_unpaid.py::test_what_is_not_paid_is_not_confirmed",),
    ),
    Weakening(
        "the one payment that pays",
        "two payments for one booking, both kept",
        "src/holdfast/migrations/0602_taking_payments.sql",
        "create unique index payments_one_pays on",
        "create index payments_one_pays on",
        ("tests/payments/test_ledger.py::test_one_payment_pays",),
    ),
    Weakening(
        "lease of a payment",
        "two workers that ask a provider for the same at once",
        f"{_PAYMENTS}/queries.sql",
        "and (p.leased_until is null or p.leased_until <= clock_timestamp())",
        "and true",
        ("tests/payments/test_settling.py::test_whoever_finds_another_at_it_has_it_looked_at_again",),
    ),
    Weakening(
        "fencing token of a payment's lease",
        "the word of a worker whose turn is over",
        f"{_PAYMENTS}/settlement.py",
        "    lease = new_id()",
        "    lease = payment_id",
        ("tests/payments/test_leases.py::test_whoever_took_too_long_decides_nothing",),
    ),
    Weakening(
        "key of a refund at the provider",
        "a refund that is made twice when its answer is lost",
        f"{_PAYMENTS}/refunding.py",
        "return await provider.refund(RefundWish(refund.provider_key, refund.id, remote_payment_id, amount))",
        "return await provider.refund(RefundWish(str(new_id()), refund.id, remote_payment_id, amount))",
        ("tests/payments/test_refunds.py::test_a_refund_that_broke_off_is_made_once",),
    ),
)
