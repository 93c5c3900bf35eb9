"""How YooKassa says no."""

from typing import Any
from uuid import uuid4

Json = dict[str, Any]

_CODES = {
    400: "invalid_request",
    401: "invalid_credentials",
    403: "forbidden",
    404: "not_found",
    429: "too_many_requests",
    500: "internal_server_error",
}


class YooKassaError(Exception):
    """An answer that is an error; 202 is one of them: the request was taken, and is not done yet."""

    def __init__(
        self, status: int, description: str = "", parameter: str | None = None, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameter = parameter
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> Json:
        """Return the body of the answer."""
        if self.status == 202:
            waiting = {"type": "processing", "description": "Request accepted, but not processed yet"}
            return waiting | {"retry_after": 1_000 * (self.retry_after_seconds or 1)}
        body = {"type": "error", "id": str(uuid4()), "code": _CODES.get(self.status, "unknown")}
        body["description"] = self.description
        if self.parameter is not None:
            body["parameter"] = self.parameter
        return body


def refused(parameter: str, description: str) -> YooKassaError:
    """Return the refusal of a request for one member of it."""
    return YooKassaError(400, description, parameter)
