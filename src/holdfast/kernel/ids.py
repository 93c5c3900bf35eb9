"""Identifiers: UUID version 7 (RFC 9562), which grow with time and so keep indexes dense."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new globally unique identifier."""
    return uuid7()
