"""What payments keep of a person, and how they forget them (D-8).

A payment is its booking's, and only through it somebody's. So this comes before booking forgets whose that was.
"""

from typing import Any

from holdfast.booking.personal import lock_forgettable
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.privacy import Handles
from holdfast.kernel.sql import load

_SQL = load("holdfast.payments", "personal.sql")


async def told_of(tx: Transaction, whom: Handles) -> dict[str, list[dict[str, Any]]]:
    """Return the payments for the bookings of a person, each with what was given back of it."""
    values = {"business_id": tx.business_id, "email": whom.email, "phone": whom.phone}
    payments = {row["id"]: _shown(row) for row in await tx.rows(_SQL["payments_of"], values)}
    refunds = {"business_id": tx.business_id, "ids": list(payments)}
    for row in await tx.rows(_SQL["refunds_of"], refunds):
        payments[row["payment_id"]]["refunds"].append(
            {
                "id": row["id"],
                "status": row["state"],
                "cause": row["cause"],
                "amountMinor": row["amount_minor"],
                "createdAt": row["created_at"],
            }
        )
    return {"payments": list(payments.values())}


async def forget(tx: Transaction, whom: Handles, actor: Actor) -> dict[str, int]:  # noqa: ARG001 - the booking's entry tells who
    """Take from the payments of a person where they pay, and what providers have told of these payments.

    Amounts, times and the provider's ids stay: accounts need them. What a provider tells afterwards is forgotten with
    everything that was told, in time.
    """
    values = {"business_id": tx.business_id, "ids": await lock_forgettable(tx, whom)}
    await tx.run(_SQL["forget_messages"], values)
    return {"payments": await tx.run(_SQL["forget_confirmations"], values)}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "bookingId": row["booking_id"],
        "provider": row["provider"],
        "providerPaymentId": row["provider_payment_id"],
        "status": row["state"],
        "amountMinor": row["amount_minor"],
        "capturedMinor": row["captured_minor"],
        "refundedMinor": row["refunded_minor"],
        "keptMinor": row["fee_minor"],
        "currency": row["currency"],
        "createdAt": row["created_at"],
        "capturedAt": row["captured_at"],
        "refunds": [],
    }
