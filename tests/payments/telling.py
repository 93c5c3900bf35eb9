"""Providers that tell something: businesses with accounts at them, and calls as they make them."""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import httpx
from litestar import Litestar

from apps import kept_open
from conftest import MASTER_KEY
from holdfast import config, web
from holdfast.kernel.addresses import Network
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.ids import new_id
from holdfast.payments.inbox import act_on_due, look_up_due
from holdfast.payments.port import ProviderName
from holdfast.payments.settings import PaymentSettings
from payments.paying import Paying
from payments.stripe.webhooks import signature_of

YOOKASSA = "185.71.76.9"
Row = dict[str, Any]


async def write_event(
    tx: Transaction, *, provider: ProviderName, event_id: str, kind: str, object_id: str, body: str
) -> UUID:
    """Write down what a provider has told as the inbox keeps it, under an id of its own; return that.

    Raises DuplicateWebhookEvent when it was written down before.
    """
    entry_id = new_id()
    await tx.run(
        "insert into webhook_events (business_id, id, provider, event_id, type, object_id, body)"
        " values (%(business_id)s, %(id)s, %(provider)s, %(event_id)s, %(type)s, %(object_id)s, %(body)s)",
        {
            "business_id": tx.business_id,
            "id": entry_id,
            "provider": provider,
            "event_id": event_id,
            "type": kind,
            "object_id": object_id,
            "body": (await tx.keys()).seal("webhook_events.body", entry_id, body),
        },
    )
    return entry_id


async def add_account(
    database: Database,
    business_id: UUID,
    provider: str,
    secrets: Sequence[str] = (),
    *,
    active: bool = True,
    api_url: str | None = None,
    secret: str = "a secret of the shop",  # noqa: S107
) -> UUID:
    """Connect an account whose messages are known by these secrets; return its id."""
    account_id = new_id()

    async def work(tx: Transaction) -> None:
        keys = await tx.keys()
        await tx.run(
            "insert into payment_accounts (business_id, id, provider, account, is_test, secret, webhook_secrets, active,"
            " api_url) values (%s, %s, %s, %s, true, %s, %s, %s, %s)",
            [
                business_id,
                account_id,
                provider,
                f"shop-{account_id.hex[:12]}",
                keys.seal("payment_accounts.secret", account_id, secret),
                keys.seal("payment_accounts.webhook_secrets", account_id, json.dumps(list(secrets))),
                active,
                api_url,
            ],
        )

    await database.run(business_id, work)
    return account_id


async def set_secrets(database: Database, business_id: UUID, account_id: UUID, secrets: Sequence[str]) -> None:
    """Make these the secrets by which the messages of an account are known."""

    async def work(tx: Transaction) -> None:
        sealed = (await tx.keys()).seal("payment_accounts.webhook_secrets", account_id, json.dumps(list(secrets)))
        await tx.run("update payment_accounts set webhook_secrets = %s where id = %s", [sealed, account_id])

    await database.run(business_id, work)


async def events(database: Database, business_id: UUID) -> list[Row]:
    """Return what a business was told, by object."""
    async with database.transaction(business_id) as tx:
        return await tx.rows(
            "select * from webhook_events where business_id = %s order by object_id, type", [business_id]
        )


def payment_event(object_id: str, *, event: str = "payment.succeeded", **more: object) -> Row:
    """Return a notification of YooKassa."""
    return {"type": "notification", "event": event, "object": {"id": object_id, "status": "succeeded", **more}}


def yookassa_id() -> str:
    """Return an id such as YooKassa gives."""
    return str(uuid4())


def intent_event(object_id: str, *, event_id: str | None = None, kind: str = "payment_intent.succeeded") -> bytes:
    """Return an event of Stripe as it is sent."""
    event = {
        "id": event_id or f"evt_{uuid4().hex}",
        "object": "event",
        "type": kind,
        "data": {"object": {"id": object_id, "object": "payment_intent", "status": "succeeded"}},
    }
    return json.dumps(event).encode()


def signature(body: bytes, secret: str, at: float | None = None) -> str:
    """Return the header by which Stripe signs."""
    moment = int(time.time() if at is None else at)
    return f"t={moment},v1={hmac.new(secret.encode(), b'%d.' % moment + body, sha256).hexdigest()}"


@dataclass(frozen=True)
class Edge:
    """The application as a server has it, called from one address."""

    app: Litestar
    client: httpx.AsyncClient

    async def yookassa(self, business: object, event: Row | bytes, **headers: str) -> httpx.Response:
        """Tell as YooKassa does."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        path = f"/api/webhooks/yookassa/{business}"
        return await self.client.post(path, content=body, headers={"Content-Type": "application/json", **headers})

    async def stripe(self, business: object, body: bytes, signed: str | None) -> httpx.Response:
        """Tell as Stripe does."""
        headers = {"Content-Type": "application/json"} | ({} if signed is None else {"Stripe-Signature": signed})
        return await self.client.post(f"/api/webhooks/stripe/{business}", content=body, headers=headers)


@asynccontextmanager
async def opened(app_uri: str, admin_uri: str, *, peer: str = YOOKASSA, **more: Any) -> AsyncIterator[Edge]:
    """Open the application in this process with all that stands before it."""
    settings = replace(config.Settings(dsn=admin_uri, master_key=MASTER_KEY, public_writes_per_minute=0), **more)
    async with kept_open(settings, app_uri) as app:
        transport = httpx.ASGITransport(web.layered(app, settings), raise_app_exceptions=False, client=(peer, 41_234))
        async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
            yield Edge(app, client)


def heard_from(*networks: Network) -> PaymentSettings:
    """Return settings by which YooKassa tells from these networks."""
    return PaymentSettings(yookassa_networks=networks)


async def deliver(till: Paying, edge: Edge, *told: Any) -> set[int]:
    """Let the fake of a provider tell these at the same moment; return the statuses of the answers."""
    if till.account.provider is ProviderName.YOOKASSA:
        calls = [edge.yookassa(till.business_id, each.body) for each in told]
    else:
        calls = [
            edge.stripe(till.business_id, each.body, signature_of(each.body, till.fake.webhooks.secrets))
            for each in told
        ]
    return {answer.status_code for answer in await asyncio.gather(*calls)}


async def know_secrets(till: Paying) -> None:
    """Let messages be known by the secrets of the fake, where it signs."""
    if till.account.provider is ProviderName.STRIPE:
        await set_secrets(till.database, till.business_id, till.account.id, till.fake.webhooks.secrets)


async def work_off(till: Paying) -> None:
    """Do what a worker does until nothing of this business is due: its inbox, and then its money."""
    while await _due_events(till):
        await act_on_due(till.database)
        await look_up_due(till.database, till.providers)
    await till.work()


async def _due_events(till: Paying) -> bool:
    async with till.database.transaction(till.business_id) as tx:
        return bool(
            await tx.value(
                "select exists (select from webhook_events where processed_at is null and next_attempt_at <= now())"
            )
        )
