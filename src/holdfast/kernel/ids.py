"""Identifiers: UUID version 7 (RFC 9562), which grow with time and so keep indexes dense."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new globally unique identifier."""
    return uuid7()


def uuid_or_none(text: str) -> UUID | None:
    """Return the UUID that a path or query names, or None when it is none."""
    try:
        return UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None
