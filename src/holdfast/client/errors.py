"""What may come of a call instead of its answer."""

from typing import Any

import msgspec

from holdfast.client.shapes import Alternative


class HoldfastError(Exception):
    """Anything that a client raises by itself."""


class Refused(HoldfastError):
    """The server says no, and says why; repeating does not help. `code` is for programs, the message for people."""

    def __init__(self, status: int, code: str, message: str, details: dict[str, Any]) -> None:
        # As they came, so that it can be handed on to another process.
        super().__init__(status, code, message, details)
        self.status, self.code, self.message, self.details = status, code, message, details

    def __str__(self) -> str:
        """Say what the server has said."""
        return f"{self.code}: {self.message}"


class SlotTaken(Refused):
    """Somebody else has the place."""

    @property
    def alternatives(self) -> list[Alternative]:
        """Return the nearest times that were free at that moment."""
        return msgspec.convert(self.details.get("alternatives", []), list[Alternative])


class NotThere(Refused):
    """What was named is not there, or not any more: a reservation that has run out, for instance."""


class Changed(Refused):
    """Somebody has changed it since the version that was named; look at it again and decide anew."""


class Unavailable(HoldfastError):
    """The server was not reached, or could not help, until the patience of the client was over; nothing was changed."""


class OutcomeUnknown(HoldfastError):
    """It is not known whether the request took effect.

    Call again with `key`, however much later: it takes effect at most once, and the answer says what became of it.
    """

    def __init__(self, key: str | None) -> None:
        super().__init__("it is not known whether the request took effect; call again with the same key")
        self.key = key


class Unreadable(HoldfastError):
    """Whoever answered is not a Holdfast server, or one of a release that this client does not know."""


class Told(msgspec.Struct):
    """A problem as a server tells it (RFC 9457)."""

    code: str
    message: str
    details: dict[str, Any] = {}


_BY_CODE: dict[str, type[Refused]] = {"slot_conflict": SlotTaken, "CONFLICT": Changed}
_NOT_FOUND, _GONE = 404, 410


def refusal_of(status: int, told: Told) -> Refused:
    """Return a refusal as the class that callers may wish to catch."""
    kind = _BY_CODE.get(told.code, NotThere if status in {_NOT_FOUND, _GONE} else Refused)
    return kind(status, told.code, told.message, told.details)
