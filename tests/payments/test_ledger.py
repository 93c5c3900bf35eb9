"""The book of payments: what is written twice is refused by a name, money is whole and bounded, bodies are sealed."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from booking.opened import Practice, open_practice
from holdfast.kernel.database import Database, Transaction
from holdfast.payments.errors import DuplicatePayment, DuplicatePaymentKey, DuplicateWebhookEvent
from holdfast.payments.ledger import Confirmation, record_payment
from holdfast.payments.port import ProviderName
from payments.paying import connect_account
from payments.telling import write_event

BODY = '{"event": "payment.succeeded", "card": "4111"}'


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with one practitioner."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


@pytest_asyncio.fixture
async def booked(practice: Practice) -> UUID:
    """An appointment of the business."""
    held = (await practice.reserve("talk")).made().id
    await practice.commit(held)
    return held


async def pay(
    practice: Practice, booking_id: UUID, provider: ProviderName = ProviderName.STRIPE, remote_id: str | None = None
) -> UUID:
    """Write down an attempt to pay."""
    account = await connect_account(practice, provider)

    async def work(tx: Transaction) -> UUID:
        return await record_payment(
            tx,
            booking_id=booking_id,
            account=account,
            amount_minor=500_000,
            currency="RUB",
            confirmation=Confirmation("A practice", "https://practice.test/paid"),
            provider_payment_id=remote_id,
        )

    return await practice.desk.database.run(practice.business_id, work)


async def rows(database: Database, practice: Practice, statement: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement of the business."""
    async with database.transaction(practice.business_id) as tx:
        return [tuple(row.values()) for row in await tx.rows(statement)]


async def test_an_attempt_is_written_down_before_the_provider_is_called(
    database: Database, practice: Practice, booked: UUID
) -> None:
    """Each attempt to pay has its number, its key and its amount, in whole minor units with a currency (P-1, P-8)."""
    await pay(practice, booked)
    await pay(practice, booked, remote_id="pi_1")
    found = await rows(
        database,
        practice,
        "select attempt, state, provider_payment_id, amount_minor, currency from payments order by attempt",
    )
    assert found == [(1, "created", None, 500_000, "RUB"), (2, "pending", "pi_1", 500_000, "RUB")]


async def test_a_payment_is_one_payment(database: Database, practice: Practice, booked: UUID) -> None:
    """A second payment with the same id of the provider is refused by an error that names it (P-7, D-4)."""
    await pay(practice, booked, remote_id="pi_1")
    with pytest.raises(DuplicatePayment) as refused:
        await pay(practice, booked, remote_id="pi_1")
    assert (refused.value.status, refused.value.details["field"]) == (409, "providerPaymentId")
    assert len(await rows(database, practice, "select 1 from payments")) == 1


async def test_no_two_payments_have_one_key(database: Database, practice: Practice, booked: UUID) -> None:
    """Each attempt has a key of its own, and a second payment with the same one is refused by a name (P-1, D-4)."""
    await pay(practice, booked)
    await pay(practice, booked)
    [(first,), (second,)] = await rows(database, practice, "select provider_key from payments order by attempt")
    assert first != second
    with pytest.raises(DuplicatePaymentKey) as refused:
        async with database.transaction(practice.business_id) as tx:
            await tx.run("update payments set provider_key = %s", [first])
    assert (refused.value.status, refused.value.details["field"]) == (409, "providerKey")


async def test_another_provider_or_business_may_have_the_same_id(
    practice: Practice, booked: UUID, app_uri: str
) -> None:
    """Ids of providers are unique within the provider and the business: nobody else's take them away (P-7)."""
    await pay(practice, booked, remote_id="1")
    await pay(practice, booked, ProviderName.YOOKASSA, remote_id="1")
    async with open_practice(app_uri) as other:
        await other.add_resource("ana")
        await other.add_service("talk", ["ana"])
        theirs = (await other.reserve("talk")).made().id
        await pay(other, theirs, remote_id="1")
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="payments_booking"):
            await pay(other, booked)


async def test_one_payment_pays(database: Database, practice: Practice, booked: UUID) -> None:
    """No statement lets two payments pay one booking: what the second has taken can only go back (P-7)."""
    for _ in range(2):
        await pay(practice, booked)
    with pytest.raises(psycopg.errors.UniqueViolation, match="payments_one_pays"):
        async with database.transaction(practice.business_id) as tx:
            await tx.run(
                "update payments set state = 'succeeded', captured_minor = amount_minor, captured_at = now(), pays = true"
            )


async def test_an_event_of_a_provider_is_written_down_once(database: Database, practice: Practice) -> None:
    """The same event a second time is refused by an error that names its id; its body is sealed (P-2, P-7, D-4, D-5)."""

    async def hear(event_id: str) -> UUID:
        return await database.run(
            practice.business_id,
            lambda tx: write_event(
                tx,
                provider=ProviderName.STRIPE,
                event_id=event_id,
                kind="payment.succeeded",
                object_id=f"pi_{event_id}",
                body=BODY,
            ),
        )

    entry = await hear("evt_1")
    await hear("evt_2")
    with pytest.raises(DuplicateWebhookEvent) as refused:
        await hear("evt_1")
    assert (refused.value.status, refused.value.details["field"]) == (409, "eventId")
    async with database.transaction(practice.business_id) as tx:
        sealed = bytes(await tx.value("select body from webhook_events where id = %s", [entry]))
        assert BODY.encode() not in sealed
        assert (await tx.keys()).open("webhook_events.body", entry, sealed) == BODY


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("state = 'paid'", "payments_state_known"),
        ("currency = 'rub'", "payments_currency_shape"),
        ("amount_minor = 0", "payments_amount_positive"),
        ("captured_minor = 500001", "payments_captured_bounded"),
        ("captured_minor = 500000, refunded_minor = 500001", "payments_refunded_bounded"),
        ("state = 'succeeded'", "payments_succeeded_captured"),
    ],
)
async def test_the_database_refuses_impossible_money(
    database: Database, practice: Practice, booked: UUID, change: str, constraint: str
) -> None:
    """No statement gives back more than was captured, captures more than was asked, or invents a state (P-8)."""
    await pay(practice, booked)
    with pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        async with database.transaction(practice.business_id) as tx:
            await tx.run(f"update payments set {change}")
