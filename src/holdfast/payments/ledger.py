"""The book of payments: attempts to pay, and what providers have told, each written down once (P-7, P-8, D-4)."""

from uuid import UUID

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load
from holdfast.payments.port import ProviderName

_SQL = load(__package__)

_BODY = "webhook_events.body"


async def record_payment(
    tx: Transaction,
    *,
    booking_id: UUID,
    provider: ProviderName,
    account: str,
    provider_key: str,
    amount_minor: int,
    currency: str,
    provider_payment_id: str | None = None,
    is_test: bool = False,
) -> UUID:
    """Write down the next attempt to pay a booking, before the provider is called with this key; return its id.

    `account` is the shop at the provider. Raises DuplicatePayment, DuplicatePaymentKey, DuplicateAttempt, each of
    which names its field, and ForeignKeyViolation for what is no booking of the business.
    """
    payment_id = new_id()
    values = {
        "business_id": tx.business_id,
        "id": payment_id,
        "booking_id": booking_id,
        "provider": provider,
        "account": account,
        "is_test": is_test,
        "provider_key": provider_key,
        "provider_payment_id": provider_payment_id,
        "amount_minor": amount_minor,
        "currency": currency,
    }
    await tx.run(_SQL["add_payment"], values)
    return payment_id


async def record_webhook_event(
    tx: Transaction, *, provider: ProviderName, event_id: str, kind: str, object_id: str, body: str
) -> UUID:
    """Write down what a provider tells, its body sealed, before it is answered; return the id of the entry.

    Raises DuplicateWebhookEvent when it was written down before.
    """
    entry_id = new_id()
    values = {
        "business_id": tx.business_id,
        "id": entry_id,
        "provider": provider,
        "event_id": event_id,
        "type": kind,
        "object_id": object_id,
        "body": (await tx.keys()).seal(_BODY, entry_id, body),
    }
    await tx.run(_SQL["add_webhook_event"], values)
    return entry_id
