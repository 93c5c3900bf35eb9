"""Errors that a user can meet, each said once: code, status, message, and the constraint that raises it."""

from typing import Any, ClassVar

_by_code: dict[str, type["UserError"]] = {}
_by_constraint: dict[str, type["UserError"]] = {}


class UserError(Exception):
    """Something a caller can understand and mend; rendered as problem+json or as a page from the same fields.

    A subclass states `code`, `status` (HTTP) and `message`. `constraint` names the database constraint whose
    violation means this error, and `field` the member of the request that the constraint is about. `details` says what
    the code alone does not.
    """

    code: ClassVar[str] = ""
    status: int = 400
    message: str = ""
    constraint: ClassVar[str | None] = None
    field: ClassVar[str | None] = None

    def __init__(self, message: str | None = None, *, details: dict[str, Any] | None = None) -> None:
        self.message = message or type(self).message
        self.details = details or ({} if self.field is None else {"field": self.field})
        super().__init__(self.message)

    def __init_subclass__(cls) -> None:
        if not cls.code or not cls.message:
            raise TypeError(f"{cls.__name__} states no code or no message")
        if cls.code in _by_code:
            raise TypeError(f"error code {cls.code} belongs to {_by_code[cls.code].__name__} already")
        _by_code[cls.code] = cls
        if cls.constraint is not None:
            if cls.constraint in _by_constraint:
                raise TypeError(f"constraint {cls.constraint} belongs to another error already")
            _by_constraint[cls.constraint] = cls

    @property
    def headers(self) -> dict[str, str]:
        """Return headers of the answer that belong to the error."""
        return {}


def known_errors() -> dict[str, type[UserError]]:
    """Return every error class by its code."""
    return dict(_by_code)


def error_of_constraint(constraint: str | None) -> type[UserError] | None:
    """Return the error that a violated constraint means, if one claims it."""
    return _by_constraint.get(constraint) if constraint else None


class ValidationFailed(UserError):
    """The request is malformed; `details.errors` lists what is wrong and where."""

    code, status, message = "validation_failed", 400, "The request is not valid"

    @classmethod
    def at(cls, field: str, problem: str) -> "ValidationFailed":
        """Return the error for one field of the request."""
        return cls(f"{field}: {problem}", details={"errors": [{"field": field, "message": problem}]})


class NotFound(UserError):
    """There is no such thing, or none that the caller may know of."""

    code, status, message = "not_found", 404, "There is nothing here"


class BodyTooLarge(UserError):
    """What was sent is longer than the call reads; nothing has happened."""

    code, status = "body_too_large", 413
    message = "This is too much to send at once; nothing was changed, send less"


class AuthenticationRequired(UserError):
    """The call needs a proof of identity, and the one given (if any) does not fit."""

    code, status, message = "authentication_required", 401, "This call needs a valid token"

    @property
    def headers(self) -> dict[str, str]:
        """Tell how an identity is proved, as every 401 has to."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(UserError):
    """It is known who calls, and their role does not allow it."""

    code, status, message = "forbidden", 403, "Your role does not allow this"


class TryLater(UserError):
    """The server cannot take the request now; nothing has happened."""

    code, status, message = "overloaded", 503, "The server is busy; nothing was changed, try again shortly"

    @property
    def headers(self) -> dict[str, str]:
        """Tell when to come back, in seconds."""
        return {"Retry-After": "1"}


class TooManyRequests(UserError):
    """The client, or all clients of the business together, have written as often as they may in a minute.

    `details.limit` says whose limit it is, `client` or `business`; nothing has happened.
    """

    code, status = "too_many_requests", 429
    message = "This is too often; nothing was changed, try again later"
    retry_after_seconds: int = 60

    @classmethod
    def of(cls, whose: str, retry_after_seconds: int) -> "TooManyRequests":
        """Return the error for a limit that ends in so many seconds."""
        error = cls(details={"limit": whose, "retryAfterSeconds": retry_after_seconds})
        error.retry_after_seconds = retry_after_seconds
        return error

    @property
    def headers(self) -> dict[str, str]:
        """Tell when to come back, in seconds."""
        return {"Retry-After": str(self.retry_after_seconds)}


class OutcomeUnknown(UserError):
    """The connection to the database was lost in the middle of a commit, twice: nobody knows whether it took effect.

    Repeat the request with the same idempotency key; it takes effect at most once.
    """

    code, status = "outcome_unknown", 503
    message = "It is not known whether the request took effect; repeat it with the same idempotency key"

    @property
    def headers(self) -> dict[str, str]:
        """Tell when to come back, in seconds."""
        return {"Retry-After": "1"}
