"""What can go wrong about money."""

from holdfast.kernel.errors import UserError
from holdfast.payments.port import ProviderError, Refused, Unauthorized, Unknown


class DuplicatePayment(UserError):
    """Another payment of the business has this id of the provider."""

    code, status, message = "duplicate_payment", 409, "There is a payment with this id of the provider already"
    constraint, field = "payments_provider_payment_id", "providerPaymentId"


class DuplicatePaymentKey(UserError):
    """Another payment of the business was asked of the provider with this key."""

    code, status, message = "duplicate_payment_key", 409, "There is a payment with this key already"
    constraint, field = "payments_provider_key", "providerKey"


class DuplicateAttempt(UserError):
    """Two attempts to pay one booking were begun at the same moment; one of them is there."""

    code, status, message = "duplicate_attempt", 409, "Another payment of this booking was begun at the same moment"
    constraint, field = "payments_attempt", "bookingId"


class DuplicateWebhookEvent(UserError):
    """The provider has told this before: whoever hears it again does nothing."""

    code, status, message = "duplicate_webhook_event", 409, "This event of the provider was recorded before"
    constraint, field = "webhook_events_event_id", "eventId"


class UnreadableNotice(UserError):
    """What a provider is said to tell is not in its words."""

    code, status, message = "unreadable_notice", 400, "This is no notification of the provider"


class AccountNotMeant(UserError):
    """The provider lets us in, as somebody else than we said."""

    code, status = "payment_account_not_meant", 422
    message = "The provider says that this key belongs to another shop; check the number of the shop"


class TooManyWebhookSecrets(UserError):
    """Messages are known by as many secrets as may be kept; the older ones have to be dropped first."""

    code, status = "too_many_webhook_secrets", 409
    message = "There are five webhook secrets already; drop the older ones first"


class InvalidSignature(UserError):
    """A notice that its provider has not signed with a secret of the business, or not in the last minutes."""

    code, status, message = "invalid_signature", 400, "The signature of this notice is not valid"


class NotTheProvider(UserError):
    """Somebody tells of payments from where the provider does not."""

    code, status, message = "not_the_provider", 403, "This is heard from the provider's own addresses only"


class PaymentCredentialsRefused(UserError):
    """The provider does not let us in with this secret."""

    code, status = "payment_credentials_refused", 422
    message = "The provider does not accept this key; look it up in your account there"


class PaymentProviderUnreachable(UserError):
    """The provider does not answer, or asks for patience; nothing was stored."""

    code, status = "payment_provider_unreachable", 503
    message = "The provider does not answer; nothing was changed, try again in a minute"

    @property
    def headers(self) -> dict[str, str]:
        """Tell when to come back, in seconds."""
        return {"Retry-After": "60"}


class PaymentAccountRefused(UserError):
    """The provider knows us and refuses to tell whose account it is; `details.reason` is its word for why."""

    code, status, message = "payment_account_refused", 422, "The provider refuses this account"


class RefundExceedsPayment(UserError):
    """More would go back than is left of what was taken; `details.leftMinor` says how much is."""

    code, status, message = "refund_exceeds_payment", 409, "This is more than is left of what was paid"

    @classmethod
    def over(cls, left_minor: int) -> "RefundExceedsPayment":
        """Return the error for a payment of which so much is left."""
        return cls(details={"leftMinor": left_minor})


class RefundNotRefused(UserError):
    """Only a refund that the provider has refused can be tried again, and only while no other one takes its place."""

    code, status, message = "refund_not_refused", 409, "This refund was not refused, or is being tried again already"


def told(error: ProviderError) -> UserError:
    """Return what a provider has said no with as an error for whoever connects an account."""
    if isinstance(error, Unauthorized):
        return PaymentCredentialsRefused()
    if isinstance(error, Unknown):
        return PaymentProviderUnreachable()
    return PaymentAccountRefused(details={"reason": error.reason if isinstance(error, Refused) else error.code})
