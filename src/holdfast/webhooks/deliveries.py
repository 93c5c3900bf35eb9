"""Deliveries: what has become of an event on its way to an endpoint, trials, and what is sent once more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.sql import load
from holdfast.webhooks import endpoints
from holdfast.webhooks.endpoints import Endpoint
from holdfast.webhooks.errors import WebhookDisabled
from holdfast.webhooks.events import TRIAL
from holdfast.webhooks.log import number_before
from holdfast.webhooks.states import DeliveryState, EndpointState

_SQL = load(__package__)

# So many are put on their way by one call.
REPLAYED_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to an endpoint; a trial has no event.

    `attempts` are all there ever were, `failures` those in a row since it was last begun or replayed at `queued_at`.
    `last_status` is what the last attempt was answered, and `reason` a word for why it failed.
    """

    id: UUID
    endpoint_id: UUID
    type: str
    state: DeliveryState
    created_at: datetime
    queued_at: datetime
    next_attempt_at: datetime | None
    attempts: int
    failures: int
    last_attempt_at: datetime | None
    last_status: int | None
    reason: str | None
    ended_at: datetime | None
    event_number: int | None
    event_id: UUID | None
    aggregate_id: UUID | None

    @property
    def message_id(self) -> str:
        """Return what names the message to whoever receives it."""
        return f"msg_{self.event_id or self.id}"


async def list_deliveries(
    tx: Transaction, endpoint_id: UUID, *, state: DeliveryState | None, cursor: str | None, limit: int
) -> tuple[list[Delivery], str | None]:
    """Return a page of the deliveries to an endpoint, newest first, and the cursor of the next one.

    Raises NotFound, ValidationFailed for a cursor that no page has given.
    """
    await endpoints.find(tx, endpoint_id)
    before, before_id = place_of(cursor)
    found = await _found(tx, endpoint_id, state=state, before=(before, before_id), limit=limit + 1)
    return page_of(found, limit, lambda each: (each.created_at, each.id))


async def find(tx: Transaction, endpoint_id: UUID, delivery_id: UUID) -> Delivery:
    """Return a delivery to an endpoint. Raises NotFound."""
    found = await _found(tx, endpoint_id, delivery_id)
    if not found:
        raise NotFound
    return found[0]


async def send_trial(tx: Transaction, endpoint_id: UUID, actor: Actor) -> Delivery:
    """Put a message on its way that tells of nothing, so that an owner sees whether it arrives.

    Raises NotFound, WebhookDisabled.
    """
    await _active(tx, endpoint_id)
    trial_id = new_id()
    values = {"business_id": tx.business_id, "id": trial_id, "endpoint_id": endpoint_id, "type": TRIAL}
    await tx.run(_SQL["add_trial"], values)
    await record(tx, endpoints.KIND, endpoint_id, "try_out", actor)
    return await find(tx, endpoint_id, trial_id)


async def replay(tx: Transaction, endpoint_id: UUID, delivery_id: UUID, actor: Actor) -> Delivery:
    """Send a message once more, under the same id, now and for three more days; one that waits is sent now.

    Raises NotFound, WebhookDisabled.
    """
    await _active(tx, endpoint_id)
    values = {"business_id": tx.business_id, "endpoint_id": endpoint_id, "id": delivery_id}
    await find(tx, endpoint_id, delivery_id)
    if await tx.run(_SQL["replay_delivery"], values):
        await record(tx, endpoints.KIND, endpoint_id, "replay", actor)
    return await find(tx, endpoint_id, delivery_id)


async def replay_since(
    tx: Transaction, endpoint_id: UUID, since: datetime, until: datetime | None, actor: Actor, *, again: bool
) -> int:
    """Send what has happened in a time and has not arrived, or all of it `again`; return how many messages.

    10,000 at most; whatever is on its way already is not among them. Raises NotFound, WebhookDisabled.
    """
    endpoint = await _active(tx, endpoint_id)
    values = {
        "business_id": tx.business_id,
        "endpoint_id": endpoint_id,
        "types": None if endpoint.types is None else list(endpoint.types),
        "after": await number_before(tx, since),
        "since": since,
        "until": until,
        "again": again,
        "limit": REPLAYED_AT_ONCE,
    }
    count = await tx.run(_SQL["replay_events"], values)
    if count:
        await record(tx, endpoints.KIND, endpoint_id, "replay", actor)
    return count


async def _active(tx: Transaction, endpoint_id: UUID) -> Endpoint:
    endpoint = await endpoints.lock(tx, endpoint_id)
    if endpoint.state is not EndpointState.ACTIVE:
        raise WebhookDisabled
    return endpoint


async def _found(
    tx: Transaction,
    endpoint_id: UUID,
    delivery_id: UUID | None = None,
    *,
    state: DeliveryState | None = None,
    before: tuple[datetime | None, UUID | None] = (None, None),
    limit: int = 1,
) -> list[Delivery]:
    values = {
        "business_id": tx.business_id,
        "endpoint_id": endpoint_id,
        "id": delivery_id,
        "state": state,
        "before": before[0],
        "before_id": before[1],
        "limit": limit,
    }
    rows = await tx.rows(_SQL["deliveries"], values)
    return [Delivery(**row | {"state": DeliveryState(row["state"])}) for row in rows]
