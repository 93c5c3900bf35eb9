"""A practice whose account is compared with its fake YooKassa, and what tests let go wrong before."""

from typing import Any
from uuid import UUID

from holdfast.payments.ledger import Payment
from holdfast.payments.reconciliation import Compared, reconcile
from payments.paying import Paying

OUTAGE_HOURS = 96


async def compare(till: Paying, **more: Any) -> Compared:
    """Compare the account now, as if it were its turn."""
    compared = await reconcile(till.database, till.providers, till.business_id, till.account.id, at_once=True, **more)
    assert compared is not None, "nobody else is at it"
    return compared


def forget(till: Paying, payment: Payment) -> None:
    """Let nobody look at a payment any more, as when what should have called somebody was lost."""
    till.sql("update payments set next_attempt_at = null where id = %s", payment.id)


def lose(till: Paying, payment: Payment) -> None:
    """Let the books have nothing of a payment, as after a restore of an older backup."""
    till.sql("delete from refunds where payment_id = %s", payment.id)
    till.sql("delete from payments where id = %s", payment.id)


def listed_long_ago(till: Paying, hours: float = OUTAGE_HOURS) -> None:
    """Let the account have been compared last so many hours ago."""
    till.sql(
        "update payment_reconciliations set listed_until = now() - make_interval(hours => %s), next_at = now()"
        " where account_id = %s",
        int(hours),
        till.account.id,
    )


def refund_by_hand(till: Paying, payment: Payment, minor: int) -> str:
    """Let somebody give back some of a payment in the provider's own cabinet; return the id of that refund."""
    refunded = till.fake.shop.give_back(
        {
            "payment_id": payment.provider_payment_id,
            "amount": {"value": f"{minor // 100}.{minor % 100:02}", "currency": "RUB"},
        }
    )
    return str(refunded["id"])


def row_of(till: Paying) -> dict[str, Any]:
    """Return how the comparison of the account stands."""
    columns = ("mended", "failures", "error_code", "finished", "lists_anew", "due_in", "leased")
    [row] = till.sql(
        "select mended, failures, error_code, finished_at is not null, now() - listed_until < interval '1 minute',"
        " extract(epoch from next_at - now())::float8, lease is not null"
        " from payment_reconciliations where account_id = %s",
        till.account.id,
    )
    return dict(zip(columns, row, strict=True))


def unresolved(till: Paying, kind: str) -> list[tuple[UUID, str, dict[str, Any]]]:
    """Return what staff have to see to of a kind: subject, severity and details."""
    return [
        (subject, severity, details)
        for subject, severity, details in till.sql(
            "select subject_id, severity::text, details from attention_items"
            " where business_id = %s and kind = %s and resolved_at is null order by raised_at",
            till.business_id,
            kind,
        )
    ]
