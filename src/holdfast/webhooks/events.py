"""Events as other programs are told of them: ids and states, never anything of a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec

from holdfast.kernel.languages import N_

# Every kind of event that a capability writes, with what it means.
EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AppointmentConfirmed": N_("An appointment was booked, or paid for"),
        "AppointmentAwaitingPayment": N_("An appointment waits for its payment"),
        "AppointmentRescheduled": N_("An appointment was moved"),
        "AppointmentUpdated": N_("Contact, note or answers of an appointment were changed"),
        "AppointmentCancelled": N_("An appointment was cancelled"),
        "AppointmentRefunded": N_("An appointment was refunded"),
        "AppointmentExpired": N_("An appointment was not paid in time"),
        "AppointmentOutcomeRecorded": N_("Staff noted whether the client came"),
        "TimeBlocked": N_("Staff blocked time"),
        "TimeUnblocked": N_("Blocked time was made free again"),
        "WaitlistOffered": N_("A place was offered to somebody who waits"),
        "WaitlistPassed": N_("Somebody who waits let their time pass"),
        "QuestionSubmitted": N_("A question was asked"),
        "QuestionAnswered": N_("A question was answered"),
        "QuestionPublished": N_("A question was published"),
        "QuestionRejected": N_("A question was rejected"),
        "ContentPublished": N_("Content was published"),
        "ContentArchived": N_("Content was archived"),
        "InteractivePublished": N_("A quiz or ritual was published"),
        "InteractiveArchived": N_("A quiz or ritual was archived"),
    }
)

# Tells of nothing that has happened: an owner tries an endpoint out.
TRIAL: Final = "WebhookTest"

_UTC: Final = "+00:00"
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened, by its number in the log of its business."""

    business_id: UUID
    number: int
    id: UUID
    aggregate_id: UUID
    version: int
    type: str
    payload: dict[str, Any]
    occurred_at: datetime

    @property
    def message_id(self) -> str:
        """Return what names it to whoever is told: the same at every attempt and in the log."""
        return f"msg_{self.id}"

    @property
    def data(self) -> dict[str, Any]:
        """Return what it says: which version of what it made, and the facts, with instants in UTC as everywhere."""
        facts = {name: _instant(value) for name, value in self.payload.items()}
        return {"subjectId": self.aggregate_id, "version": self.version, **facts}

    def body(self) -> bytes:
        """Return the message, to the byte the same whenever it is asked for."""
        return _encode(
            {
                "type": self.type,
                "timestamp": self.occurred_at.astimezone(UTC),
                "businessId": self.business_id,
                "number": self.number,
                "data": self.data,
            }
        )


def trial_body(business_id: UUID, endpoint_id: UUID, at: datetime) -> bytes:
    """Return the message by which an endpoint is tried out."""
    told = {"type": TRIAL, "timestamp": at.astimezone(UTC), "businessId": business_id}
    return _encode(told | {"data": {"webhookId": endpoint_id}})


def _instant(value: Any) -> Any:
    if isinstance(value, str) and value.endswith(_UTC) and "T" in value:
        return value.removesuffix(_UTC) + "Z"
    return value
