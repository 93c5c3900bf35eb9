"""The events of booking for analytics (A-7, B-22, D-6): what clients look at, choose, and get or miss.

The funnel has four steps, each told where it succeeds and never for a repeated request. It is of services: a group has
no slot to be chosen.
"""

from holdfast.kernel.recorder import EVENTS
from holdfast.kernel.tracking import instant, slug, zone

SLOTS_VIEWED = EVENTS.declare("booking_slots_viewed", service_slug=slug, timezone=zone)
SLOT_SELECTED = EVENTS.declare("booking_slot_selected", service_slug=slug, slot_start_at=instant, timezone=zone)
# Also those that came too late: the hold had run out.
DETAILS_SUBMITTED = EVENTS.declare("booking_details_submitted", service_slug=slug)
CONFIRMED = EVENTS.declare("booking_confirmed", service_slug=slug)
CONFLICT = EVENTS.declare("booking_conflict", service_slug=slug)
