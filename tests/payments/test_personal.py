"""What people may ask about their payments: told with all that goes with them, forgotten but for what accounts need."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from booking.opened import DAY_SECONDS, START, Practice, open_practice
from holdfast.booking import bookings
from holdfast.booking.contacts import Guest
from holdfast.crm.contacts import Contact
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.ids import new_id
from holdfast.payments.accounts import Account, candidate, connect
from holdfast.payments.ledger import (
    Confirmation,
    confirmation_of,
    find_payment,
    record_payment,
)
from holdfast.payments.port import AccountFacts, ProviderName
from holdfast.people import requests
from payments.paying import PRICE_MINOR, Paying
from payments.telling import write_event

OWNER = Actor.staff(new_id())
ADDRESS = "https://pay.example.org/checkout?orderId=dolerite"
CLIENT_SECRET = "pi_secret_dolerite"  # noqa: S105 - opens nothing
BODY = '{"object": {"payment_method": {"title": "Bank card of a gardener"}}}'


@pytest_asyncio.fixture
async def practice(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Practice]:
    """A business with one practitioner, in a database of its own: money is made up here that no provider has."""
    async with open_practice(postgres.uri(user="holdfast_app", database=own_database)) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


@pytest.fixture
def email() -> str:
    """The address of somebody."""
    return f"guest-{uuid4().hex}@example.org"


class Payer:
    """Somebody with a cancelled booking that was paid and given back in part, and what the provider has told of it."""

    def __init__(self, practice: Practice, admin_uri: str, account: Account) -> None:
        self.practice = practice
        self.admin_uri = admin_uri
        self.database = practice.desk.database
        self.account = account
        self.remote = uuid4().hex
        self.payment = self.booking = UUID(int=0)
        self.events: dict[str, UUID] = {}

    async def pay(self, email: str) -> None:
        """Book, pay, cancel, and be given half of it back."""
        self.booking = (await self.practice.reserve("talk", guest=Guest(email))).made().id
        await self.practice.cancel(self.booking)

        async def work(tx: Transaction) -> None:
            self.payment = await record_payment(
                tx,
                booking_id=self.booking,
                account=self.account,
                provider_payment_id=f"p-{self.remote}",
                amount_minor=500_00,
                currency="EUR",
                confirmation=Confirmation(
                    description="A practice",
                    return_url="https://booking.example",
                    locale="ru",
                    confirmation_url=ADDRESS,
                    client_secret=CLIENT_SECRET,
                ),
            )
            for kind, remote in (("payment.succeeded", "p"), ("refund.succeeded", "r"), ("payment.canceled", "p")):
                self.events[kind] = await write_event(
                    tx,
                    provider=ProviderName.YOOKASSA,
                    event_id=f"{kind}:{self.remote}",
                    kind=kind,
                    object_id=f"{remote}-{self.remote}",
                    body=BODY,
                )

        await self.database.run(self.practice.business_id, work)
        self.sql(
            "update payments set next_attempt_at = null, state = 'succeeded', captured_minor = amount_minor, captured_at = now(), pays = true,"
            " fee_minor = 25000, refunded_minor = 25000 where id = %s",
            self.payment,
        )
        self.sql(
            "insert into refunds (business_id, id, payment_id, cause, provider_key, provider_refund_id, state, amount_minor,"
            " currency, next_attempt_at) values (%s, %s, %s, 'policy', %s, %s, 'succeeded', 25000, 'EUR', null)",
            *(self.practice.business_id, new_id(), self.payment, f"refund {self.remote}", f"r-{self.remote}"),
        )
        self.sql(
            "update webhook_events set processed_at = now() where id = any(%s)",
            [self.events["payment.succeeded"], self.events["refund.succeeded"]],
        )

    def sql(self, statement: str, *values: object) -> None:
        """Run a statement as administrator, past the product."""
        with psycopg.connect(self.admin_uri) as connection:
            connection.execute(statement.encode(), values)

    async def bodies(self) -> dict[str, str | None]:
        """Return what is kept of the provider's messages."""
        async with self.database.transaction(self.practice.business_id) as tx:
            keys = await tx.keys()
            rows = await tx.rows(
                "select id, type, body from webhook_events where id = any(%s)", [list(self.events.values())]
            )
            return {
                row["type"]: row["body"] and keys.open("webhook_events.body", row["id"], row["body"]) for row in rows
            }


Letting = Callable[[str], Awaitable[Payer]]


@pytest.fixture
def paid(practice: Practice, postgres: EmbeddedPostgres, own_database: str) -> Letting:
    """Let somebody have paid."""

    async def pay(email: str) -> Payer:
        wanted = candidate(ProviderName.YOOKASSA, shop="100500", secret="test_dolerite")  # noqa: S106 - opens nothing
        facts = AccountFacts("100500", is_test=True)
        account = await practice.desk.database.run(practice.business_id, lambda tx: connect(tx, wanted, facts, OWNER))
        payer = Payer(practice, postgres.uri(database=own_database), account)
        await payer.pay(email)
        return payer

    return pay


async def test_a_person_is_told_what_they_have_paid(practice: Practice, paid: Letting, email: str) -> None:
    """A person is told of each payment for a booking of theirs: how much was taken, given back and kept; and nothing of
    other people's (D-8, P-9).
    """
    payer = await paid(email)
    await paid(f"other-{email}")
    async with practice.desk.database.transaction(practice.business_id) as tx:
        [told] = (await requests.tell(tx, Contact(email=email), OWNER)).parts["payments"]
    assert (told["id"], told["bookingId"], told["providerPaymentId"]) == (
        payer.payment,
        payer.booking,
        f"p-{payer.remote}",
    )
    amounts = {name: told[name] for name in ("amountMinor", "capturedMinor", "refundedMinor", "keptMinor", "currency")}
    assert amounts == {
        "amountMinor": 500_00,
        "capturedMinor": 500_00,
        "refundedMinor": 250_00,
        "keptMinor": 250_00,
        "currency": "EUR",
    }
    [refund] = told["refunds"]
    assert (refund["status"], refund["cause"], refund["amountMinor"]) == ("succeeded", "policy", 250_00)


async def test_a_forgotten_person_leaves_money_without_a_name(practice: Practice, paid: Letting, email: str) -> None:
    """After an erasure the rows of money are as before and nobody's; where the person paid and what the provider has told
    of it are gone, whether somebody has acted upon it or not; other people's stay (D-8, payments 20).
    """
    payer = await paid(email)
    other = await paid(f"other-{email}")
    async with practice.desk.database.transaction(practice.business_id) as tx:
        before = await tx.rows(ROWS, [payer.payment])
        counts = (await requests.forget(tx, Contact(email=email), OWNER)).parts
    assert (counts["payments"], counts["bookings"]) == (1, 1)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        assert await tx.rows(ROWS, [payer.payment]) == before
        assert (await requests.tell(tx, Contact(email=email), OWNER)).parts["payments"] == []
        left, kept = [await confirmation_of(tx, await find_payment(tx, each.payment)) for each in (payer, other)]
    assert left is None
    assert kept is not None
    assert (kept.confirmation_url, kept.client_secret, kept.locale) == (ADDRESS, CLIENT_SECRET, "ru")
    assert await payer.bodies() == dict.fromkeys(payer.events)
    assert set((await other.bodies()).values()) == {BODY}


async def test_money_of_a_forgotten_person_goes_back_all_the_same(till: Paying) -> None:
    """Who is forgotten while money is on its way back, or before it comes too late, is given it back as anybody (D-8, P-6,
    payments 9).
    """
    paid, unpaid = await till.paid(), await till.begin(start=START + DAY_SECONDS)
    booking = await till.practice.read(paid.booking_id)
    await till.database.run(
        till.business_id,
        lambda tx: bookings.cancel(
            tx, booking.id, expected_version=booking.version, reason=None, actor=OWNER, refund_percent=50
        ),
    )
    await till.run_out(unpaid.booking_id)
    await till.practice.reserve("talk", START + DAY_SECONDS)
    async with till.database.transaction(till.business_id) as tx:
        counts = (await requests.forget(tx, Contact(email="guest@example.org"), OWNER)).parts
    assert (counts["payments"], counts["bookings"]) == (2, 2)
    till.pay(unpaid)
    till.fake.take(unpaid.provider_payment_id)
    await till.settle(unpaid.id)
    await till.work()
    gone = {
        each.id: (each.captured_minor, each.refunded_minor)
        for each in [await till.payment(p) for p in (paid.id, unpaid.id)]
    }
    assert gone == {paid.id: (PRICE_MINOR, PRICE_MINOR // 2), unpaid.id: (PRICE_MINOR, PRICE_MINOR)}


ROWS = (
    "select p.id, p.booking_id, p.state, p.amount_minor, p.captured_minor, p.refunded_minor, p.fee_minor,"
    " p.provider_payment_id, r.amount_minor as given_back, r.state as refund"
    " from payments p join refunds r on r.payment_id = p.id where p.id = %s"
)
