"""What can go wrong about a business or a person."""

from holdfast.kernel.errors import AuthenticationRequired, UserError


class UnknownBusiness(UserError):
    """There is no such business, or none that the caller may know of."""

    code, status, message = "unknown_business", 404, "There is no such business"


class InvalidBusinessSlug(UserError):
    """A slug is words of small letters and digits, joined by hyphens, 63 characters at most."""

    code, status = "invalid_business_slug", 422
    message = "A slug is words of small letters and digits, joined by hyphens, 63 characters at most"
    constraint = "businesses_slug_shape"


class InvalidCurrency(UserError):
    """A currency is three capital letters (ISO 4217)."""

    code, status, message = "invalid_currency", 422, "A currency is three capital letters, like EUR"
    constraint = "businesses_currency_shape"


class UnknownKey(UserError):
    """There is no such API key."""

    code, status, message = "unknown_key", 404, "There is no such API key"


class WrongCredentials(AuthenticationRequired):
    """E-mail address and password do not go together; whether there is such a user, it does not tell."""

    code, message = "wrong_credentials", "The e-mail address or the password is wrong"


class CsrfFailed(UserError):
    """A call with a login did not prove that it comes from a page of ours (RFC 6265, section 8.2)."""

    code, status = "csrf_failed", 403
    message = "This call did not prove that it comes from a page of this server; nothing was changed"


class UnknownUser(UserError):
    """There is no such user in the business."""

    code, status, message = "unknown_user", 404, "There is no such user"


class UnknownLogin(UserError):
    """The user has no such login."""

    code, status, message = "unknown_login", 404, "There is no such login"


class EmailTaken(UserError):
    """Another user of the business has this e-mail address."""

    code, status, message = "email_taken", 409, "Another user has this e-mail address"
    constraint = "users_email"

    def __init__(self) -> None:
        super().__init__(details={"field": "email"})


class LastOwner(UserError):
    """The business would be without an owner who can sign in."""

    code, status, message = "last_owner", 409, "A business keeps at least one active owner"


class InvitationInvalid(UserError):
    """An invitation was never given, has run out, or has been used: each lets a password be set once."""

    code, status, message = "invitation_invalid", 410, "This invitation was used, has run out or never was one"


class SetupOver(UserError):
    """The code of the first setup is not the one that this server gives, or somebody of staff is there already."""

    code, status = "setup_over", 410
    message = "This link does not set up anything: it is not the one that this server has given, or it has served"
