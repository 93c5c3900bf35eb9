"""Endpoints: where a business has what happens told to, and the secrets that prove it was this server."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from holdfast.kernel.attention import resolve_about
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.kernel.languages import N_
from holdfast.kernel.sql import load
from holdfast.webhooks.errors import TooManyWebhooks
from holdfast.webhooks.events import EVENTS
from holdfast.webhooks.signing import new_secret
from holdfast.webhooks.states import EndpointState
from holdfast.webhooks.tasks import DISABLED

_SQL = load(__package__)

KIND: Final = "webhook_endpoint"
MOST: Final = 20
# For so long, by default and at most, a former secret signs beside the new one.
OVERLAP_HOURS: Final = 24
MOST_OVERLAP_HOURS: Final = 168
# So many former ones sign at most: a rotation that is repeated takes none away from who has it still.
_MOST_FORMER: Final = 5
_URL, _SECRET, _FORMER = (f"webhook_endpoints.{name}" for name in ("url", "secret", "former_secret"))
_UNKNOWN_TYPE = N_("names an event that there is not")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as its owners see it; `types` is None for every event, `reason` a word for why it is disabled."""

    id: UUID
    name: str
    url: str
    types: tuple[str, ...] | None
    state: EndpointState
    reason: str | None
    created_at: datetime
    failing_since: datetime | None
    last_success_at: datetime | None
    former_until: datetime | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What an endpoint is to be. Its address was looked at before (`wire.check`)."""

    name: str
    url: str
    types: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Raise ValidationFailed for an event that there is not."""
        if self.types is not None and not set(self.types) <= set(EVENTS):
            raise ValidationFailed.at("types", _UNKNOWN_TYPE)

    @property
    def wanted(self) -> list[str] | None:
        """Return the events that are wanted, each once; None for all."""
        return sorted(set(self.types)) if self.types else None


async def add(tx: Transaction, wish: Wish, actor: Actor) -> tuple[Endpoint, str]:
    """Have an endpoint told of everything from now on; return it with its secret, which is told here only.

    Raises TooManyWebhooks.
    """
    await tx.run(_SQL["lock_endpoints"], {"business_id": tx.business_id})
    if await tx.value(_SQL["count_endpoints"], {"business_id": tx.business_id}) >= MOST:
        raise TooManyWebhooks(details={"most": MOST})
    keys, endpoint_id, secret = await tx.keys(), new_id(), new_secret()
    values = {
        "business_id": tx.business_id,
        "id": endpoint_id,
        "name": wish.name,
        "url": keys.seal(_URL, endpoint_id, wish.url),
        "types": wish.wanted,
        "secret": keys.seal(_SECRET, endpoint_id, secret),
    }
    await tx.run(_SQL["add_endpoint"], values)
    await record(tx, KIND, endpoint_id, "create", actor, after=EndpointState.ACTIVE)
    return await find(tx, endpoint_id), secret


async def list_all(tx: Transaction) -> list[Endpoint]:
    """Return the endpoints of the business, oldest first; there are twenty at most."""
    keys = await tx.keys()
    return [_opened(keys, row) for row in await tx.rows(_SQL["endpoints"], {"business_id": tx.business_id, "id": None})]


async def find(tx: Transaction, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint of the business. Raises NotFound."""
    return _opened(await tx.keys(), await _row(tx, endpoint_id))


async def lock(tx: Transaction, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint, which nobody else changes before this transaction ends. Raises NotFound."""
    await tx.run(_SQL["lock_endpoint"], {"business_id": tx.business_id, "id": endpoint_id})
    return await find(tx, endpoint_id)


async def change(tx: Transaction, endpoint_id: UUID, wish: Wish, actor: Actor) -> Endpoint:
    """Call an endpoint otherwise, have it elsewhere, or have it told of other events: what is on its way goes there.

    Raises NotFound.
    """
    before = await lock(tx, endpoint_id)
    url = (await tx.keys()).seal(_URL, endpoint_id, wish.url)
    values = {"business_id": tx.business_id, "id": endpoint_id, "name": wish.name, "url": url, "types": wish.wanted}
    await tx.run(_SQL["change_endpoint"], values)
    await record(tx, KIND, endpoint_id, "change", actor, before=before.state, after=before.state)
    return await find(tx, endpoint_id)


async def rotate(tx: Transaction, endpoint_id: UUID, actor: Actor, *, hours: int) -> tuple[Endpoint, str]:
    """Give an endpoint another secret, which is told here only; the former one signs as well for so many hours.

    Those before it sign until their hours are over; with no hours only the new one signs. Raises NotFound.
    """
    await lock(tx, endpoint_id)
    keys, row, secret = await tx.keys(), await _row(tx, endpoint_id), new_secret()
    replaced = keys.open(_SECRET, endpoint_id, bytes(row["secret"]))
    former = [(replaced, row["now"] + timedelta(hours=hours)), *_former(keys, row)][:_MOST_FORMER] if hours else []
    values = {
        "business_id": tx.business_id,
        "id": endpoint_id,
        "secret": keys.seal(_SECRET, endpoint_id, secret),
        "former_secret": keys.seal(_FORMER, endpoint_id, _written(former)) if former else None,
        "former_until": max((until for _, until in former), default=None),
    }
    await tx.run(_SQL["rotate_secret"], values)
    await record(tx, KIND, endpoint_id, "rotate", actor, before=row["state"], after=row["state"])
    return await find(tx, endpoint_id), secret


async def enable(tx: Transaction, endpoint_id: UUID, actor: Actor) -> Endpoint:
    """Have an endpoint told of everything from now on again; what it has missed is replayed on request only.

    Raises NotFound.
    """
    before = await lock(tx, endpoint_id)
    if before.state is EndpointState.DISABLED:
        await _set_state(tx, endpoint_id, EndpointState.ACTIVE, None)
        await record(tx, KIND, endpoint_id, "reactivate", actor, before=before.state, after=EndpointState.ACTIVE)
        await resolve_about(tx, endpoint_id, (DISABLED,), actor)
    return await find(tx, endpoint_id)


async def disable(tx: Transaction, endpoint_id: UUID, actor: Actor, reason: str = "staff") -> Endpoint:
    """Have an endpoint told of nothing any more, also of what is on its way. Raises NotFound."""
    before = await lock(tx, endpoint_id)
    if before.state is EndpointState.ACTIVE:
        await _set_state(tx, endpoint_id, EndpointState.DISABLED, reason)
        await tx.run(_SQL["give_up_pending"], {"business_id": tx.business_id, "endpoint_id": endpoint_id})
        await record(tx, KIND, endpoint_id, "deactivate", actor, before=before.state, after=EndpointState.DISABLED)
    return await find(tx, endpoint_id)


async def remove(tx: Transaction, endpoint_id: UUID, actor: Actor) -> None:
    """Forget an endpoint with its secrets and with what has become of its deliveries. Raises NotFound."""
    before = await lock(tx, endpoint_id)
    await tx.run(_SQL["remove_endpoint"], {"business_id": tx.business_id, "id": endpoint_id})
    await record(tx, KIND, endpoint_id, "remove", actor, before=before.state)
    await resolve_about(tx, endpoint_id, (DISABLED,), actor)


async def secrets_of(tx: Transaction, endpoint_id: UUID) -> list[str]:
    """Return the secrets with which messages to an endpoint are signed, the newest first. Raises NotFound."""
    row, keys = await _row(tx, endpoint_id), await tx.keys()
    return [keys.open(_SECRET, endpoint_id, bytes(row["secret"])), *(secret for secret, _ in _former(keys, row))]


def _written(former: Sequence[tuple[str, datetime]]) -> str:
    return "\n".join(f"{secret} {until.isoformat()}" for secret, until in former)


def _former(keys: Any, row: dict[str, Any]) -> list[tuple[str, datetime]]:
    """Return the former secrets that sign still, each with its end, the newest first."""
    if not row["former_signs"]:
        return []
    lines = keys.open(_FORMER, row["id"], bytes(row["former_secret"])).splitlines()
    parts = [line.partition(" ") for line in lines]
    # The first release that rotated wrote down one, without its end.
    found = [(secret, datetime.fromisoformat(end) if end else row["former_until"]) for secret, _, end in parts]
    return [(secret, until) for secret, until in found if until > row["now"]]


async def _row(tx: Transaction, endpoint_id: UUID) -> dict[str, Any]:
    found = await tx.rows(_SQL["endpoints"], {"business_id": tx.business_id, "id": endpoint_id})
    if not found:
        raise NotFound
    return found[0]


async def _set_state(tx: Transaction, endpoint_id: UUID, state: EndpointState, reason: str | None) -> None:
    values = {"business_id": tx.business_id, "id": endpoint_id, "state": state, "reason": reason}
    await tx.run(_SQL["set_endpoint_state"], values)


def _opened(keys: Any, row: dict[str, Any]) -> Endpoint:
    return Endpoint(
        id=row["id"],
        name=row["name"],
        url=keys.open(_URL, row["id"], bytes(row["url"])),
        types=None if row["types"] is None else tuple(row["types"]),
        state=EndpointState(row["state"]),
        reason=row["reason"],
        created_at=row["created_at"],
        failing_since=row["failing_since"],
        last_success_at=row["last_success_at"],
        former_until=row["former_until"] if row["former_signs"] else None,
    )
