"""How Google says no."""

from http import HTTPStatus
from typing import Any

Json = dict[str, Any]

_USAGE = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"}
_CALENDAR = {"fullSyncRequired", "timeRangeEmpty", "timeRangeTooLong"}


class GoogleError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        return {} if self.retry_after is None else {"Retry-After": self.retry_after}

    def body(self) -> Json:
        """Return the body of the answer."""
        domain = "usageLimits" if self.reason in _USAGE else "calendar" if self.reason in _CALENDAR else "global"
        message = HTTPStatus(self.status).phrase
        errors = [{"domain": domain, "reason": self.reason, "message": message}]
        return {"error": {"code": self.status, "message": message, "errors": errors}}
