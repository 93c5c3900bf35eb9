"""Accounts at payment providers for owners: which there are and how they are; connected, rotated, disconnected."""

from uuid import UUID

from litestar import Response, delete, get, post, put

from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode, json_response
from holdfast.payments import accounts
from holdfast.payments.account_shapes import (
    PaymentAccountsView,
    PaymentAccountView,
    StripeBody,
    WebhookSecretBody,
    YooKassaBody,
)
from holdfast.payments.accounts import Account, candidate
from holdfast.payments.errors import told
from holdfast.payments.overview import overview, overview_of
from holdfast.payments.port import AccountFacts, ProviderError, ProviderName
from holdfast.payments.settings import PaymentSettings

_PATH = "/api/admin/integrations/payments"
_SECRETS = f"{_PATH}/stripe/webhook-secrets"
# Whether what is paid with a publishable key is play money, by how it begins.
_PLAYS = {"pk_test_": True, "pk_live_": False}


@get(
    _PATH,
    guards=[Needs(Permission.CONNECT_PAYMENTS)],
    opt=documented(answers=PaymentAccountsView, security="StaffKey"),
)
async def payment_accounts(request: Call) -> Response[bytes]:
    """Return the accounts at payment providers and how they are, without anything that opens them."""
    staff, settings = staff_of(request), _settings(request)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        found = await overview(tx)
    views = [PaymentAccountView.of(account, settings, staff.business_id) for account in found]
    return json_response(PaymentAccountsView(accounts=views, api_urls=list(settings.api_urls)))


@put(
    f"{_PATH}/yookassa",
    guards=[Needs(Permission.CONNECT_PAYMENTS)],
    opt=documented(YooKassaBody, answers=PaymentAccountView, security="StaffKey"),
)
async def connect_yookassa(request: Call) -> Response[bytes]:
    """Take new payments with a shop at YooKassa, or replace its key; YooKassa is asked first."""
    data = decode(YooKassaBody, await request.body())
    api_url = allowed_url(request, data.api_url, ProviderName.YOOKASSA)
    wanted = candidate(ProviderName.YOOKASSA, shop=data.shop_id, secret=data.secret_key, api_url=api_url)
    return await _shown(request, await connect_account(request, wanted))


@put(
    f"{_PATH}/stripe",
    guards=[Needs(Permission.CONNECT_PAYMENTS)],
    opt=documented(StripeBody, answers=PaymentAccountView, security="StaffKey"),
)
async def connect_stripe(request: Call) -> Response[bytes]:
    """Take new payments with an account at Stripe, or replace its keys; Stripe is asked first."""
    data = decode(StripeBody, await request.body())
    wanted = candidate(
        ProviderName.STRIPE,
        secret=data.secret_key,
        publishable_key=data.publishable_key,
        webhook_secret=data.webhook_secret,
        api_url=allowed_url(request, data.api_url, ProviderName.STRIPE),
    )
    return await _shown(request, await connect_account(request, wanted))


@post(
    _SECRETS,
    status_code=200,
    guards=[Needs(Permission.CONNECT_PAYMENTS)],
    opt=documented(WebhookSecretBody, answers=PaymentAccountView, security="StaffKey"),
)
async def add_webhook_secret(request: Call) -> Response[bytes]:
    """Believe what Stripe signs with a further secret; those of before stay valid until they are dropped."""
    data = decode(WebhookSecretBody, await request.body())
    actor = staff_of(request).actor

    async def work(tx: Transaction) -> UUID:
        return (await accounts.add_webhook_secret(tx, ProviderName.STRIPE, data.webhook_secret, actor)).id

    return await _shown(request, await request.app.state.database.run(staff_of(request).business_id, work))


@delete(
    _SECRETS,
    status_code=200,
    guards=[Needs(Permission.CONNECT_PAYMENTS)],
    opt=documented(answers=PaymentAccountView, security="StaffKey"),
)
async def drop_webhook_secrets(request: Call) -> Response[bytes]:
    """Believe what Stripe signs with the newest webhook secret only."""
    actor = staff_of(request).actor

    async def work(tx: Transaction) -> UUID:
        return (await accounts.drop_older_webhook_secrets(tx, ProviderName.STRIPE, actor)).id

    return await _shown(request, await request.app.state.database.run(staff_of(request).business_id, work))


@delete(
    f"{_PATH}/yookassa",
    status_code=200,
    guards=[Needs(Permission.CONNECT_PAYMENTS)],
    opt=documented(answers=PaymentAccountView, security="StaffKey"),
)
async def disconnect_yookassa(request: Call) -> Response[bytes]:
    """Take no new payments with the shop at YooKassa; what it has taken is still given back with it."""
    return await _disconnected(request, ProviderName.YOOKASSA)


@delete(
    f"{_PATH}/stripe",
    status_code=200,
    guards=[Needs(Permission.CONNECT_PAYMENTS)],
    opt=documented(answers=PaymentAccountView, security="StaffKey"),
)
async def disconnect_stripe(request: Call) -> Response[bytes]:
    """Take no new payments with the account at Stripe; what it has taken is still given back with it."""
    return await _disconnected(request, ProviderName.STRIPE)


handlers = [payment_accounts, connect_yookassa, connect_stripe, add_webhook_secret, drop_webhook_secrets]
handlers += [disconnect_yookassa, disconnect_stripe]


async def connect_account(request: Call, wanted: Account) -> UUID:
    """Ask the provider of a candidate whose account it is, write it down only then, and return its id.

    Raises ValidationFailed, AccountNotMeant and how the provider says no.
    """
    staff = staff_of(request)
    facts = await _facts(request, staff.business_id, wanted)
    plays = _PLAYS.get((wanted.publishable_key or "")[:8])
    if plays not in (None, facts.is_test):
        # Nobody could pay: clients of the one mode know nothing of payments of the other.
        raise ValidationFailed.at("publishableKey", "is of test mode and the secret key of live mode, or the reverse")

    async def work(tx: Transaction) -> UUID:
        return (await accounts.connect(tx, wanted, facts, staff.actor)).id

    account_id: UUID = await request.app.state.database.run(staff.business_id, work)
    return account_id


async def _disconnected(request: Call, provider: ProviderName) -> Response[bytes]:
    staff = staff_of(request)

    async def work(tx: Transaction) -> UUID:
        return (await accounts.disconnect(tx, provider, staff.actor)).id

    return await _shown(request, await request.app.state.database.run(staff.business_id, work))


async def _shown(request: Call, account_id: UUID) -> Response[bytes]:
    business_id = staff_of(request).business_id
    async with request.app.state.database.transaction(business_id) as tx:
        state = await overview_of(tx, account_id)
    return json_response(PaymentAccountView.of(state, _settings(request), business_id))


async def _facts(request: Call, business_id: UUID, wanted: Account) -> AccountFacts:
    """Return what a provider says of an account; no transaction is open meanwhile.

    Raises PaymentCredentialsRefused, PaymentProviderUnreachable, PaymentAccountRefused.
    """
    try:
        async with request.app.state.payment_providers.opened(business_id, wanted) as provider:
            facts: AccountFacts = await provider.facts()
    except ProviderError as error:
        raise told(error) from None
    return facts


def allowed_url(request: Call, chosen: str | None, provider: ProviderName) -> str | None:
    """Return the address that an account names, None for the usual one.

    Nothing that the settings do not name is ever asked. Raises ValidationFailed.
    """
    settings = _settings(request)
    wanted = None if chosen is None else chosen.rstrip("/")
    if wanted in (None, settings.usual_api_url(provider)):
        return None
    if wanted not in settings.api_urls:
        raise ValidationFailed.at("apiUrl", "must be one of the addresses that this server's settings allow")
    return wanted


def _settings(request: Call) -> PaymentSettings:
    settings: PaymentSettings = request.app.state.payment_settings
    return settings
