"""What a call of a provider that has failed means for the next one, and for staff."""

from holdfast.kernel.attention import Severity, raise_item
from holdfast.kernel.database import Transaction
from holdfast.kernel.patience import after_failure
from holdfast.payments import tasks
from holdfast.payments.accounts import Account
from holdfast.payments.port import ProviderError, Unauthorized, Unknown

# Nothing mends by itself so soon when the provider does not know us.
_UNAUTHORIZED_SECONDS = 60.0


def code_of(failure: ProviderError | TimeoutError) -> str:
    """Return the word for a failure; one that took too long is as unknown as one that broke off."""
    return failure.code if isinstance(failure, ProviderError) else Unknown.code


def seconds_after(failure: BaseException | None, failures: int) -> float:
    """Return the seconds until the next attempt after so many failures in a row, never less than the provider asks."""
    asked = failure.retry_after if isinstance(failure, Unknown) else None
    least = _UNAUTHORIZED_SECONDS if isinstance(failure, Unauthorized) else 0.0
    return max(after_failure(failures, asked), least)


async def tell_staff(tx: Transaction, failure: BaseException, account: Account) -> None:
    """Put an account that is not let in before staff; everything else passes by itself."""
    if isinstance(failure, Unauthorized):
        kind, provider = tasks.ACCOUNT_UNAUTHORIZED, account.provider
        await raise_item(tx, kind, account.id, Severity.URGENT, provider=provider)
