"""What can go wrong about a business or a person."""

from holdfast.kernel.errors import UserError


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
