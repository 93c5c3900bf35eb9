"""Blocks: time in which staff keep a resource free. A block takes every place of its resource."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.booking.admission import sweep
from holdfast.booking.bookings import Keyed, find_answer, keep_answer
from holdfast.booking.errors import TimeTaken
from holdfast.kernel.audit import Actor, emit, open_reason, record, seal_reason
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import NotFound, TryLater
from holdfast.kernel.ids import new_id, uuid_or_none
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "staff_queries.sql")
_ASKS = 40


class BlockView(msgspec.Struct, rename="camel", kw_only=True):
    """A block of a resource."""

    id: UUID
    resource_id: UUID
    start: datetime
    end: datetime
    reason: str | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which resource is to be kept free, from when to when, and why."""

    resource_id: UUID
    start: datetime
    end: datetime
    reason: str | None


async def block(database: Database, business_id: UUID, wanted: Wanted, key: Keyed, actor: Actor) -> BlockView:
    """Keep a resource free; return the answer, the same for the same key.

    Raises TimeTaken with `details.conflicts` when somebody has a place there, though not for holds that have run out;
    NotFound for a resource that the business does not have, IdempotencyKeyReused.
    """

    async def work(tx: Transaction) -> BlockView:
        return await _block(tx, wanted, key, actor)

    for _ in range(_ASKS):
        try:
            return await database.run(business_id, work)
        except TimeTaken as taken:
            if taken.details["conflicts"]:
                raise
            # Only holds that have run out are in the way, or what was there has gone meanwhile.
            await sweep(database, business_id)
    raise TryLater


async def unblock(tx: Transaction, block_id: UUID, actor: Actor) -> None:
    """Remove a block; its time is free at once.

    Raises NotFound when there is none, or none any more.
    """
    values = {"business_id": tx.business_id, "id": block_id}
    found = await tx.rows(_SQL["block"], values)
    if not found:
        raise NotFound
    # Under its lock the resource has the capacity that it has: a raised one would have given the block other places.
    await tx.run(_SQL["lock_resource"], values | {"resource_id": found[0]["resource_id"]})
    await tx.run(_SQL["drop_block_claims"], values)
    if await tx.run(_SQL["drop_block"], values) == 0:
        raise NotFound
    version = await record(tx, "block", block_id, "unblock", actor)
    await emit(tx, block_id, version, "TimeUnblocked", {"resourceId": str(found[0]["resource_id"])})


async def _block(tx: Transaction, wanted: Wanted, key: Keyed, actor: Actor) -> BlockView:
    values = {
        "business_id": tx.business_id,
        "id": new_id(),
        "resource_id": wanted.resource_id,
        "from": wanted.start,
        "to": wanted.end,
    }
    # Locked before the key is looked for, so that of two with one key the second finds what the first was told.
    if not await tx.rows(_SQL["lock_resource"], values):
        raise NotFound
    answered = await find_answer(tx, key)
    if answered is not None:
        # One that an earlier release has kept has its reason in it.
        reason = answered.get("reason") or await open_reason(tx, uuid_or_none(answered.get("reasonId") or ""))
        return msgspec.convert({**answered, "reason": reason, "replayed": True}, BlockView)
    reason_id = await seal_reason(tx, wanted.reason)
    await tx.run(_SQL["add_block"], values | {"reason_id": reason_id})
    if not await tx.value(_SQL["take_resource_for_block"], values):
        raise TimeTaken(details={"conflicts": await tx.rows(_SQL["taken_by"], values)})
    [row] = await tx.rows(_SQL["block"], values)
    shown = BlockView(**row, reason=wanted.reason)
    # What somebody wrote freely is in no answer that is kept.
    await keep_answer(tx, key, None, {**msgspec.to_builtins(shown), "reason": None, "reasonId": reason_id})
    version = await record(tx, "block", shown.id, "block", actor, reason=reason_id)
    await emit(tx, shown.id, version, "TimeBlocked", {"resourceId": str(shown.resource_id)})
    return shown
