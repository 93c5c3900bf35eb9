"""Accounts at payment providers: connected, their keys renewed, disconnected. Secrets go in and never out."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import PROBLEMS, Call, Form, checked, database_of, go, read_form
from holdfast.admin.integrations_page import PATH, Slip, show
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError
from holdfast.payments import accounts
from holdfast.payments.account_shapes import StripeBody, WebhookSecretBody, YooKassaBody
from holdfast.payments.accounts import candidate
from holdfast.payments.accounts_web import allowed_url, connect_account
from holdfast.payments.port import ProviderName

_PATH = f"{PATH}/payments"
_CONNECTS = [Needs(Permission.CONNECT_PAYMENTS)]
_SECRETS = ("secretKey", "webhookSecret")


@post(_PATH + "/yookassa", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_connect_yookassa(request: Call) -> Response[Any]:
    """Take payments with a shop at YooKassa, or renew its key; YooKassa is asked first."""
    form = await read_form(request)

    async def connect() -> None:
        told = checked(YooKassaBody, _typed(form, "yookassa", "shopId", "secretKey", "apiUrl"))
        api_url = allowed_url(request, told.api_url, ProviderName.YOOKASSA)
        wanted = candidate(ProviderName.YOOKASSA, shop=told.shop_id, secret=told.secret_key, api_url=api_url)
        await connect_account(request, wanted)

    return await _done(request, form, "yookassa", connect, "paying")


@post(_PATH + "/stripe", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_connect_stripe(request: Call) -> Response[Any]:
    """Take payments with an account at Stripe, or renew its keys; Stripe is asked first."""
    form = await read_form(request)

    async def connect() -> None:
        fields = ("secretKey", "publishableKey", "webhookSecret", "apiUrl")
        told = checked(StripeBody, _typed(form, "stripe", *fields))
        wanted = candidate(
            ProviderName.STRIPE,
            secret=told.secret_key,
            publishable_key=told.publishable_key,
            webhook_secret=told.webhook_secret,
            api_url=allowed_url(request, told.api_url, ProviderName.STRIPE),
        )
        await connect_account(request, wanted)

    return await _done(request, form, "stripe", connect, "paying")


@post(_PATH + "/stripe/secrets", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_add_webhook_secret(request: Call) -> Response[Any]:
    """Believe what Stripe signs with a further secret."""
    form = await read_form(request)
    staff = staff_of(request)

    async def add() -> None:
        told = checked(WebhookSecretBody, _typed(form, "secret", "webhookSecret"))

        async def work(tx: Transaction) -> object:
            return await accounts.add_webhook_secret(tx, ProviderName.STRIPE, told.webhook_secret, staff.actor)

        await database_of(request).run(staff.business_id, work)

    return await _done(request, form, "secret", add, "secret")


@post(_PATH + "/stripe/secrets/drop", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_drop_webhook_secrets(request: Call) -> Response[Any]:
    """Believe what Stripe signs with the newest secret only."""
    staff = staff_of(request)

    async def work(tx: Transaction) -> object:
        return await accounts.drop_older_webhook_secrets(tx, ProviderName.STRIPE, staff.actor)

    await database_of(request).run(staff.business_id, work)
    return go(PATH, done="secrets")


@post(_PATH + "/{provider:str}/disconnect", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_disconnect_payments(request: Call, provider: FromPath[str]) -> Response[Any]:
    """Take no new payments with a provider."""
    staff = staff_of(request)
    try:
        named = ProviderName(provider)
    except ValueError:
        raise NotFound from None

    async def work(tx: Transaction) -> object:
        return await accounts.disconnect(tx, named, staff.actor)

    await database_of(request).run(staff.business_id, work)
    return go(PATH, done="unpaying")


handlers: list[HTTPRouteHandler] = [
    admin_connect_yookassa,
    admin_connect_stripe,
    admin_add_webhook_secret,
    admin_drop_webhook_secrets,
    admin_disconnect_payments,
]


async def _done(request: Call, form: Form, name: str, work: Callable[[], Awaitable[None]], done: str) -> Response[Any]:
    try:
        await work()
    except NotFound:
        raise
    except UserError as error:
        secret = {f"{name}-{each}" for each in _SECRETS}
        typed = {each: text for each, text in form.as_typed().items() if each not in secret}
        return await show(request, slip=Slip(name, error, typed))
    return go(PATH, done=done)


def _typed(form: Form, name: str, *fields: str) -> dict[str, str]:
    return {each: form.line(f"{name}-{each}") for each in fields}
