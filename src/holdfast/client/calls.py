"""Each call as what is sent and how its answer is read, for both clients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

from holdfast.client import shapes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What is sent, as often as it takes; `answer` is the shape of what comes back, None where nothing does.

    `key` is by what the server knows a repetition: the idempotency key, or what is as good as one.
    """

    method: str
    path: str
    answer: type[T]
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    # What is to go and is gone already when it is asked for again has gone by this call.
    gone_is_done: bool = False

    @property
    def changes(self) -> bool:
        """Return whether it may change anything."""
        return self.method != "GET"


def business(slug: str) -> Call[shapes.Business]:
    """Read the public card of a business."""
    return Call("GET", f"/api/public/businesses/{quote(slug, safe='')}", shapes.Business)


def slots(
    service: str,
    *,
    business: str | None,
    since: date | None,
    until: date | None,
    timezone: str | None,
    resource: UUID | None,
    party_size: int | None,
) -> Call[shapes.Slots]:
    """Read the free times of a service."""
    asked = {
        "service_slug": service,
        "business": business,
        "from": since,
        "to": until,
        "tz": timezone,
        "resource_id": resource,
        "party_size": party_size,
    }
    return Call("GET", "/api/public/booking/slots", shapes.Slots, params=_said(asked))


def schedules(program: str, *, business: str | None, cursor: str | None) -> Call[shapes.Schedules]:
    """Read a page of the dates of a program."""
    path = f"/api/public/programs/{quote(program, safe='')}/schedules"
    return Call("GET", path, shapes.Schedules, params=_said({"business": business, "cursor": cursor}))


def reserve(wish: Mapping[str, Any], *, key: str | None) -> Call[shapes.Reservation]:
    """Hold a place."""
    key = key or str(uuid4())
    return Call("POST", "/api/booking/reserve", shapes.Reservation, body=_present(wish), headers=_keyed(key), key=key)


def extend(reservation: UUID, *, minutes: int | None, business_id: UUID | None) -> Call[shapes.Reservation]:
    """Hold a place for longer, counted from now."""
    body = _present({"ttlMinutes": minutes, "businessId": business_id})
    path = f"/api/booking/reservations/{reservation}/extend"
    return Call("POST", path, shapes.Reservation, body=body, key=str(reservation))


def release(reservation: UUID, *, business_id: UUID | None) -> Call[None]:
    """Give a held place back."""
    path, params = f"/api/booking/reservations/{reservation}", _said({"businessId": business_id})
    return Call("DELETE", path, type(None), params=params, key=str(reservation), gone_is_done=True)


def commit(reservation: UUID, guest: Mapping[str, Any]) -> Call[shapes.Booked]:
    """Turn a reservation into an appointment; the server knows a repetition by the reservation."""
    body = _present({"reservationId": reservation, **guest})
    return Call("POST", "/api/booking/commit", shapes.Booked, body=body, key=str(reservation))


def book(wish: Mapping[str, Any], *, key: str | None) -> Call[shapes.Booked]:
    """Make an appointment at once."""
    key = key or str(uuid4())
    return Call("POST", "/api/booking/book", shapes.Booked, body=_present(wish), headers=_keyed(key), key=key)


def appointment(id_: UUID, *, token: str | None, business_id: UUID | None) -> Call[shapes.Appointment]:
    """Read an appointment."""
    path, params = f"/api/booking/appointments/{id_}", _said({"businessId": business_id})
    return Call("GET", path, shapes.Appointment, params=params, headers=_token(token))


def appointments(asked: Mapping[str, Any]) -> Call[shapes.Appointments]:
    """Read a page of the appointments of a business."""
    return Call("GET", "/api/booking/appointments", shapes.Appointments, params=_said(asked))


def move(
    id_: UUID, change: Mapping[str, Any], *, version: int, token: str | None, key: str | None
) -> Call[shapes.Appointment]:
    """Move an appointment from the state of a version."""
    key = key or str(uuid4())
    headers = {**_keyed(key), **_token(token), "If-Match": f'"{version}"'}
    path = f"/api/booking/appointments/{id_}"
    return Call("PATCH", path, shapes.Appointment, body=_present(change), headers=headers, key=key)


def cancel(
    id_: UUID, change: Mapping[str, Any], *, version: int | None, token: str | None, key: str | None
) -> Call[shapes.Cancelled]:
    """Cancel an appointment."""
    key = key or str(uuid4())
    seen = {} if version is None else {"If-Match": f'"{version}"'}
    path, headers = f"/api/booking/appointments/{id_}/cancel", {**_keyed(key), **seen}
    body = _present({**change, "cancellationToken": token})
    return Call("POST", path, shapes.Cancelled, body=body, headers=headers, key=key)


def anything(
    method: str, path: str, *, params: Mapping[str, Any], body: Mapping[str, Any] | None, key: str | None
) -> Call[Any]:
    """Do what has no method of its own."""
    key = (key or str(uuid4())) if method != "GET" else None
    headers = {} if key is None else _keyed(key)
    return Call(method, path, object, params=_said(params), body=body, headers=headers, key=key)


def wish(
    business_id: UUID | None,
    service: UUID | None,
    schedule: UUID | None,
    start: datetime | None,
    end: datetime | None,
    resource: UUID | None,
    party_size: int | None,
    minutes: int | None,
) -> dict[str, Any]:
    """Return what place is wished for; what is None is not said."""
    return _present(
        {
            "businessId": business_id,
            "serviceId": service,
            "scheduleId": schedule,
            "slotStart": start,
            "slotEnd": end,
            "resourceId": resource,
            "partySize": party_size,
            "ttlMinutes": minutes,
        }
    )


def guest(
    business_id: UUID | None,
    email: str,
    name: str | None,
    phone: str | None,
    locale: str | None,
    timezone: str | None,
) -> dict[str, Any]:
    """Return who the place is for; what is None is not said."""
    return _present(
        {
            "businessId": business_id,
            "guestEmail": email,
            "guestName": name,
            "guestPhone": phone,
            "locale": locale,
            "timezone": timezone,
        }
    )


def _present(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _said(params: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value.isoformat() if isinstance(value, date | datetime) else str(value)
        for name, value in params.items()
        if value is not None
    }


def in_header(text: str, name: str) -> str:
    """Return a text that can stand in a header. Raises ValueError, since nothing else could ever be sent."""
    if not (text and text.isascii() and text.isprintable()):
        raise ValueError(f"{name} must be of printable letters of ASCII")
    return text


def _keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": in_header(key, "key")}


def _token(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Booking-Token": in_header(token, "token")}
