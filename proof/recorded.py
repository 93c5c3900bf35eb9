"""What the database holds of the business of a proof, read in one snapshot."""

import msgspec
import psycopg

from holdfast.kernel.sql import load

_statements = load("proof", "recorded.sql")


class Key(msgspec.Struct, frozen=True, array_like=True):
    """A key that was answered, and the booking that was made or changed."""

    key: str
    operation: str
    booking: str | None


class Booking(msgspec.Struct, frozen=True, array_like=True):
    """A booking as it is now; epoch seconds."""

    id: str
    service: str | None
    schedule: str | None
    start: int
    end: int
    party: int
    state: str
    version: int
    due_minor: int | None


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """So many places of a resource that a booking takes; epoch seconds."""

    booking: str
    resource: str
    start: int
    end: int
    places: int


class Payment(msgspec.Struct, frozen=True, array_like=True):
    """A payment by our books. `is_open`: something is still to happen with it; `is_known`: staff were told of it."""

    booking: str
    provider_id: str | None
    captured_minor: int
    refunded_minor: int
    is_open: bool
    is_known: bool


class Recorded(msgspec.Struct, frozen=True):
    """All of it; `read_at` is the time of the database, in epoch seconds."""

    read_at: float
    keys: list[Key]
    bookings: list[Booking]
    claims: list[Claim]
    payments: list[Payment]


def record(dsn: str, business: str) -> Recorded:
    """Read what there is of a business, as an administrative role."""
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        of_business = {"business": business}
        [read_at] = connection.execute(_statements["read_at"]).fetchone() or [0.0]
        return Recorded(
            read_at,
            [Key(*row) for row in connection.execute(_statements["keys"], of_business)],
            [Booking(*row) for row in connection.execute(_statements["bookings"], of_business)],
            [Claim(*row) for row in connection.execute(_statements["claims"], of_business)],
            [Payment(*row) for row in connection.execute(_statements["payments"], of_business)],
        )
