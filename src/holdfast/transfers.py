"""Files in and out of a database, for the commands: reading with progress, connecting, telling what was done."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from holdfast import config
from holdfast.booking.layouts import Layout
from holdfast.business_files.exporting import export
from holdfast.business_files.importing import Changes, Report, load
from holdfast.business_files.toml_file import read
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring

if TYPE_CHECKING:
    from holdfast.business_files.calendars import CalendarReport

T = TypeVar("T")
Meaning = Literal["holidays", "busy"]

_PERCENTS_BETWEEN_REPORTS = 5

# What has become of a schedule that differs from the rule of its program.
_DEVIATIONS = {
    "closed": "is not laid out: a resource is closed on that day",
    "taken": "is not laid out: a resource is taken then",
    "busy": "is not laid out: an outside calendar says that a resource is busy then",
    "booked": "stays as it was: it has bookings",
    "crowded": "keeps its capacity: more places are taken",
}


def connected(app_dsn: str, work: Callable[[Database], Awaitable[T]], keyring: Keyring | None = None) -> T:
    """Run the work on a database of its own, closed afterwards; without a keyring it meets no personal data."""

    async def run() -> T:
        # A command is over before a prepared statement pays off, so it need not know whether a pooler stands between.
        database = Database(app_dsn, min_connections=1, max_connections=2, pooler=True, keyring=keyring)
        await database.open()
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def import_business(app_dsn: str, source: str | bytes) -> Report:
    """Load a business from the text of its file. Raises BusinessFileInvalid and what `load` raises."""
    return connected(app_dsn, lambda database: load(database, read(source)))


def export_business(app_dsn: str, business: str | None) -> str:
    """Return the file of a business. Raises what `export` raises."""
    return connected(app_dsn, lambda database: export(database, business))


def is_calendar(file: Path, stream: BufferedReader) -> bool:
    """Tell whether a file is a calendar, by its name or by how it begins; nothing is taken from its stream."""
    if file.suffix.lower() in {".ics", ".ical", ".ifb"}:
        return True
    # Looked at and not read: a pipe can be read once only.
    return stream.peek(64)[:64].removeprefix(b"\xef\xbb\xbf").lstrip().upper().startswith(b"BEGIN:VCALENDAR")


def import_calendar(
    app_dsn: str,
    file: Path,
    stream: BufferedReader,
    say: Callable[[str], None],
    *,
    meaning: Meaning,
    source: str | None,
    business: str | None,
    resources: list[str],
) -> "CalendarReport":
    """Load holidays or busy time from a calendar file, which is open as a stream, saying how far it is.

    Raises CalendarFileInvalid and what `load_calendar` raises.
    """
    # Loaded here: the calendar library costs a tenth of a second and 10 MB, which other commands spare.
    from holdfast.availability.ics.reading import read as read_calendar  # noqa: PLC0415
    from holdfast.business_files.calendars import load_calendar, window_around  # noqa: PLC0415

    # A pipe does not tell how long it is, hence not how far it is read.
    size = max(1, file.stat().st_size) if stream.seekable() else None
    told = -1

    def report(read_bytes: int, events: int) -> None:
        nonlocal told
        if size is None:
            return
        percent = min(100, 100 * read_bytes // size)
        if percent // _PERCENTS_BETWEEN_REPORTS > told // _PERCENTS_BETWEEN_REPORTS:
            told = percent
            say(f"reading {file.name}: {percent} %, {events} events")

    calendars = read_calendar(stream, report)
    say(f"writing {file.name}")
    return connected(
        app_dsn,
        lambda database: load_calendar(
            database,
            calendars,
            meaning=meaning,
            source=source or file.name,
            window=window_around(datetime.now(UTC)),
            business=business,
            resources=resources,
        ),
    )


def write_whole(file: Path, text: str) -> None:
    """Make this the content of a file, which is the old or the new one at any moment. Raises ConfigurationError.

    A link stays a link. A pipe or a device is written to, for it has nothing to be kept and must not be replaced.
    """
    try:
        if file.exists() and not file.is_file():
            file.write_bytes(text.encode())
            return
        target = file.resolve()
        fresh = target.with_name(f".{target.name}.new")
        try:
            fresh.write_bytes(text.encode())
            fresh.replace(target)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise config.ConfigurationError(f"Cannot write {file}: {error.strerror}.") from error


def told_of_business(report: Report) -> list[str]:
    """Return what an import of a business has done, in lines for people."""
    lines = [f"business {report.business}"]
    for name in ("resources", "services", "programs"):
        changes: Changes = getattr(report, name)
        lines.append(
            f"{name}: {len(changes.created)} created, {len(changes.updated)} updated,"
            f" {len(changes.unchanged)} unchanged, {len(changes.deactivated)} deactivated"
        )
    return lines + _told_of_schedules(report.schedules)


def told_of_calendar(report: "CalendarReport") -> list[str]:
    """Return what an import of a calendar has done, in lines for people."""
    what = f"{report.days} days closed" if report.meaning == "holidays" else f"{report.intervals} busy intervals"
    return [
        f"{report.source}: {report.events} events, {what} from {report.first_day} to {report.last_day}",
        f"resources: {len(report.changed)} changed, {len(report.unchanged)} unchanged",
        *_told_of_schedules(report.schedules),
    ]


def _told_of_schedules(layout: Layout) -> list[str]:
    return [
        f"schedules: {layout.created} created, {layout.withdrawn} withdrawn",
        *(
            f"{deviation.program_slug} at {deviation.start.isoformat()} {_DEVIATIONS[deviation.kind]}"
            for deviation in layout.deviations
        ),
    ]
