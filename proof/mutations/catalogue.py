"""Every weakening of the gate, in the order in which they are run."""

from proof.mutations import of_access, of_calendars, of_money, of_places, of_records

WEAKENINGS = (
    *of_places.WEAKENINGS,
    *of_records.WEAKENINGS,
    *of_access.WEAKENINGS,
    *of_money.WEAKENINGS,
    *of_calendars.WEAKENINGS,
)
