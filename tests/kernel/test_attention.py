"""The inbox of what needs a person, as other capabilities fill it."""

from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from holdfast.identity import businesses
from holdfast.kernel.attention import KINDS, Severity, raise_item
from holdfast.kernel.database import Database
from holdfast.kernel.tracking import EventRefused, whole

BROKEN = KINDS.declare("tests_found_broken", pieces=whole(0, 9))


@pytest_asyncio.fixture
async def tenant(database: Database) -> UUID:
    """A business of its own."""
    async with database.transaction() as tx:
        slug = f"a-{uuid4().hex[:12]}"
        return (await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR")).id


async def rows(database: Database, tenant: UUID) -> list[tuple[object, ...]]:
    """Return the items of a business."""
    async with database.transaction(tenant) as tx:
        found = await tx.rows("select severity::text, details, times_raised, snoozed_until from attention_items")
        return [tuple(row.values()) for row in found]


async def test_one_thing_is_one_item_while_it_is_open(database: Database, tenant: UUID) -> None:
    """Raised again, an item has the last details and the greater severity; resolved, it makes room for a new one."""
    subject = uuid4()

    async def put(severity: Severity, pieces: int) -> tuple[UUID, bool]:
        return await database.run(tenant, lambda tx: raise_item(tx, BROKEN, subject, severity, pieces=pieces))

    first, new = await put(Severity.WARNING, 1)
    assert new
    assert await put(Severity.INFO, 2) == (first, False)
    assert await rows(database, tenant) == [("warning", {"pieces": 2}, 2, None)]
    async with database.transaction(tenant) as tx:
        await tx.run("update attention_items set resolved_at = now(), resolved_by = %s", [uuid4()])
    again, new = await put(Severity.INFO, 3)
    assert (again != first, new) == (True, True)


async def test_what_becomes_more_severe_is_not_snoozed(database: Database, tenant: UUID) -> None:
    """A snoozed item stays so when it is raised again, and comes back when that is with a greater severity."""
    subject, snoozed = uuid4(), []
    async with database.transaction(tenant) as tx:
        await raise_item(tx, BROKEN, subject, Severity.WARNING)
        await tx.run("update attention_items set snoozed_until = now() + interval '1 day'")
        for severity in (Severity.INFO, Severity.WARNING, Severity.URGENT):
            await raise_item(tx, BROKEN, subject, severity)
            snoozed.append(await tx.value("select snoozed_until is not null from attention_items"))
    assert snoozed == [True, True, False]


async def test_details_are_technical(database: Database, tenant: UUID) -> None:
    """Neither an undeclared kind or detail nor words of people get into the inbox; the database says so too (D-6)."""
    for kind, details in (("unheard_of", {}), (BROKEN, {"who": "guest"}), (BROKEN, {"pieces": "guest@example.org"})):
        with pytest.raises(EventRefused):
            async with database.transaction(tenant) as tx:
                await raise_item(tx, kind, uuid4(), Severity.INFO, **details)
    with pytest.raises(psycopg.errors.CheckViolation, match="attention_items_details_technical"):
        async with database.transaction(tenant) as tx:
            await tx.run(
                "insert into attention_items (business_id, id, kind, subject_id, severity, details)"
                " values (%s, uuidv7(), 'thing', uuidv7(), 'info', '{\"who\": \"refused@example.org\"}')",
                [tenant],
            )
