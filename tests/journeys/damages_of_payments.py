"""What can be wrong with payments: SQL that damages them, and what `verify` says of that."""

from journeys.damages import Damage, says
from journeys.references import NEW, payment, refund

_TOO_MUCH = {says("payments.refunds_do_not_exceed_their_payment", NEW)}

MONEY: dict[str, Damage] = {
    "more is on its way back than was captured": (
        payment() + refund(payment_id=NEW, state="pending"),
        _TOO_MUCH,
    ),
    "a refund has another currency than its payment": (
        payment(captured_minor="1") + refund(payment_id=NEW, state="succeeded", currency="EUR"),
        _TOO_MUCH,
    ),
}
