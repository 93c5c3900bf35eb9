"""What monitors are told of payments."""

import re

import psycopg
import pytest

from booking.staffed import app_on
from holdfast.kernel.embedded import EmbeddedPostgres
from journeys.practice import PRACTICE, open_practice, the
from journeys.references import account, payment, refund, row, webhook

# Two accounts at YooKassa, one of which takes no new payments and was never compared; none at Stripe.
ACCOUNTS = (
    account(id=the("till"), provider="yookassa", account="one", created_at="2020-01-01")
    + account(id=the("former till"), provider="yookassa", account="two", active="false", created_at="2019-01-01")
    + row(
        "payment_reconciliations",
        id=the("comparison"),
        account_id=the("till"),
        listed_until="2045-01-01",
        mended="7",
    )
    + "update payment_reconciliations set finished_at = now() - interval '500 seconds';"
)


def attempt(name: str, state: str, **values: str) -> str:
    """Return SQL that inserts a payment that was begun 100 seconds ago and is due since 30."""
    number = str(1 + len(name))
    made = payment(
        id=the(name),
        booking_id=the("unpaid"),
        provider="yookassa",
        provider_key=name,
        attempt=number,
        state=state,
        **values,
    )
    times = "created_at = now() - interval '100 seconds', next_attempt_at = now() - interval '30 seconds'"
    return f"{made} update payments set {times} where id = '{the(name)}';"


ROWS = (
    ACCOUNTS
    + attempt("one", "pending")
    + attempt("second", "pending")
    + attempt("last", "authorized")
    + attempt("refusing", "succeeded", captured_minor="1", captured_at="2020-01-01")
    + refund(payment_id=the("refusing"))
    + row("attention_items", id=the("item"), kind="refund_refused", subject_id=the("refusing"), severity="warning")
    + webhook(provider="yookassa", id=the("told"), event_id="a", object_id="a")
    + webhook(provider="yookassa", id=the("heard"), event_id="b", object_id="b", processed_at="2020-01-01")
    + f"update webhook_events set received_at = now() - interval '50 seconds' where id = '{the('told')}';"
)


@pytest.fixture
def kept(postgres: EmbeddedPostgres, own_database: str) -> str:
    """The name of a database with these rows."""
    with psycopg.connect(postgres.uri(database=own_database), autocommit=True) as connection:
        open_practice(connection, PRACTICE)
        connection.execute(ROWS.encode())
    return own_database


async def test_monitors_see_what_is_open_about_money(postgres: EmbeddedPostgres, kept: str) -> None:
    """By provider: payments that are open by state, how old the oldest is and how long one has been due, refusals of refunds,
    what was told and not processed, and how long ago accounts in use were compared; of nobody by name (P-4).
    """
    uri = postgres.uri(database=kept)
    async with app_on(postgres.uri(user="holdfast_app", database=kept), uri) as client:
        text = (await client.get("/metrics")).text
    assert figure(text, 'holdfast_payments_open{provider="yookassa",state="pending"}') == 2
    assert figure(text, 'holdfast_payments_open{provider="yookassa",state="authorized"}') == 1
    assert 100 <= figure(text, 'holdfast_payments_oldest_open_seconds{provider="yookassa"}') < 160
    assert 30 <= figure(text, 'holdfast_payments_oldest_due_seconds{provider="yookassa"}') < 90
    assert figure(text, 'holdfast_refunds_refused{provider="yookassa"}') == 1
    assert figure(text, 'holdfast_payment_events_unprocessed{provider="yookassa"}') == 1
    assert 50 <= figure(text, 'holdfast_payment_events_oldest_seconds{provider="yookassa"}') < 110
    assert 500 <= figure(text, 'holdfast_payment_reconciliation_age_seconds{provider="yookassa"}') < 560
    assert figure(text, 'holdfast_payments_mended{provider="yookassa"}') == 7
    assert the("refusing") not in text


def figure(text: str, name: str) -> float:
    """Return the value of a figure."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])
