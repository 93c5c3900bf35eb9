"""Passwords: Argon2id with the parameters that its library advises (RFC 9106), off the event loop, a few at a time."""

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from holdfast.kernel.errors import TryLater, ValidationFailed

T = TypeVar("T")

MIN_LENGTH, MAX_LENGTH = 12, 256
# What is typed to sign in may be anything; what is chosen may not.
Typed = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LENGTH)]
Chosen = Annotated[str, msgspec.Meta(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]

# Each takes 64 MiB and a tenth of a second for itself: more at once would only starve the rest of the server.
_AT_ONCE = 2
_WAITING = 16


class Passwords:
    """Hashes and checks passwords; raises TryLater for more than a server can bear."""

    def __init__(self, *, at_once: int = _AT_ONCE, waiting: int = _WAITING) -> None:
        """Prepare; `at_once` are worked on, and `waiting` more may wait for that."""
        self._hasher = PasswordHasher()
        self._free = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self._nobodys = _nobodys_hash(self._hasher)

    async def hashed(self, password: str) -> str:
        """Return what to keep of a password. Raises ValidationFailed for one that is not fit, TryLater."""
        check(password)
        return await self._work(lambda: self._hasher.hash(_normal(password)))

    async def proves(self, password: str, kept: str | None) -> bool:
        """Return whether this is the password of which that was kept; the same work when nothing was.

        Raises TryLater.
        """
        return await self._work(lambda: self._verified(password, kept or self._nobodys)) and kept is not None

    def outdated(self, kept: str) -> bool:
        """Return whether it was kept under other parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)

    def _verified(self, password: str, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, _normal(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _work(self, work: Callable[[], T]) -> T:
        if self._room <= 0:
            raise TryLater
        self._room -= 1
        try:
            async with self._free:
                return await asyncio.to_thread(work)
        finally:
            self._room += 1


def check(password: str) -> None:
    """Raise ValidationFailed for a password that nobody should choose: too short, too long, or one sign repeated.

    Length is what counts (NIST SP 800-63B); no kinds of signs are asked for.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValidationFailed.at("password", f"must have {MIN_LENGTH} to {MAX_LENGTH} characters")
    if len(set(password)) < 4:
        raise ValidationFailed.at("password", "must have at least four different characters")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise ValidationFailed.at("password", "must be text") from None


def _normal(password: str) -> bytes:
    # Keyboards write one letter in several ways: a Cyrillic short i is one character here and two there.
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")


def _nobodys_hash(hasher: PasswordHasher) -> str:
    """Return what no password fits and what costs as much to find out as with a real hash."""
    parameters = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, tag = (b64encode(secrets.token_bytes(n)).rstrip(b"=").decode() for n in (hasher.salt_len, hasher.hash_len))
    return f"$argon2id$v=19${parameters}${salt}${tag}"
