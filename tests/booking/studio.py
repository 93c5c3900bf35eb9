"""A business with programs, whose schedules are laid out as a test asks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.availability.hours import Override
from holdfast.availability.rules import replace_overrides
from holdfast.booking.layouts import Layout, lay_out, occurrences
from holdfast.booking.schedules import Schedule, list_schedules
from holdfast.catalog.programs import Program, ProgramRule, programs_of, put_program
from holdfast.catalog.resources import put_resource
from holdfast.kernel.database import Database, Transaction

T = TypeVar("T")
EVERY_DAY = range(7)
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
# Wall times of the studio that do not pass while the tests run.
LATER = [f"{(NOW.astimezone(ZoneInfo('Europe/Berlin')).hour + hours) % 24:02}:00" for hours in (5, 9, 14, 19)]


@dataclass
class Studio:
    """A business with programs."""

    database: Database
    business_id: UUID
    admin_uri: str

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a piece of work in one transaction."""
        return await self.database.run(self.business_id, work)

    async def room(self, slug: str = "room", capacity: int = 1) -> UUID:
        """Add a room."""
        return await self.run(lambda tx: put_resource(tx, slug=slug, name=slug, kind="room", capacity=capacity))

    async def program(self, *starts: str, slug: str = "group", **more: Any) -> Program:
        """Add a program that begins every day at these wall times, or on `days`."""
        days = more.pop("days", EVERY_DAY)
        rules = [ProgramRule(weekday, time.fromisoformat(start)) for weekday in days for start in starts]
        given = {"duration_minutes": 60, "max_capacity": 3} | more
        await self.run(lambda tx: put_program(tx, slug=slug, name=slug, rules=rules, **given))
        return next(program for program in await self.run(programs_of) if program.slug == slug)

    async def lay_out(self, program: Program, days: int = 3, now: datetime = NOW) -> Layout:
        """Lay out some days."""
        return await self.run(lambda tx: lay_out(tx, [program], until=now + timedelta(days=days), now=now))

    async def close(self, resource_id: UUID, *days: date) -> None:
        """Give a resource these closed days and no others."""
        await self.run(lambda tx: replace_overrides(tx, resource_id, [Override(day) for day in days]))

    def starts(self, program: Program, days: int = 3) -> list[datetime]:
        """Return when the rule of a program means it to begin on the coming days."""
        return occurrences(program, program.timezone or "Europe/Berlin", after=NOW, until=NOW + timedelta(days=days))

    async def listed(self, slug: str = "group", **more: Any) -> list[Schedule]:
        """Return the first page of a program."""
        return (await self.run(lambda tx: list_schedules(tx, slug, **more))).schedules

    async def count(self, what: str) -> int:
        """Count the rows of a table."""
        return int(
            await self.run(
                lambda tx: tx.value(
                    f"select count(*) from {what} where business_id = %(id)s",  # type: ignore[arg-type]
                    {"id": tx.business_id},
                )
            )
        )

    async def rows(self) -> list[Any]:
        """Return every row that a layout may write, with the transaction that wrote it."""
        found = []
        for table in ("program_schedules", "claims", "schedule_deviations"):
            statement = f"select t.*, xmin::text from {table} t where business_id = %(id)s order by ctid"
            found += await self.run(
                lambda tx, statement=statement: tx.rows(statement, {"id": tx.business_id})  # type: ignore[misc]
            )
        return found


def utc(text: str) -> datetime:
    """Return an instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
