"""Series at the desk of a practice that is open around the clock."""

from collections.abc import Sequence
from uuid import UUID

from booking.opened import DAY_SECONDS, START, Practice
from holdfast.booking.bookings import keyed
from holdfast.booking.contacts import Guest
from holdfast.booking.reservations import Wish
from holdfast.booking.series import SeriesWish, reserve_series
from holdfast.booking.series_changes import CommittedSeries, cancel_series, commit_series, release_series
from holdfast.booking.series_views import CancelledSeriesView, SeriesView


def days(count: int, first: int = START) -> list[int]:
    """Return the same time on so many days."""
    return [first + n * DAY_SECONDS for n in range(count)]


async def series(
    practice: Practice,
    service: str,
    starts: Sequence[int],
    *,
    partial: bool = False,
    key: str | None = None,
    party: int = 1,
    resource: str | None = None,
    ttl: int | None = None,
) -> SeriesView:
    """Ask the desk for a series."""
    each = Wish(
        party=party,
        key=keyed(None, "series", b""),
        ttl_seconds=ttl,
        service_id=practice.services[service],
        resource_id=practice.resources[resource] if resource else None,
    )
    request = repr((service, sorted(starts), partial, party, resource)).encode()
    wish = SeriesWish(each, keyed(key, "series", request), partial, starts=tuple(sorted(starts)))
    return await reserve_series(practice.desk, practice.business_id, wish)


def held(made: SeriesView) -> list[UUID]:
    """Return the reservations of a series in their order."""
    return [item.reservation_id for item in made.items if item.reservation_id is not None]


async def commit(practice: Practice, made: SeriesView) -> CommittedSeries:
    """Commit a series."""
    guest = Guest("guest@example.org")
    return await practice.desk.database.run(practice.business_id, lambda tx: commit_series(tx, made.series_id, guest))


async def release(practice: Practice, made: SeriesView) -> None:
    """Release a series."""
    await practice.desk.database.run(practice.business_id, lambda tx: release_series(tx, made.series_id))


async def cancel(practice: Practice, made: SeriesView, since: UUID | None = None) -> CancelledSeriesView:
    """Cancel a series, or one of its appointments and those that begin later."""
    key = keyed(None, "cancel-series", b"")
    return await practice.desk.database.run(
        practice.business_id, lambda tx: cancel_series(tx, made.series_id, key, since=since, reason="ill")
    )
