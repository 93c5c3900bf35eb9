"""How Stripe says no."""

from typing import Any

Json = dict[str, Any]


class StripeRefusal(Exception):
    """An answer that is an error. One that is `kept` is given again for the same key, also where it is a failure."""

    def __init__(
        self,
        status: int,
        kind: str = "invalid_request_error",
        code: str | None = None,
        *,
        param: str | None = None,
        more: Json | None = None,
        kept: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code or kind}")
        self.status, self.kind, self.code, self.param = status, kind, code, param
        self.more, self.kept, self.headers = more or {}, kept, headers or {}

    def body(self) -> Json:
        """Return the body of the answer. Its message quotes more than anybody should log."""
        words = {"code": self.code, "param": self.param}
        error = {
            "type": self.kind,
            "message": f"Something about {self.param or 'it'} of the Guest Vanderquill",
            **{name: value for name, value in words.items() if value is not None},
            **self.more,
        }
        return {"error": error}


def invalid(code: str, param: str) -> StripeRefusal:
    """Return the refusal of a request that was not begun."""
    return StripeRefusal(400, code=code, param=param)


def missing(param: str) -> StripeRefusal:
    """Return the refusal of what there is not."""
    return StripeRefusal(404, code="resource_missing", param=param, kept=True)


def failed(status: int) -> StripeRefusal:
    """Return an error by its status: a 500 is Stripe's own and is kept, others are of what stands before it."""
    if status == 429:
        return too_many()
    return StripeRefusal(status, "api_error", kept=status == 500)


def too_many(code: str = "rate_limit", retry_after: str | None = None) -> StripeRefusal:
    """Return the refusal of too many requests, or of one for what another holds: nothing was done."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return StripeRefusal(429, code=code, headers=headers)
