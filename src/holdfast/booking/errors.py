"""What can go wrong for someone who books. Codes and messages are contracts with clients."""

from collections.abc import Iterable
from typing import Any, NoReturn
from uuid import UUID

from holdfast.kernel.errors import UserError


class SlotConflict(UserError):
    """Somebody else has the place; `details.alternatives` are the nearest that were free at that moment."""

    code, status = "slot_conflict", 409
    message = "The selected time slot is no longer available"
    constraint = "claims_no_overlap"

    @classmethod
    def of_reschedule(cls, details: dict[str, Any]) -> "SlotConflict":
        """Return the same refusal in the words of a reschedule, after which nothing has changed."""
        return cls("No available capacity for the new time slot", details=details)


class SlotNotOffered(UserError):
    """The time is off the grid, closed, too soon or too far: it never was for sale."""

    code, status, message = "slot_not_offered", 422, "This time is not offered"


class CheckLater(UserError):
    """Nobody knows whether the time is free, since a calendar has not answered for too long.

    `details.resourceIds` says whose, and `details.waitlist` where to ask to be told. It is no 503: what calls by itself
    would repeat it at once, and be told the same until the calendar is back.
    """

    code, status = "check_later", 409
    message = "Nobody can tell at the moment whether this time is free; check later, or ask to be told"

    @classmethod
    def of(cls, resource_ids: Iterable[UUID]) -> "CheckLater":
        """Return the error for a time that only these resources could take."""
        return cls(details={"resourceIds": list(resource_ids), "waitlist": "/api/public/booking/waitlist"})


class CapacityExceeded(UserError):
    """The schedule has fewer places left than asked for; `details.placesLeft` says how many."""

    code, status, message = "CAPACITY_EXCEEDED", 400, "There are not enough places left"
    constraint = "program_schedules_capacity"


class ReservationNotFoundOrExpired(UserError):
    """The reservation does not exist (404), or is not held any more (410)."""

    code, status, message = "RESERVATION_NOT_FOUND_OR_EXPIRED", 404, "Reservation not found or expired"

    @classmethod
    def gone(cls) -> "ReservationNotFoundOrExpired":
        """Return the error for a reservation that did exist."""
        error = cls()
        error.status = 410
        return error


class SeriesNotFound(UserError):
    """There is no such series."""

    code, status, message = "series_not_found", 404, "There is no such series"


class AppointmentNotFound(UserError):
    """There is no such appointment, or the token is not its token."""

    code, status, message = "appointment_not_found", 404, "There is no such appointment"


class UnknownService(UserError):
    """The business offers no such service."""

    code, status, message = "unknown_service", 404, "There is no such service"


class UnknownResource(UserError):
    """The service cannot be booked with this resource."""

    code, status, message = "unknown_resource", 404, "This service has no such resource"


class UnknownSchedule(UserError):
    """There is no such occurrence of a program."""

    code, status, message = "unknown_schedule", 404, "There is no such schedule"


class ScheduleStarted(UserError):
    """A group is booked before it starts."""

    code, status, message = "schedule_started", 422, "This schedule has started already"


class PaymentsUnavailable(UserError):
    """The offering must be paid in advance, and the business has no account to be paid to."""

    code, status = "payments_unavailable", 422
    message = "This offering must be paid in advance, and online payment is not set up yet"


class PaymentRequired(UserError):
    """The offering is paid in advance, and what was asked for would take it without the money."""

    code, status = "payment_required", 409
    message = "This offering must be paid in advance: reserve and commit instead"

    @classmethod
    def of_reschedule(cls) -> "PaymentRequired":
        """Return the same refusal in the words of a reschedule."""
        return cls("The other offering must be paid in advance, and this appointment was not")


class IdempotencyKeyReused(UserError):
    """The key was used for another request or operation; use a new one."""

    code, status = "idempotency_key_reused", 422
    message = "This idempotency key belongs to another request"
    constraint = "idempotency_keys_pkey"


class AlreadyCancelled(UserError):
    """The appointment is cancelled; its place was given back once."""

    code, status, message = "RESERVATION_ALREADY_CANCELLED", 400, "This appointment is already cancelled"


class CancellationClosed(UserError):
    """Clients may cancel or move only until a certain time before the start; `details.until` says which."""

    code, status = "CANCELLATION_CLOSED", 409
    message = "It is too late to cancel or move this appointment online"


class NotChangeable(UserError):
    """Only a confirmed appointment can be moved, and cancelled; `details.status` says what it is."""

    code, status, message = "not_changeable", 409, "Only a confirmed appointment can be changed"


class VersionConflict(UserError):
    """Somebody has changed the booking since; `details.currentVersion` is what it is now."""

    code, status = "CONFLICT", 409
    message = "The booking was changed in the meantime"
    constraint = "bookings_version_step"


class VersionRequired(UserError):
    """Staff name the version that they saw, by `If-Match` or `expectedVersion`, so that no change is overwritten."""

    code, status = "version_required", 428
    message = "Name the version of the appointment that you saw, by If-Match or expectedVersion"


class AlreadyRefunded(UserError):
    """The appointment is refunded; its place was given back once."""

    code, status, message = "ALREADY_REFUNDED", 400, "This appointment is already refunded"


class RefundNotAllowed(UserError):
    """Only what is confirmed, or cancelled with money owed, can be refunded; `details.status` says what it is."""

    code, status = "REFUND_NOT_ALLOWED", 409
    message = "Only an appointment that is confirmed, or cancelled with money still owed, can be refunded"


class OutcomeTooEarly(UserError):
    """Whether somebody came is known from the start on; `details.start` says when that is."""

    code, status, message = "outcome_too_early", 409, "This appointment has not started yet"


class TimeTaken(UserError):
    """The resource is taken in this time; `details.conflicts` says by what, from when to when."""

    code, status, message = "time_taken", 409, "The resource is taken in this time"


class PriceDiffers(UserError):
    """An appointment moves only to an offering of equal price."""

    code, status, message = "price_differs", 409, "This place has another price than the one agreed"


class HoldLimitReached(UserError):
    """A reservation cannot be held for longer than 24 hours in all."""

    code, status, message = "hold_limit_reached", 409, "A reservation cannot be held for more than 24 hours"


def beyond_border(outcome: str) -> SlotNotOffered:
    """Return the error that says which border of the offer a time lies beyond."""
    if outcome == "too_soon":
        return SlotNotOffered("This time is too soon to be booked online")
    return SlotNotOffered("This time is too far ahead to be booked yet")


def raise_too(outcome: str) -> NoReturn:
    """Say which border of the offer a time lies beyond."""
    raise beyond_border(outcome)
