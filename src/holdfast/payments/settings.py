"""What whoever runs a server sets for payments."""

from dataclasses import dataclass

from holdfast.kernel.addresses import Network
from holdfast.payments.port import ProviderName, Unknown
from holdfast.payments.yookassa_notices import NETWORKS


@dataclass(frozen=True, slots=True)
class PaymentSettings:
    """How providers are reached, and how they reach us.

    `api_urls` are the addresses that a business may choose for its account instead of the usual one; it can choose no
    other, so that nobody has our server ask what only it can reach. `public_url` is the address of this server as the
    world knows it, without a slash at its end: where clients come back to, and messages.
    """

    yookassa_api_url: str = "https://api.yookassa.ru/v3"
    yookassa_networks: tuple[Network, ...] = NETWORKS
    stripe_api_url: str = "https://api.stripe.com"
    api_urls: tuple[str, ...] = ()
    public_url: str | None = None

    def usual_api_url(self, provider: ProviderName) -> str:
        """Return where a provider is for an account that names no address of its own."""
        return self.yookassa_api_url if provider is ProviderName.YOOKASSA else self.stripe_api_url

    def api_url_of(self, provider: ProviderName, chosen: str | None) -> str:
        """Return where the provider of an account is asked, given what the account names.

        Raises Unknown when that address is not allowed any more: nothing is asked of it, and nothing is lost.
        """
        if chosen is not None and chosen not in self.api_urls:
            raise Unknown("the address of the account is none that this server's settings allow")
        return chosen or self.usual_api_url(provider)

    def webhook_url(self, provider: ProviderName, business: object) -> str | None:
        """Return where a provider tells of changes for a business; None where it cannot reach us."""
        return None if self.public_url is None else f"{self.public_url}/api/webhooks/{provider}/{business}"
