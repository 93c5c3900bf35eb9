"""What the API of webhooks takes and shows."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from holdfast.kernel.http import Instant, Line
from holdfast.webhooks.deliveries import Delivery
from holdfast.webhooks.endpoints import MOST_OVERLAP_HOURS, OVERLAP_HOURS, Endpoint
from holdfast.webhooks.events import Event
from holdfast.webhooks.states import DeliveryState, EndpointState
from holdfast.webhooks.wire import MOST_LETTERS

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_LETTERS)]
Types = Annotated[list[str], msgspec.Meta(min_length=1, max_length=100)]


class EventView(msgspec.Struct, rename="camel", kw_only=True):
    """An event as endpoints are told of it: `id` is what they are sent as `webhook-id`, the rest the message itself."""

    id: str
    type: str
    timestamp: Instant
    business_id: UUID
    number: int
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> "EventView":
        """Return an event as the API shows it."""
        return cls(
            id=event.message_id,
            type=event.type,
            timestamp=event.occurred_at,
            business_id=event.business_id,
            number=event.number,
            data=event.data,
        )


class EventsView(msgspec.Struct, rename="camel"):
    """Events in their order. `nextCursor` is there in any case: asked with it later, the log goes on from here."""

    events: list[EventView]
    next_cursor: str
    more: bool


class EndpointBody(msgspec.Struct, rename="camel", kw_only=True):
    """Who is to be told, and of which events; without `types` of every one, also of kinds to come."""

    name: Line
    url: Url
    types: Types | None = None


class EndpointChangeBody(msgspec.Struct, rename="camel", kw_only=True):
    """What is to be different; what is absent stays. `allTypes` instead of `types` for every event."""

    name: Line | None = None
    url: Url | None = None
    types: Types | None = None
    all_types: bool = False
    status: EndpointState | None = None


class RotateBody(msgspec.Struct, rename="camel"):
    """For how long the former secret signs as well, so that a receiver can change over."""

    overlap_hours: Annotated[int, msgspec.Meta(ge=0, le=MOST_OVERLAP_HOURS)] = OVERLAP_HOURS


class ReplayBody(msgspec.Struct, rename="camel", kw_only=True):
    """Of which time events are sent once more, `until` excluded: what has not arrived, or all of it `again`."""

    since: Instant
    until: Instant | None = None
    again: bool = False


class ReplayedView(msgspec.Struct, rename="camel"):
    """How many messages are on their way. 10,000 at most: `more` says that there may be others."""

    queued: int
    more: bool


class EndpointView(msgspec.Struct, rename="camel", kw_only=True):
    """An endpoint. `types` is null for every event; `reason` says why it is disabled: `staff`, `failing` or `gone`.

    `formerSecretUntil` is until when the secret before the last rotation signs as well.
    """

    id: UUID
    name: str
    url: str
    types: list[str] | None
    status: EndpointState
    reason: str | None
    created_at: Instant
    failing_since: Instant | None
    last_success_at: Instant | None
    former_secret_until: Instant | None


class EndpointWithSecretView(EndpointView, kw_only=True):
    """An endpoint with its secret, which is shown here and never again."""

    secret: str


class EndpointsView(msgspec.Struct):
    """All endpoints of the business, oldest first."""

    webhooks: list[EndpointView]


class DeliveryView(msgspec.Struct, rename="camel", kw_only=True):
    """A message on its way; `messageId` is its `webhook-id`, `lastStatus` what the last attempt was answered.

    `reason` is a word for why that failed; `subjectId` what the event is about, of a trial nothing.
    """

    id: UUID
    webhook_id: UUID
    message_id: str
    type: str
    status: DeliveryState
    subject_id: UUID | None
    number: int | None
    attempts: int
    last_status: int | None
    reason: str | None
    created_at: Instant
    last_attempt_at: Instant | None
    next_attempt_at: Instant | None
    ended_at: Instant | None

    @classmethod
    def of(cls, each: Delivery) -> "DeliveryView":
        """Return a delivery as the API shows it."""
        return cls(
            id=each.id,
            webhook_id=each.endpoint_id,
            message_id=each.message_id,
            type=each.type,
            status=each.state,
            subject_id=each.aggregate_id,
            number=each.event_number,
            attempts=each.attempts,
            last_status=each.last_status,
            reason=each.reason,
            created_at=each.created_at,
            last_attempt_at=each.last_attempt_at,
            next_attempt_at=each.next_attempt_at,
            ended_at=each.ended_at,
        )


class DeliveriesView(msgspec.Struct, rename="camel"):
    """A page of deliveries, newest first; `nextCursor` leads to the next one."""

    deliveries: list[DeliveryView]
    next_cursor: str | None


def members_of(endpoint: Endpoint) -> dict[str, Any]:
    """Return what a view of an endpoint shows."""
    return {
        "id": endpoint.id,
        "name": endpoint.name,
        "url": endpoint.url,
        "types": None if endpoint.types is None else list(endpoint.types),
        "status": endpoint.state,
        "reason": endpoint.reason,
        "created_at": endpoint.created_at,
        "failing_since": endpoint.failing_since,
        "last_success_at": endpoint.last_success_at,
        "former_secret_until": endpoint.former_until,
    }
