"""Invitations: by which a user chooses a password that nobody else has seen.

Derived by HMAC-SHA256 from a server key, the user, its end, when their password was last set and when they were last
let in again: so it serves once, because choosing a password changes one of these, and not after they were deactivated,
because reactivating changes another. Nothing has to be stored.
"""

import hashlib
import hmac
import re
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

_SHAPE = re.compile(r"hi_([0-9a-f]{32})_([0-9a-f]{32})_([0-9]{1,12})_([A-Za-z0-9_-]{43})")
VALID_HOURS = 72


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation says, before it is proven."""

    business_id: UUID
    user_id: UUID
    expires_at: datetime
    proof: str


class Invitations:
    """Makes and checks invitations with a key that lives outside the database."""

    def __init__(self, master_key: bytes) -> None:
        # A key of its own for this purpose, so that no other use of the master key can make an invitation.
        self._key = hmac.digest(master_key, b"holdfast invitation v1", hashlib.sha256)

    def invite(
        self,
        business_id: UUID,
        user_id: UUID,
        password_set_at: datetime | None,
        reactivated_at: datetime | None = None,
    ) -> tuple[str, datetime]:
        """Return the text of an invitation that holds for 72 hours, and its end."""
        ends = int(time.time()) + VALID_HOURS * 3_600
        proof = self._proof(business_id, user_id, ends, password_set_at, reactivated_at)
        expires_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ends)
        return f"hi_{business_id.hex}_{user_id.hex}_{ends}_{proof}", expires_at

    def proves(self, invitation: Invitation, password_set_at: datetime | None, reactivated_at: datetime | None) -> bool:
        """Return whether an invitation is ours, for this user as they are now, and has not run out."""
        ends = int(invitation.expires_at.timestamp())
        proof = self._proof(invitation.business_id, invitation.user_id, ends, password_set_at, reactivated_at)
        return hmac.compare_digest(proof, invitation.proof) and time.time() < ends

    def _proof(self, business_id: UUID, user_id: UUID, ends: int, *times: datetime | None) -> str:
        told = " ".join(["" if at is None else at.astimezone(UTC).isoformat() for at in times])
        digest = hmac.digest(self._key, business_id.bytes + user_id.bytes + f"{ends} {told}".encode(), hashlib.sha256)
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


def read(text: str) -> Invitation | None:
    """Return what an invitation says, None for a text that is none."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    ends = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(int(shape[3]), 99_999_999_999))
    return Invitation(UUID(shape[1]), UUID(shape[2]), ends, shape[4])
