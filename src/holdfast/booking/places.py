"""How many places a slot or a schedule has, and how many are left."""

from uuid import UUID

from holdfast.availability.slots import Occupation, free_slots
from holdfast.booking.admission import queries
from holdfast.booking.alternatives import occupation_of
from holdfast.booking.errors import UnknownSchedule, raise_too
from holdfast.booking.reservations import Place, Reservations, Wish


async def places_left(desk: Reservations, business_id: UUID, wish: Wish) -> tuple[int, int]:
    """Return (left, in all) of what a wish names.

    Raises UnknownSchedule, UnknownService, SlotNotOffered and the other errors of finding the place.
    """
    if wish.schedule_id is not None:
        async with desk.database.transaction(business_id) as tx:
            rows = await tx.rows(queries["find_schedule"], {"business_id": business_id, "id": wish.schedule_id})
        if not rows or not rows[0]["active"]:
            raise UnknownSchedule
        return rows[0]["places_left"], rows[0]["max_capacity"]
    place = await desk.find_place(business_id, wish)
    occupation = await _occupation(desk, business_id, place)
    if occupation.catalog != place.snapshot.version:
        # What was found is of yesterday; here no admission would find out.
        await desk.snapshots.refresh(business_id)
        place = await desk.find_place(business_id, wish)
        occupation = await _occupation(desk, business_id, place)
    total = min(
        sum(r.capacity for r in need if r.id in eligible)
        for need, eligible in zip(place.offering.needs, place.eligible, strict=True)
    )
    ahead = place.start - occupation.now
    if ahead < place.service.min_notice_minutes * 60:
        raise_too("too_soon")
    if ahead > place.service.max_horizon_days * 86_400:
        raise_too("too_far")
    slots = free_slots(place.offering.without(place.unknown), occupation, place.start, place.start + 1)
    return (slots[0].places_left if slots else 0), total


async def _occupation(desk: Reservations, business_id: UUID, place: Place) -> Occupation:
    # For whom is said to the function that is asked, which sees past the wall.
    async with desk.database.reading() as tx:
        return await occupation_of(tx, business_id, place.offering, place.start, place.start + 1)
