"""What can go wrong when staff have something sent."""

from holdfast.kernel.errors import UserError


class MailNotConfigured(UserError):
    """This server has no server of mail, so that nothing is sent from it."""

    code, status, message = "mail_not_configured", 409, "No mail can be sent from this server yet"


class NoAddress(UserError):
    """Who asks has no address of mail: a key, not a user who is signed in."""

    code, status, message = "no_address", 409, "Sign in as a user: a test is sent to your own address"
