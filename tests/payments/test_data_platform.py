"""The smallest proof that the domains live in one database together."""

from collections.abc import AsyncIterator

import msgspec
import pytest_asyncio

from booking.opened import Practice, open_practice
from holdfast.booking.reservations import Guest
from holdfast.content import items
from holdfast.content.shapes import ItemBody
from holdfast.identity import users
from holdfast.identity.permissions import Role
from holdfast.interactive import definitions, runs
from holdfast.interactive.definitions import DefinitionBody
from holdfast.interactive.states import InteractiveState
from holdfast.kernel.audit import CONSOLE, Actor
from holdfast.kernel.database import Database
from holdfast.payments.ledger import Confirmation, record_payment
from interactive.quizzes import quiz
from payments.paying import connect_account


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with one practitioner."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


async def test_what_every_domain_writes_it_reads_back(database: Database, practice: Practice) -> None:
    """A user, a content item, a run with its result level, and an appointment with a payment are written and read (D-5)."""
    booked = (await practice.reserve("talk", guest=Guest("guest@example.org"))).made().id
    article = {"type": "article", "slug": "sleep", "locale": "ru", "title": "О сне", "body": "Спите."}
    asked = {"slug": "mood", "locale": "ru", "definition": quiz(1)}
    account = await connect_account(practice)
    async with database.transaction(practice.business_id) as tx:
        user = await users.create(tx, email="a@example.org", name="Author", roles=[Role.EDITOR], actor=CONSOLE)
        author = Actor.staff(user.id)
        item = await items.create(tx, msgspec.convert(article, ItemBody), author)
        made = await definitions.create(tx, msgspec.convert(asked, DefinitionBody), author)
        await definitions.move(tx, made.id, InteractiveState.PUBLISHED, expected_version=made.version, actor=author)
        run = await runs.start(tx, "mood")
        await runs.finish(tx, "mood", run.run_id, {"q1": "yes"})
        paid = await record_payment(
            tx,
            booking_id=booked,
            account=account,
            amount_minor=500_000,
            currency="RUB",
            confirmation=Confirmation("A practice", "https://practice.test/paid"),
            provider_payment_id="2d1",
        )
    async with database.transaction(practice.business_id) as tx:
        found = await users.find(tx, user.id)
        assert (found.email, found.name, found.roles) == ("a@example.org", "Author", (Role.EDITOR,))
        assert (await items.read(tx, item.id)).title == "О сне"
        assert await tx.value("select result_level from interactive_runs where id = %s", [run.run_id]) == "high"
        [row] = await tx.rows(
            "select a.status, p.id, p.amount_minor, p.currency from appointments a"
            " join payments p on p.business_id = a.business_id and p.booking_id = a.id"
        )
    assert row == {"status": "confirmed", "id": paid, "amount_minor": 500_000, "currency": "RUB"}
