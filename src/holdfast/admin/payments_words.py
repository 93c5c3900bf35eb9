"""Payments and refunds in words."""

from holdfast.kernel.languages import N_
from holdfast.payments.port import ProviderName
from holdfast.payments.states import Cause, PaymentState, RefundState

# What a state is called, and in which colour it is told.
PAYMENT_STATES = {
    PaymentState.CREATED: (N_("Begun"), ""),
    PaymentState.PENDING: (N_("Waits for the client"), "warn"),
    PaymentState.AUTHORIZED: (N_("Money set aside"), "cool"),
    PaymentState.SUCCEEDED: (N_("Paid"), "good"),
    PaymentState.CANCELLED: (N_("Not paid"), ""),
    PaymentState.FAILED: (N_("Failed"), "bad"),
}
REFUND_STATES = {
    RefundState.CREATED: (N_("Will be sent"), "cool"),
    RefundState.PENDING: (N_("On its way back"), "cool"),
    RefundState.SUCCEEDED: (N_("Given back"), "good"),
    RefundState.REFUSED: (N_("Refused by the provider"), "bad"),
}
CAUSES = {
    Cause.POLICY: N_("the booking was cancelled or refunded"),
    Cause.GOODWILL: N_("goodwill"),
    Cause.LATE: N_("it came when the place was gone"),
    Cause.DUPLICATE: N_("another payment pays the booking"),
    Cause.MISMATCH: N_("it is not what was asked for"),
}
PROVIDERS = {ProviderName.YOOKASSA: "YooKassa", ProviderName.STRIPE: "Stripe"}
