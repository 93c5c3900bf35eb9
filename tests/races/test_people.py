"""Races of forgetting a person with what the person does meanwhile."""

from booking.opened import Practice
from holdfast.booking import personal
from holdfast.kernel.audit import SYSTEM
from holdfast.kernel.privacy import Handles


async def test_whoever_has_booked_meanwhile_is_still_expected(practice: Practice) -> None:
    """An appointment that is made after it was seen that nobody is expected, and before the person is forgotten, keeps
    contact and token, and is told as expected; once it is cancelled, it is forgotten (D-8).
    """
    held = await practice.reserve("talk")
    keys = await practice.desk.database.keys(practice.business_id)
    whom = Handles(email=keys.index_email("guest@example.org"))
    async with practice.desk.database.transaction(practice.business_id) as tx:
        assert await personal.expected(tx, whom) == []
        await practice.commit(held.id)
        before = await practice.read(held.id)
        assert (await personal.forget(tx, whom, SYSTEM))["bookings"] == 0
    after = await practice.read(held.id)
    assert after.contact is not None
    assert (after.contact, after.version) == (before.contact, before.version)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        assert await personal.expected(tx, whom) == [held.id]
    await practice.cancel(held.id)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        assert (await personal.forget(tx, whom, SYSTEM))["bookings"] == 1
    assert (await practice.read(held.id)).contact is None
