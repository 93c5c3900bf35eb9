"""What the code at hand is about: the ids of a request and of what it touches, for every line that is logged in it.

Ids only: whatever is noted here reaches the logs.
"""

import itertools
import re
import secrets
from collections.abc import Iterator, MutableMapping
from contextvars import ContextVar
from typing import Any
from uuid import UUID

# The scope of the request, which carries the notes: it is there already, and a request is in a hurry.
ABOUT: ContextVar[MutableMapping[str, Any] | None] = ContextVar("holdfast_about", default=None)

# Under these names of the scope; a line of the log has them without what stands before the dot.
REQUEST_ID = "holdfast.request_id"
BUSINESS_ID = "holdfast.business_id"
BOOKING_ID = "holdfast.booking_id"
TRACE_ID = "holdfast.trace_id"
CODE = "holdfast.code"
_KNOWN = {name: name.partition(".")[2] for name in (REQUEST_ID, TRACE_ID, BUSINESS_ID, BOOKING_ID, CODE)}

# Letters and digits both, and no more of them than a UUID has: so the id of a gateway passes, and no name, telephone
# number, address of mail, token or key does, should somebody put one there.
_SANE = re.compile(rb"(?=[0-9._-]*[A-Za-z])(?=[A-Za-z._-]*[0-9])[A-Za-z0-9._-]{8,36}")


def new_ids() -> Iterator[bytes]:
    """Return ids for requests that bring none: random for who asks, counted from there.

    To be asked for by a process itself, after it has been forked from another one.
    """
    return map(f"h{secrets.token_hex(8)}%08x".encode().__mod__, itertools.count(1))


def is_sane(id_: bytes) -> bool:
    """Tell whether an id that a request brings is fit to be logged and sent back.

    Fit are 8 to 36 letters, digits and `._-`, with at least one letter and one digit.
    """
    return _SANE.fullmatch(id_) is not None


def note(what: str, value: UUID | str) -> None:
    """Add an id, or a word of ours, to every further line that is logged in this request."""
    about = ABOUT.get()
    if about is not None:
        about[what] = value


def instance_of_request() -> str | None:
    """Return the request at hand as a URN, by which an error says that it is one of its kind (RFC 9457)."""
    about = ABOUT.get()
    id_ = None if about is None else about.get(REQUEST_ID)
    return None if id_ is None else f"urn:holdfast:request:{id_.decode()}"


def notes() -> dict[str, str]:
    """Return everything that is known of the request at hand; nothing outside of one."""
    about = ABOUT.get() or {}
    return {
        shown: value.decode() if isinstance(value, bytes) else str(value)
        for name, shown in _KNOWN.items()
        if (value := about.get(name)) is not None
    }
