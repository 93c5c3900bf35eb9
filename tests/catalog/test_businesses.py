"""Businesses as they are put and found."""

import asyncio
from uuid import uuid4

import pytest

from holdfast.identity.businesses import Business, find, only, put
from holdfast.identity.errors import InvalidBusinessSlug, InvalidCurrency
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres


def described(business: Business) -> dict[str, str]:
    """Return what a business is put with."""
    return {name: getattr(business, name) for name in ("slug", "name", "timezone", "currency", "locale")}


@pytest.mark.parametrize(
    "change", [{"name": "Studio"}, {"timezone": "Asia/Tokyo"}, {"currency": "EUR"}, {"locale": "en"}]
)
async def test_only_a_change_raises_the_catalog_version(
    database: Database, business: Business, change: dict[str, str]
) -> None:
    """A business is put as it is said; what changes nothing keeps its catalog version, any change raises it (K-2)."""
    async with database.transaction() as tx:
        assert await put(tx, **described(business)) == business
        changed = await put(tx, **described(business) | change)
    assert described(changed) == described(business) | change
    assert changed.catalog_version == business.catalog_version + 1


async def test_a_business_is_found_by_slug_and_by_id(database: Database, business: Business) -> None:
    """Slug and id find the same business; anything else, however odd, finds none."""
    async with database.transaction() as tx:
        assert await find(tx, business.slug) == await find(tx, str(business.id)) == business
        assert await find(tx, str(business.id).upper()) == business
        for stranger in (str(uuid4()), "nobody", "", "a\0b", "\ud800", "имя", "%", "a" * 100_000):
            assert await find(tx, stranger) is None


async def test_the_only_business_needs_no_name(postgres: EmbeddedPostgres, own_database: str) -> None:
    """The only business is known without a name; with none or several there is no such."""
    database = Database(postgres.uri(user="holdfast_app", database=own_database), min_connections=1, max_connections=1)
    await database.open()
    try:
        async with database.transaction() as tx:
            assert await only(tx) is None
            first = await put(tx, slug="first", name="First", timezone="Etc/UTC", currency="EUR")
            assert await only(tx) == first
            await put(tx, slug="second", name="Second", timezone="Etc/UTC", currency="EUR")
            assert await only(tx) is None
    finally:
        await database.close()


async def test_bad_words_are_refused_by_the_database(database: Database) -> None:
    """A slug or currency of the wrong shape is refused by the database and named by its error (D-4)."""
    good = {"slug": "b-fine", "name": "N", "timezone": "Etc/UTC", "currency": "EUR"}
    with pytest.raises(InvalidBusinessSlug):
        await database.run(None, lambda tx: put(tx, **good | {"slug": "Not A Slug"}))
    with pytest.raises(InvalidCurrency):
        await database.run(None, lambda tx: put(tx, **good | {"currency": "euro"}))


async def test_two_that_make_one_business_make_one(database: Database) -> None:
    """Who makes a business while another is making it waits, and then has the one that is there, as he said it (D-9, K-2)."""
    slug = f"b-{uuid4().hex[:8]}"

    async def second() -> Business:
        async with database.transaction() as tx:
            return await put(tx, slug=slug, name="Second", timezone="UTC", currency="EUR")

    async with database.transaction() as tx, database.transaction() as watcher:
        first = await put(tx, slug=slug, name="First", timezone="UTC", currency="EUR")
        waiting = asyncio.create_task(second())
        while not await watcher.value("select exists (select from pg_locks where not granted)"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    made = await waiting
    assert (made.id, made.name, made.catalog_version) == (first.id, "Second", first.catalog_version + 1)
