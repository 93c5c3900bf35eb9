"""How the adapter of each provider is made for an account, with the addresses that settings allow."""

from collections.abc import Callable, Mapping
from uuid import UUID

from holdfast.payments.accounts import Account
from holdfast.payments.port import Provider, ProviderName
from holdfast.payments.settings import PaymentSettings
from holdfast.payments.stripe import Stripe
from holdfast.payments.yookassa import YooKassa


def openings(settings: PaymentSettings) -> Mapping[ProviderName, Callable[[UUID, Account], Provider]]:
    """Return how the adapter of each provider is made.

    Making one raises Unknown for an account at an address that the settings do not allow any more.
    """

    def yookassa(_business_id: UUID, account: Account) -> Provider:
        return YooKassa(settings.api_url_of(account.provider, account.api_url), account.account, account.secret)

    def stripe(_business_id: UUID, account: Account) -> Provider:
        return Stripe(settings.api_url_of(account.provider, account.api_url), account.secret)

    return {ProviderName.YOOKASSA: yookassa, ProviderName.STRIPE: stripe}
