"""What can go wrong when staff set up what can be booked."""

from collections.abc import Sequence

from holdfast.kernel.errors import UserError, ValidationFailed


class ChangedMeanwhile(UserError):
    """Somebody else has changed the same since it was read; nothing was written. `details.seen` is its state now."""

    code, status = "changed_meanwhile", 409
    message = "This was changed by somebody else meanwhile; look at it again"


class OfferingSlugTaken(UserError):
    """Another service, resource or program of the business has the slug, or the pool of a service has."""

    code, status, message = "offering_slug_taken", 409, "This slug is taken"
    field = "slug"


class ResourceNeeded(UserError):
    """Nothing else can stand in for the resource; `details.services` and `details.programs` name what needs it."""

    code, status = "resource_needed", 409
    message = "Services or programs cannot do without this resource"


class LeavesBookings(UserError):
    """Bookings would be outside the new hours. `details.booked` lists them; saying `details.accept` agrees to that."""

    code, status = "leaves_bookings", 409
    message = "Bookings would be outside these hours; they stay as they are"


def invalid(problems: Sequence[tuple[str, str]]) -> ValidationFailed:
    """Return the error for several fields at once, each named as in the API."""
    told = [(member_of(field), problem) for field, problem in problems]
    return ValidationFailed(
        "; ".join(f"{field}: {problem}" for field, problem in told),
        details={"errors": [{"field": field, "message": problem} for field, problem in told]},
    )


def member_of(field: str) -> str:
    """Return the name that a field has in the API: max_capacity is maxCapacity there."""
    first, *more = field.split("_")
    return first + "".join(word.capitalize() for word in more)
