"""Where money is (P-9): what was captured, and what has become of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from holdfast.catalog.prices import text_of
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load(__package__, "balances.sql")


@dataclass(frozen=True, slots=True)
class Balance:
    """The money of a business in one currency; play money of an account for tests is told apart.

    In minor units: captured = refunded + returning + earned + fee + inbox. `returning` is on its way back, `earned` is
    what bookings are paid with that take place, `fee` what is kept of those that do not, and `inbox` what waits for a
    decision of ours or for staff. `authorized` is only set aside, and not captured.
    """

    business_id: UUID
    currency: str
    is_test: bool
    captured_minor: int
    refunded_minor: int
    returning_minor: int
    earned_minor: int
    fee_minor: int
    inbox_minor: int
    authorized_minor: int

    def told(self) -> str:
        """Return it as a line for people."""
        amounts = (
            ("captured", self.captured_minor),
            ("refunded", self.refunded_minor),
            ("on its way back", self.returning_minor),
            ("earned", self.earned_minor),
            ("fees", self.fee_minor),
            ("in the inbox", self.inbox_minor),
            ("only set aside", self.authorized_minor),
        )
        figures = ", ".join(f"{what} {text_of(minor, self.currency)}" for what, minor in amounts)
        return f"{'test ' if self.is_test else ''}money of {self.business_id} in {self.currency}: {figures}"


async def balances(tx: Transaction, *, since: datetime | None = None, until: datetime | None = None) -> list[Balance]:
    """Return the balances of the business by currency, of payments that were captured in a time, its end not included.

    Of what was not captured the time counts at which it was begun.
    """
    values = {"business_id": tx.business_id, "since": since, "until": until}
    return await tx.all(Balance, _SQL["balances"], values)


def balances_of_all(connection: Connection) -> list[Balance]:
    """Return the balances of all businesses, for whoever may see them."""
    with connection.cursor(row_factory=class_row(Balance)) as cursor:
        return cursor.execute(_SQL["balances"], {"business_id": None, "since": None, "until": None}).fetchall()
