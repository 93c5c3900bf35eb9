"""The shapes in which accounts at payment providers travel over the API; secrets go in and never out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.kernel.http import worded
from holdfast.payments.overview import AccountState
from holdfast.payments.port import ProviderName
from holdfast.payments.settings import PaymentSettings

_SECRET = worded(r"^[!-~]+$(?![\s\S])", "must be letters, digits and signs of ASCII, without spaces")
_SHOP = worded(r"^[0-9A-Za-z_-]+$(?![\s\S])", "must be the number of a shop")
# Whoever mistakes it for the secret key would have that shown to everybody.
_PUBLISHABLE = worded(r"^pk_[0-9A-Za-z_]+$(?![\s\S])", "must be the publishable key, which begins with pk_")
# Whoever gives another secret instead hears nothing of Stripe any more.
_SIGNING = worded(
    r"^whsec_[!-~]+$(?![\s\S])", "must be the signing secret of the webhook endpoint, which begins with whsec_"
)

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_SECRET)]
Shop = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=_SHOP)]
PublishableKey = Annotated[str, msgspec.Meta(min_length=4, max_length=255, pattern=_PUBLISHABLE)]
SigningSecret = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_SIGNING)]
ApiUrl = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]

# What has to be told to us, as the provider's own pages name it.
EVENTS = {
    ProviderName.YOOKASSA: (
        "payment.waiting_for_capture",
        "payment.succeeded",
        "payment.canceled",
        "refund.succeeded",
    ),
    ProviderName.STRIPE: (
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "charge.refunded",
        "refund.created",
        "refund.updated",
        "refund.failed",
    ),
}


class YooKassaBody(msgspec.Struct, rename="camel", kw_only=True):
    """A shop at YooKassa. The secret key is never told again.

    `apiUrl` is one of those that the server's settings allow; nothing is where YooKassa usually is.
    """

    shop_id: Shop
    secret_key: Secret
    api_url: ApiUrl | None = None


class StripeBody(msgspec.Struct, rename="camel", kw_only=True):
    """An account at Stripe. The secret key and the webhook secret are never told again.

    Without a webhook secret nothing that Stripe tells is believed, and payments are asked for instead, which is slower.
    `apiUrl` is one of those that the server's settings allow; nothing is where Stripe usually is.
    """

    secret_key: Secret
    publishable_key: PublishableKey
    webhook_secret: SigningSecret | None = None
    api_url: ApiUrl | None = None


class WebhookSecretBody(msgspec.Struct, rename="camel", kw_only=True):
    """A further secret with which Stripe signs; those of before stay valid until they are dropped."""

    webhook_secret: SigningSecret


class PaymentAccountView(msgspec.Struct, rename="camel", kw_only=True):
    """An account and how it is.

    `state` is `active` (new payments are made with it), `inactive` (what it has taken is given back with it) or
    `unauthorized` (the provider does not accept its secret any more). `webhookUrl` is to be registered at the provider
    for `webhookEvents`; null where the server does not know its own address. `openPayments` are payments and refunds
    that the provider has not brought to an end.
    """

    id: UUID
    provider: str
    account: str
    is_test: bool
    state: str
    publishable_key: str | None
    api_url: str | None
    webhook_url: str | None
    webhook_events: list[str]
    webhook_secrets: int
    last_webhook_at: datetime | None
    last_reconciled_at: datetime | None
    open_payments: int
    error_code: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, account: AccountState, settings: PaymentSettings, business_id: UUID) -> "PaymentAccountView":
        """Return what is shown of an account."""
        return cls(
            id=account.id,
            provider=account.provider,
            account=account.account,
            is_test=account.is_test,
            state=account.state,
            publishable_key=account.publishable_key,
            api_url=account.api_url,
            webhook_url=settings.webhook_url(account.provider, business_id),
            webhook_events=list(EVENTS[account.provider]),
            webhook_secrets=account.webhook_secrets,
            last_webhook_at=account.last_webhook_at,
            last_reconciled_at=account.last_reconciled_at,
            open_payments=account.open_payments,
            error_code=account.error_code,
            created_at=account.created_at,
            changed_at=account.changed_at,
        )


class PaymentAccountsView(msgspec.Struct, rename="camel", kw_only=True):
    """The accounts of the business, the active one first, then the newest; and what addresses one may choose."""

    accounts: list[PaymentAccountView]
    api_urls: list[str]
