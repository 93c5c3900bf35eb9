"""A provider of payments in a proof: clients pay there, and its books are compared with ours.

What is needed of it is a small part of what the fake of YooKassa does; the fake itself belongs to the tests.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx

from proof.check_money import Charge
from proof.recorded import Recorded

_CONNECT_PATH = "/api/admin/integrations/payments/yookassa"


class Shop(Protocol):
    """A shop at YooKassa, as whoever runs the proof has it in hand."""

    shop_id: str
    secret: str

    def payments(self) -> list[dict[str, Any]]:
        """Return all payments in the words of its API."""

    def pay(self, payment_id: str) -> None:
        """Let the client pay."""


def connect(url: str, staff_key: str, shop: Shop) -> str:
    """Let an owner connect the shop; return where the shop is to tell of payments."""
    body = {"shopId": shop.shop_id, "secretKey": shop.secret}
    headers = {"Authorization": f"Bearer {staff_key}"}
    answer = httpx.put(url + _CONNECT_PATH, json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["webhookUrl"])


def payer(shop: Shop, refused: type[Exception]) -> Callable[[str], Awaitable[None]]:
    """Return how clients pay: they go where they were sent. `refused` is raised by the shop for what cannot be paid."""

    async def pay(pay_at: str) -> None:
        [payment_id] = parse_qs(urlsplit(pay_at).query)["orderId"]
        try:
            await asyncio.to_thread(shop.pay, payment_id)
        except refused:
            # Somebody has ended the payment first, or it was paid already: a person reads that and goes away.
            return

    return pay


def charges_of(shop: Shop) -> list[Charge]:
    """Return the shop's books."""
    return [
        Charge(
            told["id"],
            _minor(told["amount"]) if told["status"] == "succeeded" else 0,
            _minor(told.get("refunded_amount")),
            is_paid=bool(told["paid"]),
        )
        for told in shop.payments()
    ]


def on_their_way(recorded: Recorded, charges: list[Charge]) -> int:
    """Return with how many payments that clients made something is still to happen: money is judged when it is none."""
    is_open = {payment.provider_id for payment in recorded.payments if payment.is_open}
    return sum(charge.is_paid and charge.provider_id in is_open for charge in charges)


def _minor(amount: dict[str, str] | None) -> int:
    return 0 if amount is None else int(amount["value"].replace(".", ""))
