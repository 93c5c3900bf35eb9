"""What the doctor sees of mail: whether the server of mail lets us in."""

import asyncio
from dataclasses import replace
from typing import Final

from holdfast.doctor.findings import Finding, ok, problem
from holdfast.notifications.mailer import Later, Mailer
from holdfast.notifications.settings import MailSettings

_CHECK: Final = "mail"
_PATIENCE_SECONDS: Final = 10.0
_ADVICE: Final = {
    "not_reached": "Look whether it runs, and whether HOLDFAST_SMTP_URL has its name and port.",
    "not_trusted": "Its certificate is not for this name, or from nobody this machine trusts: mend the certificate, or"
    " let SSL_CERT_FILE name the authority.",
    "not_authenticated": "Mend user and password in HOLDFAST_SMTP_URL; letters other than A-Z, digits and -._~ are"
    " percent-encoded there.",
    "server_refuses": "It may offer no STARTTLS or no sign-in: try smtps://, or `?starttls=offered` for a server that"
    " stands in your own network.",
}


def examine_mail(settings: MailSettings) -> Finding:
    """Return whether mail can be sent; speaks with the server of mail as a worker does, and sends nothing."""
    if settings.server is None:
        return ok(_CHECK, "not configured: no mail is sent")
    name = f"{settings.server.host}:{settings.server.port}"
    try:
        asyncio.run(_greet(replace(settings, timeout_seconds=_PATIENCE_SECONDS)))
    except Later as refused:
        return problem(_CHECK, f"{name}: {refused.reason}", _ADVICE[refused.reason], code=refused.code)
    return ok(_CHECK, f"{name} lets us in; mail comes from {settings.sender}")


async def _greet(settings: MailSettings) -> None:
    async with Mailer(settings) as mailer:
        await mailer.connected()
