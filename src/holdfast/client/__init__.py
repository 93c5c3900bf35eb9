"""A client of a Holdfast server that repeats safely: whatever breaks in between, a request takes effect once (H-6).

`Client` for threads, `AsyncClient` for asyncio; both have the same methods, and one of them serves many calls at a
time. Answers are frozen structs, refusals are exceptions. It needs nothing of the rest of the package.
"""

from holdfast.client.asynchronous import AsyncClient
from holdfast.client.errors import (
    Changed,
    HoldfastError,
    NotThere,
    OutcomeUnknown,
    Refused,
    SlotTaken,
    Unavailable,
    Unreadable,
)
from holdfast.client.repeating import Patience
from holdfast.client.shapes import (
    Alternative,
    Appointment,
    Booked,
    Business,
    Cancelled,
    Day,
    Payment,
    Program,
    RefundTerm,
    Reservation,
    Resource,
    Schedule,
    Service,
    Slot,
    Slots,
)
from holdfast.client.synchronous import Client

__all__ = [
    "Alternative",
    "Appointment",
    "AsyncClient",
    "Booked",
    "Business",
    "Cancelled",
    "Changed",
    "Client",
    "Day",
    "HoldfastError",
    "NotThere",
    "OutcomeUnknown",
    "Patience",
    "Payment",
    "Program",
    "RefundTerm",
    "Refused",
    "Reservation",
    "Resource",
    "Schedule",
    "Service",
    "Slot",
    "SlotTaken",
    "Slots",
    "Unavailable",
    "Unreadable",
]
