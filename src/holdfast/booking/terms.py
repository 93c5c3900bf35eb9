"""On which terms a time may be booked: the public's, or those of staff (A-4, B-14)."""

from dataclasses import dataclass

from holdfast.availability.hours import Hours
from holdfast.availability.slots import Offering


@dataclass(frozen=True, slots=True)
class Terms:
    """What binds a booking besides capacity, which binds everybody."""

    # The grid of slots, the notice and the horizon.
    as_offered: bool = True
    # Opening hours, and what an external calendar blocks.
    in_hours: bool = True
    # That the calendars of whom it takes have been seen lately.
    in_sight: bool = True
    # That what has to be paid beforehand can be.
    is_sale: bool = True

    def lets_lead(self, hours: Hours, start: int, offering: Offering) -> bool:
        """Return whether a resource with these hours may lead an appointment that starts then."""
        if self.as_offered:
            return hours.offers(start, offering.duration_seconds, offering.step_seconds)
        return self.lets_join(hours, start, offering)

    def lets_join(self, hours: Hours, start: int, offering: Offering) -> bool:
        """Return whether a resource with these hours may be part of an appointment that starts then."""
        return not self.in_hours or hours.covers(start, start + offering.duration_seconds)


PUBLIC = Terms()
# A client's who moves an appointment: it is paid already, or the other offering is not for whom has not paid.
MOVING = Terms(is_sale=False)
STAFF = Terms(as_offered=False, in_sight=False, is_sale=False)
# An owner's, who says why.
OVERRIDE = Terms(as_offered=False, in_hours=False, in_sight=False, is_sale=False)
