"""A practice that takes payments, with its staff at the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from booking.staffed import bearer, make_key
from booking.tenants import application
from conftest import MASTER_KEY
from holdfast.identity.permissions import Role
from holdfast.payments.ledger import Payment
from payments.paying import Paying, paying_at_yookassa
from payments.yookassa.fake import FakeYooKassa


@dataclass
class Staffed:
    """The practice, and its owner who calls."""

    till: Paying
    http: httpx.AsyncClient
    keys: dict[Role, str]

    async def call(
        self, method: str, path: str, body: Any = None, *, role: Role = Role.OWNER, key: str | None = None
    ) -> httpx.Response:
        """Return the answer to a call of staff."""
        headers = bearer(self.keys[role]) | ({"Idempotency-Key": key} if key else {})
        return await self.http.request(method, path, json=body, headers=headers)

    async def got(self, path: str) -> Any:
        """Return what a call shows."""
        answer = await self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def give(self, payment: Payment, minor: int, *, key: str | None = None) -> httpx.Response:
        """Give back some of a payment."""
        return await self.call("POST", f"/api/admin/payments/{payment.id}/refunds", {"amountMinor": minor}, key=key)

    async def paid(self, **more: Any) -> Payment:
        """Return the payment of a booking that is paid."""
        payment = await self.till.begin(**more)
        self.till.pay(payment)
        return await self.till.settle(payment.id)


@asynccontextmanager
async def staffed(app_uri: str, admin_uri: str, yookassa: FakeYooKassa) -> AsyncIterator[Staffed]:
    """Open a practice that takes payments, behind the application."""
    async with (
        paying_at_yookassa(app_uri, admin_uri, yookassa) as till,
        application(app_uri, admin_uri, MASTER_KEY) as http,
    ):
        keys = {
            role: await make_key(till.database, till.business_id, role)
            for role in (Role.OWNER, Role.ASSISTANT, Role.EDITOR)
        }
        yield Staffed(till, http, keys)
