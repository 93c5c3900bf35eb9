"""Webhooks in words: how an endpoint is, what has become of a message, and why."""

from holdfast.kernel.languages import N_
from holdfast.webhooks.deliveries import Delivery
from holdfast.webhooks.endpoints import Endpoint
from holdfast.webhooks.states import DeliveryState, EndpointState

Told = tuple[str, str]

# Why nothing is sent any more, though nobody has said so.
GIVEN_UP = {
    "failing": N_("For days nothing has arrived, so nothing is sent any more. Ask whoever runs the program."),
    "gone": N_("The program says that it is gone, so nothing is sent to it any more. Ask whoever runs it."),
}
STATES = {
    DeliveryState.PENDING: N_("On its way"),
    DeliveryState.DELIVERED: N_("Has arrived"),
    DeliveryState.FAILED: N_("Has not arrived"),
}
REASONS = {
    "refused": N_("It was refused."),
    "redirected": N_("It was sent on to another address, which is not followed."),
    "gone": N_("The program says that it is gone."),
    "not_reached": N_("There was no connection."),
    "too_slow": N_("There was no answer within 15 seconds."),
    "broken": N_("What came was no answer."),
    "unknown_host": N_("Nobody knows this server."),
    "not_public": N_("The name leads to an address that is not public."),
    "endpoint_disabled": N_("The webhook was disabled before it arrived."),
}
TRIAL = N_("A test: tells of nothing")


def endpoint_state(endpoint: Endpoint) -> Told:
    """Return how an endpoint is, and in which colour that is told."""
    if endpoint.state is EndpointState.DISABLED:
        return (N_("Given up"), "bad") if endpoint.reason in GIVEN_UP else (N_("Disabled"), "")
    if endpoint.failing_since is not None:
        return N_("Takes nothing"), "warn"
    if endpoint.last_success_at is not None:
        return N_("Works"), "good"
    return N_("Nothing was sent yet"), ""


def delivery_state(delivery: Delivery) -> Told:
    """Return what has become of a message, and in which colour that is told."""
    if delivery.state is DeliveryState.DELIVERED:
        return STATES[delivery.state], "good"
    if delivery.state is DeliveryState.FAILED:
        return STATES[delivery.state], "bad"
    return (N_("Is tried again"), "warn") if delivery.failures else (STATES[delivery.state], "cool")
