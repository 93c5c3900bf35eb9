"""Rotation: a new data key for a business, and everything sealed anew under it, while servers run (D-5).

Three steps, each of which may be interrupted and is taken up again by the next run: a new key, which is used as soon as
every process knows it; all envelopes of older keys opened and sealed anew, batch by batch; then the older keys go.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row

from holdfast.kernel.columns import registry
from holdfast.kernel.privacy import Keyring, Undecipherable
from holdfast.kernel.sql import load

_SQL = load("holdfast.kernel", "rotation.sql")

_BATCH = 500
# After so many values a line tells of it.
_REPORTED = 10_000

# The names are those of columns, which no parameter can stand for.
_READ = sql.SQL(
    "select id, {column} as sealed from {table}"
    " where business_id = %(business_id)s and substring({column}::bytea from 5 for 4) < %(generation)s"
    " and id > %(after)s order by id limit %(limit)s"
)
# A value that has changed meanwhile was sealed under the new key by whoever changed it.
_WRITE = sql.SQL(
    "update {table} t set {column} = r.fresh"
    " from unnest(%(ids)s::uuid[], %(old)s::bytea[], %(fresh)s::bytea[]) r (id, old, fresh)"
    " where t.business_id = %(business_id)s and t.id = r.id and t.{column} = r.old"
)

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of one business: the number of its data key, and how many values were sealed anew.

    `broken` names the values, as `table.column id`, that do not open; while there are any, the older keys stay.
    """

    business: str
    generation: int
    values: int
    broken: list[str]


@dataclass(slots=True)
class _Tenant:
    """A business while it is rotated."""

    id: UUID
    slug: str
    generation: int
    values: int = 0
    broken: set[str] = field(default_factory=set)


async def rotate(dsn: str, keyring: Keyring, *, business: str | None, report: Report) -> list[Rotated]:
    """Rotate the data key of the business with this slug, or of every one.

    Needs an administrative role, which sees the rows of all tenants. A run that was interrupted is taken up: a business
    whose last rotation has not ended gets no further key. Raises LookupError when there is no such business.
    """
    async with await AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        cursor = await connection.execute(_SQL["businesses"])
        found = [row for row in await cursor.fetchall() if business in (None, row["slug"], str(row["id"]))]
        if business is not None and not found:
            raise LookupError(business)
        places = await _places(connection)
        # All get their new key first, so that its time of waiting is one for all.
        tenants = [_Tenant(row["id"], row["slug"], await _begin(connection, keyring, row["id"])) for row in found]
        await _in_use(connection, tenants, report)
        for tenant in tenants:
            await _reseal(connection, keyring, tenant, places, report)
        # What was sealed under the older key just before the new one came into use may still be on its way.
        slowest = await _slowest(connection, keyring, tenants)
        await _let_pass(slowest, "what was sealed just before is being written", report)
        for tenant in tenants:
            while await _reseal(connection, keyring, tenant, places, report):
                pass
            if not tenant.broken:
                values = {"business_id": tenant.id, "generation": tenant.generation}
                await connection.execute(_SQL["forget_data_keys"], values)
        return [Rotated(each.slug, each.generation, each.values, sorted(each.broken)) for each in tenants]


async def _places(connection: AsyncConnection[dict[str, Any]]) -> list[dict[str, Any]]:
    cursor = await connection.execute(_SQL["sealed_columns"])
    places = await cursor.fetchall()
    unknown = [row["place"] for row in places if registry().get(row["place"], "P0") == "P0"]
    assert unknown == [], f"sealed, and not registered as personal: {unknown}"
    return places


async def _begin(connection: AsyncConnection[dict[str, Any]], keyring: Keyring, business_id: UUID) -> int:
    """Return the generation that everything is to be sealed under."""
    keys = await _data_keys(connection, business_id)
    if len(keys) == 1:
        return await keyring.add_generation(business_id)
    # None yet: the first one is made, and nothing is sealed under an older one. Several: the last run was interrupted.
    return (await keyring.of(business_id)).generation if not keys else int(keys[-1]["generation"])


async def _in_use(connection: AsyncConnection[dict[str, Any]], tenants: list[_Tenant], report: Report) -> None:
    waits = [0.0]
    for tenant in tenants:
        waits += [row["active_in_seconds"] for row in await _data_keys(connection, tenant.id)]
    await _let_pass(max(waits), "every process learns the new key", report)


async def _slowest(connection: AsyncConnection[dict[str, Any]], keyring: Keyring, tenants: list[_Tenant]) -> float:
    """Return for how many seconds the process that reads keys most rarely uses those that it has."""
    seconds = [keyring.refresh_seconds]
    for tenant in tenants:
        seconds += [row["refresh_seconds"] for row in await _data_keys(connection, tenant.id)]
    return max(seconds)


async def _let_pass(seconds: float, why: str, report: Report) -> None:
    if seconds > 0:
        report(f"waiting {seconds:.0f} s: {why}")
        await asyncio.sleep(seconds)


async def _data_keys(connection: AsyncConnection[dict[str, Any]], business_id: UUID) -> list[dict[str, Any]]:
    cursor = await connection.execute(_SQL["data_keys"], {"business_id": business_id})
    return await cursor.fetchall()


async def _reseal(
    connection: AsyncConnection[dict[str, Any]],
    keyring: Keyring,
    tenant: _Tenant,
    places: list[dict[str, Any]],
    report: Report,
) -> int:
    """Seal anew what is sealed under an older key; return how many values that were."""
    keys = await keyring.of(tenant.id)
    before = tenant.values
    for row in places:
        place, names = row["place"], {key: sql.Identifier(row[key]) for key in ("table", "column")}
        values = {"business_id": tenant.id, "generation": tenant.generation.to_bytes(4), "limit": _BATCH}
        after = UUID(int=0)
        while True:
            cursor = await connection.execute(_READ.format(**names), values | {"after": after})
            batch = await cursor.fetchall()
            if not batch:
                break
            fresh: list[tuple[UUID, bytes, bytes]] = []
            for id_, sealed in ((each["id"], bytes(each["sealed"])) for each in batch):
                try:
                    fresh.append((id_, sealed, keys.seal(place, id_, keys.open(place, id_, sealed))))
                except Undecipherable:
                    tenant.broken.add(f"{place} {id_}")
            ids, old, anew = map(list, zip(*fresh, strict=True)) if fresh else ([], [], [])
            written = await connection.execute(
                _WRITE.format(**names), {"business_id": tenant.id, "ids": ids, "old": old, "fresh": anew}
            )
            after = batch[-1]["id"]
            tenant.values += written.rowcount
            if tenant.values % _REPORTED < written.rowcount:
                report(f"{tenant.slug}: {tenant.values} values sealed anew, now {place}")
    return tenant.values - before
