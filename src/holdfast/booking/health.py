"""Health: is the database ours and migrated, are holds being swept (B-23, B-24)."""

import hmac
from typing import Any

import msgspec
import psycopg
from litestar import Request, Response, get

from holdfast.booking import jobs
from holdfast.booking.admission import queries
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import AuthenticationRequired, TryLater, UserError
from holdfast.kernel.http import json_response
from holdfast.kernel.migrate import missing_steps

Call = Request[Any, Any, Any]

# Without a cleanup for so long, something is wrong with the worker; no place is blocked by that (B-4).
_ALERT_SECONDS = 600


class NotReady(UserError):
    """The database is away, or lacks the migrations in `details.missingMigrations`."""

    code, status, message = "not_ready", 503, "The server is not ready"


class Ready(msgspec.Struct):
    """The database answers and has this release's schema."""

    status: str


class BookingHealth(msgspec.Struct, rename="camel"):
    """The state of the reservations; `status` is `alert` when no cleanup has run for ten minutes.

    `schedule_deviations` counts coming schedules that differ from their rules for another reason than a holiday.
    """

    status: str
    active: int
    expired_not_cleaned: int
    oldest_seconds: float | None
    held_last_day: int
    confirmed_last_day: int
    conversion: float | None
    awaiting_payment: int
    unpaid_not_ended: int
    cleanup_age_seconds: float | None
    schedule_deviations: int
    layout_age_seconds: float | None


class Cleaned(msgspec.Struct):
    """How many holds a cleanup has ended."""

    expired: int


@get("/health/ready", opt=documented(answers=Ready))
async def ready(request: Call) -> Response[bytes]:
    """Say whether requests can be served: database there, schema of this release."""
    database = request.app.state.health_database
    try:
        async with database.transaction() as tx:
            missing = await missing_steps(tx.connection)
    except (psycopg.OperationalError, TryLater) as away:
        raise NotReady("The database cannot be reached") from away
    if missing:
        raise NotReady("Run `holdfast migrate`", details={"missingMigrations": missing})
    return json_response(Ready("ok"))


@get("/health/booking", opt=documented(answers=BookingHealth))
async def booking_health(request: Call) -> Response[bytes]:
    """Return how many holds live, how many wait for their sweep, and when the last sweep ran."""
    async with request.app.state.health_database.transaction() as tx:
        [row] = await tx.rows(queries["reservation_health"])
    age = row["cleanup_age_seconds"]
    held = row["held_last_day"]
    return json_response(
        BookingHealth(
            status="ok" if age is not None and age < _ALERT_SECONDS else "alert",
            conversion=row["confirmed_last_day"] / held if held else None,
            **row,
        )
    )


@get("/api/cron/cleanup-reservations", opt=documented(answers=Cleaned, security="CronSecret"))
async def cleanup_reservations(request: Call) -> Response[bytes]:
    """Sweep holds that have run out; for installations whose scheduler calls by HTTP."""
    given = request.headers.get("Authorization") or ""
    wanted = f"Bearer {request.app.state.cron_secret}"
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise AuthenticationRequired("This call needs the cron secret as bearer token")
    return json_response(Cleaned(await jobs.sweep_all(request.app.state.reservations.database)))


handlers = [ready, booking_health]
