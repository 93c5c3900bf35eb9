"""What providers tell, as it comes in: whose it is, and written down, sealed, before anybody is answered (P-2, P-7).

Nothing of it is believed, and nothing follows here. What arrives while others are being written is written together
with all that came in the meantime: a burst costs a few flushes to disk.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated
from uuid import UUID, uuid5

import msgspec

from holdfast.booking.turnstile import Measure, Turnstile
from holdfast.kernel.about import BUSINESS_ID, note
from holdfast.kernel.database import Database
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.rounds import Rounds
from holdfast.kernel.sql import load
from holdfast.payments.accounts import webhook_secrets_of
from holdfast.payments.errors import UnreadableNotice
from holdfast.payments.port import Notice, ProviderName

if TYPE_CHECKING:
    from holdfast.kernel.tracing import Tracing

_SQL = load(__package__, "inbox.sql")

_BODY = "webhook_events.body"
# For so long a process takes what it knows of an account's secrets for true: one that is revoked proves nothing after
# it, and one that is new is known by then.
_KNOWN_SECONDS = 5.0
_KNOWN_AT_MOST = 10_000
_LONGEST_NAME = 120
# Who does not get into the queue hears 503, and tells it again.
_QUEUE_LIMIT = 5_000
_BATCH_LIMIT = 128


class _Told(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a provider has told; the fields of SQL's hear_events. Bytes travel as base64."""

    id: UUID
    provider: str
    event_id: str
    type: str
    object_id: str
    body: bytes
    is_refund: bool = False
    remote_payment_id: str | None = None
    n: int = 0


class _Heard(msgspec.Struct):
    """Whether it is to be acted upon; else it was heard before."""

    n: int
    id: UUID
    heard: bool


# Of an id and of a type: what the database takes, without a blank or a control character.
_WORD = r"^[\x21-\x7e]+$(?![\s\S])"
_Id = Annotated[str, msgspec.Meta(max_length=255, pattern=_WORD)]
_Type = Annotated[str, msgspec.Meta(max_length=100, pattern=_WORD)]


class _Names(msgspec.Struct):
    """What the database takes for the ids of a provider."""

    event_id: _Id
    type: _Type
    object_id: _Id
    remote_payment_id: _Id | None


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where a provider tells a business something; by the secrets it is known that it is the provider who tells."""

    business_id: UUID
    secrets: tuple[str, ...] = field(repr=False)


class Webhooks:
    """The way into the inbox, for one process."""

    def __init__(
        self,
        database: Database,
        dsn: str,
        *,
        pooler: bool = False,
        queue_limit: int = _QUEUE_LIMIT,
        measure: Measure | None = None,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._database = database
        # One connection: what is told can wait for what was told before, and keeps none from reservations.
        self.inbox: Turnstile[_Told, _Heard] = Turnstile(
            dsn,
            _SQL["hear_batch"],
            _Heard,
            lanes=1,
            batch_limit=_BATCH_LIMIT,
            queue_limit=queue_limit,
            pooler=pooler,
            measure=measure,
            tracing=tracing,
            named="event_ids",
        )
        self._known: OrderedDict[tuple[str, ProviderName], tuple[Entrance | None, float]] = OrderedDict()
        self._reads: Rounds[Entrance | None] = Rounds()

    async def entrance(self, name: str, provider: ProviderName) -> Entrance:
        """Return where a provider tells a business, named by slug or id, something.

        What was read within the last five seconds is not read again. Raises NotFound for a business that is not there
        or has no account at the provider: both take one look.
        """
        if len(name) > _LONGEST_NAME or not (name.isascii() and name.isprintable()):
            raise NotFound
        place = (name, provider)
        found, until = self._known.get(place, (None, 0.0))
        if time.monotonic() >= until:
            found = await self._reads.join(place, lambda: self._read(name, provider))
        if found is None:
            raise NotFound
        note(BUSINESS_ID, found.business_id)
        return found

    async def hear(self, business_id: UUID, provider: ProviderName, notice: Notice, body: bytes) -> None:
        """Write down what a provider has told; when this returns, it is kept.

        Raises UnreadableNotice for ids that are none, TryLater and OutcomeUnknown when it could not be kept: whoever
        tells has to tell it again.
        """
        try:
            names = msgspec.convert(notice, _Names, from_attributes=True)
        except msgspec.ValidationError:
            raise UnreadableNotice from None
        id_ = entry_of(business_id, provider, notice)
        keys = await self._database.keys(business_id)
        told = _Told(
            id=id_,
            provider=provider.value,
            event_id=names.event_id,
            type=names.type,
            object_id=names.object_id,
            body=keys.seal(_BODY, id_, body.decode(errors="replace")),
            is_refund=notice.is_refund,
            remote_payment_id=names.remote_payment_id,
        )
        await self.inbox.pass_through(business_id, told)

    async def close(self) -> None:
        """Finish what is in flight."""
        await self.inbox.close()

    async def _read(self, name: str, provider: ProviderName) -> Entrance | None:
        values = {"business_id": uuid_or_none(name), "slug": name, "provider": provider}
        async with self._database.reading() as tx:
            rows = await tx.rows(_SQL["webhook_entrance"], values)
        entrance = None
        if rows:
            business_id = rows[0]["business_id"]
            keys = await self._database.keys(business_id)
            secrets = [
                secret for row in rows for secret in webhook_secrets_of(keys, row["account_id"], row["webhook_secrets"])
            ]
            entrance = Entrance(business_id, tuple(secrets))
        self._known[name, provider] = (entrance, time.monotonic() + _KNOWN_SECONDS)
        self._known.move_to_end((name, provider))
        if len(self._known) > _KNOWN_AT_MOST:
            self._known.popitem(last=False)
        return entrance


def entry_of(business_id: UUID, provider: ProviderName, notice: Notice) -> UUID:
    """Return the id of the entry of a fact: the same for every event that tells it, so that each body fits its row."""
    return uuid5(business_id, f"{provider.value}\0{notice.object_id}\0{notice.type}")
