"""What of money needs a person, as it stands in the inbox; some of it only says what has been done by itself.

Amounts and the provider's ids are not told here: they are read in the payment. Whoever resolves an item that says that
money is not where it belongs has seen to that money: `verify` takes his word for it.
"""

from holdfast.kernel.attention import KINDS
from holdfast.kernel.tracking import identifier, one_of
from holdfast.payments.states import Cause

_PROVIDER = one_of("yookassa", "stripe")

# The subject is the payment.
# A refund was refused; settled when another one of its cause has gone through.
REFUND_REFUSED = KINDS.declare("refund_refused", booking=identifier, refund=identifier, cause=one_of(*Cause))
# It is not as it was asked for: nothing is confirmed by it, and its money goes back.
MISMATCH = KINDS.declare(
    "payment_mismatch", booking=identifier, what=one_of("amount", "currency", "mode", "account", "booking")
)
# The provider would not make it, since something about the account or the settings is not right.
REFUSED = KINDS.declare("payment_refused", booking=identifier)
# It came when the place was gone, or when another had paid already: the money goes back by itself.
LATE = KINDS.declare("payment_late", booking=identifier)
DUPLICATE = KINDS.declare("payment_duplicate", booking=identifier)
# Somebody has given money back at the provider itself; it is in the ledger as goodwill.
REFUNDED_ELSEWHERE = KINDS.declare("payment_refunded_elsewhere", booking=identifier, refund=identifier)

# The subject is made from the provider's id by `payments.comparison.Books.subject_of`; the ids in the details are those
# that stand in the object at the provider.
# Money is at the provider in the name of the business for a booking that there is not here.
UNEXPLAINED = KINDS.declare("payment_unexplained", account=identifier, booking=identifier, payment=identifier)

# The subject is the account.
ACCOUNT_UNAUTHORIZED = KINDS.declare("payment_account_unauthorized", provider=_PROVIDER)

# The subject is the event.
EVENT_UNPROCESSED = KINDS.declare("payment_event_unprocessed", provider=_PROVIDER)
