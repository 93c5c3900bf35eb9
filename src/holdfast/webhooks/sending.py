"""One attempt to tell an endpoint something: at least once, always under the same id (H-5).

An attempt is begun and committed, with the time at which somebody else may begin the next one; then the server of the
endpoint is asked; then what came of it is written down. Whoever dies in between has told it, or has not, and it is told
again: a receiver knows it by its id.
"""

import random
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from holdfast.kernel.attention import Severity, raise_item
from holdfast.kernel.audit import SYSTEM
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.sql import load
from holdfast.webhooks import endpoints, log
from holdfast.webhooks.endpoints import Endpoint
from holdfast.webhooks.events import trial_body
from holdfast.webhooks.measures import ATTEMPTS
from holdfast.webhooks.settings import WebhookSettings
from holdfast.webhooks.signing import headers_of
from holdfast.webhooks.states import DeliveryState, EndpointState
from holdfast.webhooks.tasks import DISABLED
from holdfast.webhooks.wire import EXCHANGE_SECONDS, Reply, post

_SQL = load(__package__)

_log = structlog.get_logger(__name__)

# So long a message is tried.
DAYS: Final = 3
# Longer than an attempt can take, with what is written down before and after.
LEASE_SECONDS: Final = int(EXCHANGE_SECONDS) + 45
_LEAST_SECONDS: Final = 5.0
_MOST_SECONDS: Final = 6 * 3_600.0
_FACTOR: Final = 4.0
# Many that fail together do not come back together.
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that is being sent, since this was committed."""

    id: UUID
    endpoint: Endpoint
    number: int
    failures: int
    body: bytes
    headers: dict[str, str]


def wait_after(failures: int, asked_seconds: float | None = None) -> float:
    """Return the seconds until the next attempt after so many failures in a row.

    5 seconds, then four times as long each time up to six hours, a quarter more or less; never less than the server has
    asked for.
    """
    usual = min(_MOST_SECONDS, _LEAST_SECONDS * _FACTOR ** min(failures - 1, 20))
    return max(usual * _random.uniform(0.75, 1.25), asked_seconds or 0.0)


async def send_one(database: Database, settings: WebhookSettings, business_id: UUID, delivery_id: UUID) -> bool:
    """Tell an endpoint something, if it is due still and nobody else is at it; return whether it has arrived."""
    try:
        attempt = await database.run(business_id, partial(_begin, delivery_id=delivery_id))
    except NotFound:
        # The endpoint was removed at this moment.
        return False
    if attempt is None:
        return False
    reply = await post(attempt.endpoint.url, attempt.body, attempt.headers, settings)
    ATTEMPTS.add(reply.reason or "delivered")
    if reply.reason is None:
        await database.run(business_id, partial(_arrived, attempt=attempt, reply=reply))
        return True
    await database.run(business_id, partial(_failed, attempt=attempt, reply=reply))
    return False


async def _begin(tx: Transaction, *, delivery_id: UUID) -> Attempt | None:
    values = {"business_id": tx.business_id, "id": delivery_id, "lease": LEASE_SECONDS}
    begun = await tx.rows(_SQL["begin_attempt"], values)
    if not begun:
        return None
    [row] = begun
    assert tx.business_id is not None, "a delivery belongs to a business"
    endpoint = await endpoints.find(tx, row["endpoint_id"])
    if row["event_number"] is None:
        message_id, body = f"msg_{delivery_id}", trial_body(tx.business_id, endpoint.id, row["created_at"])
    else:
        event = await log.find(tx, row["event_number"])
        message_id, body = event.message_id, event.body()
    headers = {
        "content-type": "application/json",
        "user-agent": "Holdfast",
        **headers_of(message_id, row["last_attempt_at"], body, await endpoints.secrets_of(tx, endpoint.id)),
    }
    return Attempt(delivery_id, endpoint, row["attempts"], row["failures"], body, headers)


async def _arrived(tx: Transaction, *, attempt: Attempt, reply: Reply) -> None:
    await tx.run(_SQL["note_success"], {"business_id": tx.business_id, "id": attempt.endpoint.id})
    values = {"business_id": tx.business_id, "id": attempt.id, "attempt": attempt.number, "status": reply.status}
    await tx.run(_SQL["has_arrived"], values)


async def _failed(tx: Transaction, *, attempt: Attempt, reply: Reply) -> None:
    """Have it tried again later; give it up after its days, and with it an endpoint that nothing reaches any more."""
    try:
        endpoint = await endpoints.lock(tx, attempt.endpoint.id)
    except NotFound:
        return
    await tx.run(_SQL["note_failure"], {"business_id": tx.business_id, "id": endpoint.id})
    values = {
        "business_id": tx.business_id,
        "id": attempt.id,
        "attempt": attempt.number,
        "status": reply.status,
        "reason": reply.reason,
        "seconds": wait_after(attempt.failures + 1, reply.retry_after_seconds),
        "days": DAYS,
    }
    changed = await tx.rows(_SQL["has_failed"], values)
    if not changed or endpoint.state is not EndpointState.ACTIVE:
        return
    [row] = changed
    last = endpoint.last_success_at
    if reply.reason == "gone":
        await _give_up(tx, endpoint.id, "gone")
    elif row["state"] == DeliveryState.FAILED and (last is None or last < row["queued_at"]):
        await _give_up(tx, endpoint.id, "failing")


async def _give_up(tx: Transaction, endpoint_id: UUID, reason: str) -> None:
    await endpoints.disable(tx, endpoint_id, SYSTEM, reason)
    await raise_item(tx, DISABLED, endpoint_id, Severity.WARNING, reason=reason)
    _log.warning("webhook_disabled", endpoint_id=str(endpoint_id), reason=reason)
