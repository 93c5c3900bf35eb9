"""What can be wrong with an endpoint."""

from holdfast.kernel.errors import UserError


class TooManyWebhooks(UserError):
    """A business has as many endpoints as it may have; `details.most` says how many that is."""

    code, status, message = "too_many_webhooks", 409, "There are as many endpoints as there may be; remove one first"


class WebhookDisabled(UserError):
    """Nothing is sent to an endpoint that is disabled; enable it first."""

    code, status, message = "webhook_disabled", 409, "This endpoint is disabled; enable it first"
