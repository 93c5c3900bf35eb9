"""The token by which whoever has sent a question sees what became of it.

Derived by HMAC-SHA256 from a server key and the question, so that nothing in the database reveals it.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from uuid import UUID


class QuestionTokens:
    """Makes and checks the tokens of questions with a key that lives outside the database."""

    def __init__(self, master_key: bytes) -> None:
        # A key of its own for this purpose, so that no other use of the master key can make a token.
        self._key = hmac.digest(master_key, b"holdfast question token v1", hashlib.sha256)

    def token(self, business_id: UUID, item_id: UUID) -> str:
        """Return the token: 43 characters that carry 256 bits."""
        digest = hmac.digest(self._key, business_id.bytes + item_id.bytes, hashlib.sha256)
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def proves(self, token: str | None, business_id: UUID, item_id: UUID) -> bool:
        """Return whether the token is that of the question; in constant time."""
        return hmac.compare_digest((token or "").encode(), self.token(business_id, item_id).encode())
