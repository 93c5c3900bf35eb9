"""Resources: set up, changed and taken back by staff."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from booking.studio import Studio
from catalog.holds import hold_slot
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.offerings.drafts import ProgramDraft, ResourceDraft
from holdfast.offerings.errors import ChangedMeanwhile, OfferingSlugTaken, ResourceNeeded
from holdfast.offerings.programs import add_program
from holdfast.offerings.resources import (
    add_resource,
    change_resource,
    deactivate_resource,
    draft_of,
    own_resources,
    resource_of,
)
from holdfast.offerings.services import add_service
from holdfast.offerings.states import seen
from offerings.setting import OWNER, entries, service, someone, wrong


async def test_a_resource_is_as_its_draft_says(studio: Studio) -> None:
    """A resource is what staff have said, its change is in the audit log, and its name is not (U-3)."""
    draft = ResourceDraft(name="Wintergarten", kind="room", capacity=3, daily_limit=8, timezone="Asia/Tokyo")
    made = await studio.run(lambda tx: add_resource(tx, "winter", draft, OWNER))
    assert draft_of(made) == draft
    other = ResourceDraft(name="Sommergarten", kind="room", capacity=2, always_open=True)
    changed = await studio.run(lambda tx: change_resource(tx, made.id, other, seen(made), OWNER))
    assert (draft_of(changed), changed.slug, changed.active) == (other, "winter", True)
    told = entries(studio, made.id)
    assert [action for action, _, _ in told] == ["create", "change"]
    assert "garten" not in str(told)
    with pytest.raises(ChangedMeanwhile):
        await studio.run(lambda tx: change_resource(tx, made.id, draft, seen(made), OWNER))


async def test_each_wrong_value_of_a_resource_is_told(studio: Studio) -> None:
    """What is wrong with a resource is told at its fields, a slug that is taken too (U-3)."""
    bad = ResourceDraft(name="x" * 201, kind="ghost", capacity=0, daily_limit=0, timezone="Mars/Olympus")
    with pytest.raises(ValidationFailed) as failed:
        await studio.run(lambda tx: add_resource(tx, "ghost", bad, OWNER))
    assert wrong(failed) == {"name", "kind", "capacity", "daily_limit", "timezone"}
    person = await someone(studio)
    await studio.run(lambda tx: add_service(tx, "talk", service(person, max_simultaneous_bookings=1), OWNER))
    for taken in ("someone", "talk-pool"):
        with pytest.raises(OfferingSlugTaken):
            await someone(studio, taken)


async def test_pools_of_services_are_not_set_up_by_hand(studio: Studio) -> None:
    """The pool that bounds a service is no resource that staff see or change (B-2)."""
    person = await someone(studio)
    made = await studio.run(lambda tx: add_service(tx, "talk", service(person, max_simultaneous_bookings=1), OWNER))
    assert [each.id for each in await studio.run(own_resources)] == [person]
    assert made.pool_id is not None
    with pytest.raises(NotFound):
        await studio.run(lambda tx: resource_of(tx, made.pool_id))


async def test_what_is_needed_stays(studio: Studio) -> None:
    """A resource is not taken back while an offered service or program has nothing else; then it is (U-3)."""
    one, two = await someone(studio), await someone(studio, "two")
    await studio.run(lambda tx: add_service(tx, "talk", service(one), OWNER))
    either = service(name="Walk", requirements=((one, two),))
    await studio.run(lambda tx: add_service(tx, "walk", either, OWNER))
    group = ProgramDraft(name="Circle", duration_minutes=60, max_capacity=3, resource_ids=(two,))
    await studio.run(lambda tx: add_program(tx, "circle", group, OWNER))

    async def leave(resource_id: UUID, told: str | None = None) -> None:
        now = await studio.run(lambda tx: resource_of(tx, resource_id))
        await studio.run(lambda tx: deactivate_resource(tx, resource_id, told or seen(now), OWNER))

    with pytest.raises(ResourceNeeded) as refused:
        await leave(one)
    assert refused.value.details == {"services": ["Talk"], "programs": []}
    with pytest.raises(ResourceNeeded) as refused:
        await leave(two)
    assert refused.value.details == {"services": [], "programs": ["Circle"]}
    three = await someone(studio, "three")
    with pytest.raises(ChangedMeanwhile):
        await leave(three, "what it never was")
    await leave(three)
    await leave(three, "what it never was")
    assert not (await studio.run(lambda tx: resource_of(tx, three))).active


async def test_places_stay_above_what_is_booked(studio: Studio) -> None:
    """Fewer places than are taken at one moment to come are refused at their field (B-2)."""
    hall = await someone(studio, "hall", kind="room", capacity=5)
    made = await studio.run(lambda tx: add_service(tx, "talk", service(hall), OWNER))
    start = datetime.now(UTC) + timedelta(days=3)
    for seat in (1, 2):
        await studio.run(lambda tx, seat=seat: hold_slot(tx, made.id, {hall: seat}, start, start + timedelta(hours=1)))
    now = await studio.run(lambda tx: resource_of(tx, hall))
    smaller = ResourceDraft(name="hall", kind="room", capacity=1)
    with pytest.raises(CapacityBelowPeak) as refused:
        await studio.run(lambda tx: change_resource(tx, hall, smaller, seen(now), OWNER))
    assert refused.value.details["field"] == "capacity"
    assert await studio.run(lambda tx: resource_of(tx, hall)) == now
