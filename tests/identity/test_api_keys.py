"""API keys: made once, stored as a hash, revocable, noted when used."""

import asyncio
import hashlib
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from holdfast.identity import api_keys
from holdfast.identity.api_keys import authenticate
from holdfast.identity.businesses import put
from holdfast.identity.errors import UnknownKey
from holdfast.identity.permissions import STAFF_ROLES, Role
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Database
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.ids import new_id


@pytest_asyncio.fixture
async def business_id(database: Database) -> UUID:
    """A business that nobody else uses."""
    async with database.transaction() as tx:
        return (await put(tx, slug=f"b-{uuid4().hex[:8]}", name="Practice", timezone="UTC", currency="EUR")).id


async def make(database: Database, business_id: UUID, role: Role = Role.ASSISTANT) -> tuple[UUID, str]:
    """Return id and text of a new key."""
    made, text = await database.run(business_id, lambda tx: api_keys.create(tx, role=role, name="Front desk"))
    return made.id, text


async def check(database: Database, text: str) -> Staff | None:
    """Return whose key a text is."""
    return await database.run(None, lambda tx: authenticate(tx, text))


async def test_a_key_tells_whose_it_is(database: Database, business_id: UUID) -> None:
    """A key is known by its text as that of its business, with its role (H-4)."""
    for role in STAFF_ROLES:
        key_id, text = await make(database, business_id, role)
        assert text.startswith(f"hf_{key_id.hex}_")
        assert await check(database, text) == Staff(business_id, frozenset({role}), key_id=key_id)


async def test_the_secret_is_nowhere_in_the_database(database: Database, business_id: UUID, admin_uri: str) -> None:
    """Of a key only the SHA-256 of its secret is stored: no table has the secret, nor the text (H-4)."""
    key_id, text = await make(database, business_id)
    secret = text[-43:]
    await check(database, text)
    with psycopg.connect(admin_uri) as admin:
        stored = admin.execute("select secret_hash from api_keys where id = %s", [key_id]).fetchone()
        assert stored == (hashlib.sha256(secret.encode()).digest(),)
        tables = admin.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        )
        for (table,) in tables.fetchall():
            found = admin.execute(f"select count(*) from {table} t where strpos(t::text, %s) > 0".encode(), [secret])
            assert found.fetchone() == (0,), table


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text.upper(),
        lambda text: f"hf_{new_id().hex}_{text[-43:]}",
        lambda text: f"hf_{'0' * 32}_{text[-43:]}",
        lambda text: text[3:],
        lambda text: f"{text}\n",
    ],
)
async def test_what_is_not_the_key_opens_nothing(
    database: Database, business_id: UUID, spoil: Callable[[str], str]
) -> None:
    """A text that is not to the letter a key that was made, or has the id of another, is nobody's (H-4)."""
    _, text = await make(database, business_id)
    await make(database, business_id)
    assert await check(database, spoil(text)) is None


async def test_a_revoked_key_opens_nothing(database: Database, business_id: UUID, admin_uri: str) -> None:
    """A revoked key is nobody's from then on; revoking again changes nothing, and others stay (H-4)."""
    key_id, text = await make(database, business_id)
    _, other = await make(database, business_id)
    first = await database.run(business_id, lambda tx: api_keys.revoke(tx, key_id))
    again = await database.run(business_id, lambda tx: api_keys.revoke(tx, key_id))
    assert first.revoked_at is not None
    assert again == first
    assert await check(database, text) is None
    assert await check(database, other) is not None
    with psycopg.connect(admin_uri) as admin:
        history = admin.execute(
            "select version, aggregate_type, action, actor from audit_log where aggregate_id = %s order by 1", [key_id]
        ).fetchall()
    assert history == [(1, "api_key", "create_key", "console"), (2, "api_key", "revoke_key", "console")]


async def test_a_business_has_its_own_keys(database: Database, business_id: UUID) -> None:
    """A business lists its keys, oldest first and without secrets, and knows of no key of another (H-4)."""
    ids = [(await make(database, business_id, role))[0] for role in STAFF_ROLES]
    async with database.transaction() as tx:
        other = (await put(tx, slug=f"b-{uuid4().hex[:8]}", name="Other", timezone="UTC", currency="EUR")).id
    listed = await database.run(business_id, api_keys.keys_of)
    assert [(key.id, key.role, key.last_used_at) for key in listed] == [
        (key_id, role, None) for key_id, role in zip(ids, STAFF_ROLES, strict=True)
    ]
    assert await database.run(other, api_keys.keys_of) == []
    with pytest.raises(UnknownKey):
        await database.run(other, lambda tx: api_keys.revoke(tx, ids[0]))


async def test_use_is_noted_once_a_minute(database: Database, business_id: UUID, admin_uri: str) -> None:
    """Of many calls within a minute, also at once, one writes when the key was used; a minute later one writes again."""
    key_id, text = await make(database, business_id)

    def noted() -> tuple[object, object]:
        with psycopg.connect(admin_uri) as admin:
            row = admin.execute("select last_used_at, xmin::text from api_keys where id = %s", [key_id]).fetchone()
        assert row is not None
        return row

    assert noted()[0] is None
    await asyncio.gather(*(check(database, text) for _ in range(8)))
    first = noted()
    assert first[0] is not None
    for _ in range(3):
        await check(database, text)
    assert noted() == first, "no call within the minute has written the row"
    with psycopg.connect(admin_uri) as admin:
        admin.execute("update api_keys set last_used_at = now() - interval '61 seconds' where id = %s", [key_id])
    before = noted()
    await check(database, text)
    assert noted() != before


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "two\nlines", "nul\x00"])
async def test_a_key_has_a_readable_name(database: Database, business_id: UUID, name: str) -> None:
    """A name that nobody could read in a list is refused."""
    with pytest.raises(ValidationFailed, match="name: "):
        await database.run(business_id, lambda tx: api_keys.create(tx, role=Role.OWNER, name=name))


async def test_a_client_has_no_key(database: Database, business_id: UUID) -> None:
    """Keys are for staff: none is made for the role of a client (H-4)."""
    with pytest.raises(ValidationFailed, match="role: "):
        await make(database, business_id, Role.CLIENT)
