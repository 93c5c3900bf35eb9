"""Services: set up, changed and taken back by staff."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from booking.studio import Studio
from catalog.holds import hold_slot
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.refund_terms import Term
from holdfast.catalog.resources import put_resource, resources_of
from holdfast.catalog.services import services_of
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.offerings.errors import ChangedMeanwhile, OfferingSlugTaken
from holdfast.offerings.services import add_service, change_service, deactivate_service, draft_of, service_of
from holdfast.offerings.slugs import slug_of
from holdfast.offerings.states import seen
from offerings.setting import OWNER, entries, service, someone, wrong


async def test_a_service_is_as_its_draft_says(studio: Studio) -> None:
    """A new service is what staff have said, and reading it back gives the same draft (U-3)."""
    person, room = await someone(studio), await studio.room()
    draft = service(
        person,
        room,
        buffer_before_minutes=5,
        buffer_after_minutes=10,
        slot_step_minutes=15,
        price_minor=4550,
        payment_policy="prepay",
        payment_minutes=20,
        refund_terms=(Term(24, 100), Term(0, 50)),
        hold_minutes=7,
        min_notice_minutes=120,
        max_horizon_days=30,
        cancel_notice_minutes=1440,
        max_simultaneous_bookings=2,
    )
    made = await studio.run(lambda tx: add_service(tx, "talk", draft, OWNER))
    assert draft_of(made) == draft
    [pool] = [each for each in await studio.run(resources_of) if each.id == made.pool_id]
    assert (pool.kind, pool.capacity) == ("pool", 2)
    [(action, before, after)] = entries(studio, made.id)
    assert (action, before) == ("create", None)
    assert after is not None
    assert '"price_minor":4550' in after
    assert "Talk" not in after


async def test_each_wrong_value_is_told_at_its_field(studio: Studio) -> None:
    """Everything that is wrong with a service is told at once, each at its field, and nothing is written (U-3)."""
    person = await someone(studio)
    bad = service(
        person,
        person,
        name=" ",
        duration_minutes=0,
        hold_minutes=1_441,
        payment_policy="prepay",
        refund_terms=(Term(1, 100), Term(24, 50)),
    )
    with pytest.raises(ValidationFailed) as failed:
        await studio.run(lambda tx: add_service(tx, "talk", bad, OWNER))
    fields = {"name", "duration_minutes", "hold_minutes", "price_minor", "refund_terms", "requirements"}
    assert wrong(failed) == fields
    for slug in ("Talk", "a--b", "-a", "a" * 64, ""):
        with pytest.raises(ValidationFailed) as failed:
            await studio.run(lambda tx, slug=slug: add_service(tx, slug, service(person), OWNER))
        assert wrong(failed) == {"slug"}
    with pytest.raises(ValidationFailed) as failed:
        await studio.run(lambda tx: add_service(tx, "talk", service(new_id()), OWNER))
    assert wrong(failed) == {"requirements"}
    assert await studio.run(services_of) == []


async def test_a_slug_belongs_to_one(studio: Studio) -> None:
    """A second service of a slug is refused, and one whose pool would be somebody's resource (U-3)."""
    person = await someone(studio)
    await studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    with pytest.raises(OfferingSlugTaken):
        await studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    await studio.run(lambda tx: put_resource(tx, slug="walk-pool", name="Swimming", kind="room"))
    with pytest.raises(OfferingSlugTaken):
        await studio.run(lambda tx: add_service(tx, "walk", service(person, max_simultaneous_bookings=2), OWNER))


async def test_of_two_who_change_one_loses_nothing_silently(studio: Studio) -> None:
    """Of two owners who change what both have read, the second is refused and told, not written over (U-3)."""
    person = await someone(studio)
    made = await studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    drafts = [service(person, duration_minutes=minutes) for minutes in (30, 40)]
    told = await asyncio.gather(
        *(
            studio.run(lambda tx, draft=draft: change_service(tx, made.id, draft, seen(made), OWNER))
            for draft in drafts
        ),
        return_exceptions=True,
    )
    [changed] = [each for each in told if not isinstance(each, BaseException)]
    [refused] = [each for each in told if isinstance(each, BaseException)]
    assert isinstance(refused, ChangedMeanwhile)
    assert refused.details == {"seen": seen(changed)}
    assert await studio.run(lambda tx: service_of(tx, made.id)) == changed
    assert [action for action, _, _ in entries(studio, made.id)] == ["create", "change"]
    with pytest.raises(ChangedMeanwhile):
        await studio.run(lambda tx: deactivate_service(tx, made.id, seen(made), OWNER))


async def test_a_change_that_changes_nothing_is_no_change(studio: Studio) -> None:
    """Saving a service as it is writes no entry, and an entry tells only what differs (D-7)."""
    person = await someone(studio)
    made = await studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    same = await studio.run(lambda tx: change_service(tx, made.id, service(person), seen(made), OWNER))
    assert same == made
    dearer = service(person, price_minor=100, name="Long talk")
    await studio.run(lambda tx: change_service(tx, made.id, dearer, seen(made), OWNER))
    _, last = entries(studio, made.id)
    assert last == ("change", '{"name":"...","price_minor":0}', '{"name":"...","price_minor":100}')


async def test_what_is_booked_outlives_its_service(studio: Studio) -> None:
    """A service that is offered no more keeps its bookings, and is offered again by saving it (U-3)."""
    person = await someone(studio)
    made = await studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    start = datetime.now(UTC) + timedelta(days=3)
    await studio.run(lambda tx: hold_slot(tx, made.id, {person: 1}, start, start + timedelta(minutes=50)))
    await studio.run(lambda tx: deactivate_service(tx, made.id, seen(made), OWNER))
    gone = await studio.run(lambda tx: service_of(tx, made.id))
    assert gone == replace(made, active=False)
    await studio.run(lambda tx: deactivate_service(tx, made.id, seen(made), OWNER))
    assert await studio.count("claims") == 1
    again = await studio.run(lambda tx: change_service(tx, made.id, draft_of(gone), seen(gone), OWNER))
    assert again == made
    actions = [action for action, _, _ in entries(studio, made.id)]
    assert actions == ["create", "deactivate", "change"]


async def test_a_limit_stays_above_what_is_booked(studio: Studio) -> None:
    """Fewer simultaneous bookings than are to come at one moment are refused at their field (B-2)."""
    hall = await someone(studio, "hall", kind="room", capacity=5)
    made = await studio.run(lambda tx: add_service(tx, "talk", service(hall, max_simultaneous_bookings=3), OWNER))
    start = datetime.now(UTC) + timedelta(days=3)
    assert made.pool_id is not None
    for seat in (1, 2):
        seats = {hall: seat, made.pool_id: seat}
        await studio.run(lambda tx, seats=seats: hold_slot(tx, made.id, seats, start, start + timedelta(minutes=50)))
    one = service(hall, max_simultaneous_bookings=1)
    with pytest.raises(CapacityBelowPeak) as refused:
        await studio.run(lambda tx: change_service(tx, made.id, one, seen(made), OWNER))
    assert (refused.value.details["peak"], refused.value.details["field"]) == (2, "maxSimultaneousBookings")
    two = service(hall, max_simultaneous_bookings=2)
    assert (await studio.run(lambda tx: change_service(tx, made.id, two, seen(made), OWNER))).pool_id == made.pool_id


async def test_services_of_others_are_not_there(studio: Studio) -> None:
    """Nobody changes a service that their business does not have (D-9)."""
    person = await someone(studio)
    for work in (
        lambda tx: service_of(tx, new_id()),
        lambda tx: change_service(tx, new_id(), service(person), "", OWNER),
        lambda tx: deactivate_service(tx, new_id(), "", OWNER),
    ):
        with pytest.raises(NotFound):
            await studio.run(work)


def test_a_slug_is_made_of_a_name() -> None:
    """A name in Russian or with accents becomes a slug that reads like it and that nobody has (U-3)."""
    assert slug_of("Индивидуальная консультация", (), "service") == "individualnaya-konsultatsiya"
    assert slug_of("Café  30'", (), "service") == "cafe-30"
    assert slug_of("日本", (), "service") == "service"
    assert slug_of("Talk", {"talk", "talk-2"}, "service") == "talk-3"
    assert len(slug_of("a" * 200, {"a" * 57}, "service")) <= 63
