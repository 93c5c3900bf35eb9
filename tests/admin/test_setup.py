"""The first setup: by the link that whoever runs a server has, and by nobody else, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from admin.visiting import Visitor, form_to, wrong_fields
from conftest import MASTER_KEY
from holdfast import config, web
from holdfast.admin.settings_business import slug_of
from holdfast.identity import businesses, users
from holdfast.identity.businesses import Business
from holdfast.identity.permissions import Role
from holdfast.identity.setup import Setup
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring
from identity.entrance import ORIGIN, Browser
from wording import say

PASSWORD = "a first long password"  # noqa: S105 - of users that are made here
OWNER = {"owner": "Guest", "email": "owner@practice.test", "chosen": PASSWORD, "again": PASSWORD}
PRACTICE = {"name": "Практика на Липовой", "timezone": "Europe/Moscow", "currency": "rub", "locale": "ru"}


@asynccontextmanager
async def fresh(
    postgres: EmbeddedPostgres, name: str, **settings: Any
) -> AsyncIterator[tuple[Database, httpx.ASGITransport]]:
    """Serve a database on which nothing is."""
    uri = postgres.uri(user="holdfast_app", database=name)
    app = web.build(config.Settings(dsn=uri, master_key=MASTER_KEY, **settings), uri)
    database = Database(uri, max_connections=6, keyring=Keyring(MASTER_KEY, uri))
    await database.open()
    try:
        async with app.lifespan():
            yield database, httpx.ASGITransport(app, raise_app_exceptions=False)
    finally:
        await database.close()


def somebody(transport: httpx.ASGITransport) -> Visitor:
    """Return a browser that nobody has signed in with."""
    http = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
    # There is no practice yet.
    return Visitor(Browser(None, http))  # type: ignore[arg-type]


def link(default: str | None = None) -> str:
    """Return the link of a server."""
    return Setup(MASTER_KEY, default).link("")


async def add(database: Database, slug: str = "linden") -> Business:
    """Import a business."""
    return await database.run(
        None, lambda tx: businesses.put(tx, slug=slug, name=slug.title(), timezone="UTC", currency="EUR")
    )


async def owners(database: Database) -> list[str]:
    """Return the addresses of the owners of the only business."""

    async def work(tx: Transaction) -> list[str]:
        business = await businesses.only(tx)
        assert business is not None
        own = await tx.act_for(business.id)
        found = await users.list_users(own, cursor=None, limit=10)
        return [user.email for user in found.users if Role.OWNER in user.roles]

    return await database.run(None, work)


async def test_a_new_server_gets_a_practice_and_its_owner(postgres: EmbeddedPostgres, own_database: str) -> None:
    """The link makes business and owner as they were typed, signs the owner in, and is spent (H-4, U-3)."""
    async with fresh(postgres, own_database) as (database, transport):
        new = somebody(transport)
        form = form_to(await new.open(link()), "/setup")
        start = await new.send(form, **PRACTICE, **OWNER)
        assert (start.status, start.address.partition("?")[0]) == (200, f"{ORIGIN}/admin")
        business = await database.run(None, businesses.only)
        assert business is not None
        assert (business.slug, business.name, business.timezone, business.currency, business.locale) == (
            "praktika-na-lipovoi",
            "Практика на Липовой",
            "Europe/Moscow",
            "RUB",
            "ru",
        )
        assert await owners(database) == ["owner@practice.test"]
        late = somebody(transport)
        assert say("en", "This server is set up already.") in (await late.open(link())).text
        assert (await late.send(form, **PRACTICE, **OWNER | {"email": "late@practice.test"})).status == 410
        assert await owners(database) == ["owner@practice.test"]
        signed = await late.open("/admin/login")
        inside = await late.send(form_to(signed, "/login"), email=OWNER["email"], password=PASSWORD)
        assert inside.address == f"{ORIGIN}/admin"


async def test_an_imported_practice_gets_its_owner(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Where a business is there already, the link asks for the owner alone and leaves the business as it is (U-3)."""
    async with fresh(postgres, own_database) as (database, transport):
        made = await add(database)
        new = somebody(transport)
        page = await new.open(link())
        assert "Linden" in page.text
        start = await new.send(form_to(page, "/setup"), **PRACTICE, **OWNER)
        assert start.address.partition("?")[0] == f"{ORIGIN}/admin"
        assert await database.run(None, businesses.only) == made
        assert await owners(database) == ["owner@practice.test"]


async def test_what_is_wrong_is_told_at_its_field(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Each wrong field is marked, what was typed is kept, and nothing is made (U-3)."""
    async with fresh(postgres, own_database) as (database, transport):
        new = somebody(transport)
        form = form_to(await new.open(link()), "/setup")
        for wrong in (
            {"name": ""},
            {"name": "", "slug": ""},
            {"slug": "Not A Slug"},
            {"slug": "00000000-0000-4000-8000-000000000000"},
            {"timezone": "Europe/Nowhere"},
            {"currency": "XQZ"},
            {"locale": "-"},
            {"owner": ""},
            {"email": "nobody"},
            {"chosen": "short"},
            {"again": "another"},
        ):
            typed = {"slug": "linden"} | PRACTICE | OWNER | wrong
            refused = await new.send(form, **typed)
            assert (refused.status, wrong_fields(refused)) == (400, {next(iter(wrong))}), wrong
            kept = form_to(refused, "/setup").fields
            assert {name: kept[name] for name in ("slug", "owner", "email")} == {
                name: typed[name] for name in ("slug", "owner", "email")
            }
        assert await database.run(None, businesses.only) is None


async def test_only_the_code_of_the_server_opens(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Another code makes nothing and tells nothing, and after some of them there are no more attempts (H-3, H-4)."""
    async with fresh(postgres, own_database) as (database, transport):
        new = somebody(transport)
        form = form_to(await new.open(link()), "/setup")
        strange = [Setup(bytes(32), None).code, Setup(MASTER_KEY, "other").code, "x", "é", form.fields["code"][:-1]]
        for code in strange:
            assert (await new.open("/admin/setup", code=code)).status == 410
            assert (await new.send(form, **PRACTICE, **OWNER, code=code)).status == 410
        assert (await new.open("/admin/setup", code="x")).status == 429
        assert await database.run(None, businesses.only) is None
        plain = await new.open("/admin/setup")
        assert (plain.status, "setup-link" in plain.text) == (200, True)
        # Whoever has the right one is not shut out by those who guess.
        assert (await new.open(link())).status == 200


@pytest.mark.parametrize("there", [False, True], ids=["no business", "a business"])
async def test_two_at_once_make_one_owner(postgres: EmbeddedPostgres, own_database: str, *, there: bool) -> None:
    """Of several setups at one moment one makes the owner; the others hear that the link has served (H-4)."""
    async with fresh(postgres, own_database) as (database, transport):
        if there:
            await add(database)
        form = form_to(await somebody(transport).open(link()), "/setup")
        tries = [
            somebody(transport).send(form, **PRACTICE | {"slug": f"s-{n}"}, **OWNER | {"email": f"o{n}@practice.test"})
            for n in range(4)
        ]
        pages = await asyncio.gather(*tries)
        assert sorted(page.status for page in pages) == [200, 410, 410, 410]
        assert len(await owners(database)) == 1


async def test_owners_at_once_are_one(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Of several owners that are entered at one moment, their passwords ready, one is made (H-4)."""
    async with fresh(postgres, own_database) as (database, _):
        await add(database)
        setup = Setup(MASTER_KEY, None)
        made = await asyncio.gather(
            *(
                setup.add_owner(database, setup.code, email=f"o{n}@practice.test", name="Guest", kept="x" * 60)
                for n in range(6)
            ),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in made) == [*(["SetupOver"] * 5), "User"]
        assert len(await owners(database)) == 1


async def test_a_server_with_staff_has_no_setup(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Somebody of staff who cannot even sign in yet, or any more, closes the setup; a client does not (H-4)."""
    async with fresh(postgres, own_database) as (database, transport):
        made = await add(database)

        async def join(role: Role) -> None:
            await database.run(
                made.id,
                lambda tx: users.create(tx, email=f"{role}@practice.test", name="Guest", roles=[role], actor=CONSOLE),
            )

        await join(Role.CLIENT)
        new = somebody(transport)
        form = form_to(await new.open(link()), "/setup")
        await join(Role.EDITOR)
        assert (await new.send(form, **OWNER)).status == 410
        assert await owners(database) == []


async def test_of_several_businesses_only_the_default_one_is_set_up(
    postgres: EmbeddedPostgres, own_database: str
) -> None:
    """Where there are several businesses, the link is for the one that the server means, and without one for none (H-4)."""
    for default, is_open in ((None, False), ("oak", True)):
        async with fresh(postgres, own_database, default_business=default) as (database, transport):
            for slug in ("linden", "oak"):
                await add(database, slug)
            page = await somebody(transport).open(link(default))
            assert any(form.action == "/admin/setup" for form in page.forms) is is_open


def test_an_address_is_made_from_a_name() -> None:
    """A name in Cyrillic or with accents becomes a slug; one without any letter of these becomes none."""
    assert [slug_of(name) for name in ("Практика «Щука»", "Café  Zoë", "心", "x" * 80)] == [
        "praktika-shchuka",
        "cafe-zoe",
        "",
        "x" * 63,
    ]
