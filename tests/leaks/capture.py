"""What a run of the tests hears the product say, and what the product must not have said.

Heard are the logs of every process and the errors that clients receive. Private are all values that were ever sealed,
and all secrets that tests meet: keys, tokens, cookies, passwords.
"""

import logging
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

import argon2
import httpx
import msgspec
import pytest
import structlog

from holdfast import logs
from holdfast.booking.tokens import BookingTokens
from holdfast.kernel.privacy import TenantKeys
from leaks.finder import Finder, Leak

# A shorter secret would be guessed, and found by chance.
LEAST_SECRET_CHARACTERS = 12
# Tokens and keys: 256 random bits, in a key after its id.
SECRET = re.compile(r"(hf_[0-9a-f]{32}_)?([A-Za-z0-9_-]{43})")
# Members of bodies and forms that people think of.
PASSWORD_MEMBERS = {"password", "currentPassword", "newPassword"}
_SECRET_WORDS = re.compile(rb"assword|oken|ecret|hf_")
_SEVERAL = 40


class Capture:
    """What was heard and what is private, in one run. Threads may add to it."""

    def __init__(self) -> None:
        # Gone with this object.
        self._heard = tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        self._lock = Lock()
        self._private: dict[str, str] = {}

    def hear(self, place: str, text: str) -> None:
        """Note what the product has said, and where."""
        if text.strip():
            with self._lock:
                self._heard.write("".join(f"{place}\x1f{line}\n" for line in text.splitlines()))

    def guard(self, value: str, origin: str) -> None:
        """Note a value that must not be heard."""
        with self._lock:
            self._private.setdefault(value, origin)

    def guard_secret(self, value: str, origin: str) -> None:
        """Note a secret, if it is long enough to be one."""
        if len(value) >= LEAST_SECRET_CHARACTERS:
            self.guard(value, origin)

    def finder(self) -> Finder:
        """Return what finds all private values so far."""
        with self._lock:
            return Finder(list(self._private.items()))

    def private(self) -> dict[str, str]:
        """Return all private values so far, each with its origin."""
        with self._lock:
            return dict(self._private)

    def heard(self) -> Iterator[tuple[str, str]]:
        """Yield every line that was heard so far, with its place."""
        with self._lock:
            self._heard.flush()
        with Path(self._heard.name).open(encoding="utf-8") as lines:
            for line in lines:
                place, _, text = line.rstrip("\n").partition("\x1f")
                yield place, text


def judge(capture: Capture, *texts: Iterator[tuple[str, str]]) -> None:
    """Fail if anything private was heard, or stands in one of the texts."""
    finder = capture.finder()
    found: dict[Leak, int] = {}
    for text in (capture.heard(), *texts):
        for leak in finder.leaks(text):
            found[leak] = found.get(leak, 0) + 1
    if found:
        lines = [f"{times} x {leak}" for leak, times in list(found.items())[:_SEVERAL]]
        pytest.fail(f"{len(found)} private values stand where they must not:\n" + "\n".join(lines), pytrace=False)


# The one of this run.
RUN = Capture()


@contextmanager
def listening(capture: Capture) -> Iterator[None]:
    """Hear what this process logs and what its clients receive; guard what they send, what is sealed, what is random."""
    with _ear_for_logs(capture), pytest.MonkeyPatch.context() as patch:
        _listen(capture, patch)
        yield


def _listen(capture: Capture, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(httpx.Client, "send", _sync_heard(capture, httpx.Client.send))
    patch.setattr(httpx.AsyncClient, "send", _async_heard(capture, httpx.AsyncClient.send))

    seal, token, random_text = TenantKeys.seal, BookingTokens.token, secrets.token_urlsafe
    hashed = argon2.PasswordHasher.hash

    def sealed(keys: TenantKeys, place: str, row: Any, text: str) -> bytes:
        capture.guard(text, place)
        return seal(keys, place, row, text)

    def tokened(tokens: BookingTokens, *of: Any) -> str:
        made = token(tokens, *of)
        capture.guard_secret(made, "booking token")
        return made

    def random(size: int | None = None) -> str:
        made = random_text(size)
        capture.guard_secret(made, "random secret")
        return made

    def password_hashed(hasher: argon2.PasswordHasher, password: str | bytes, **more: Any) -> str:
        capture.guard_secret(password if isinstance(password, str) else password.decode(), "password")
        return hashed(hasher, password, **more)

    patch.setattr(TenantKeys, "seal", sealed)
    patch.setattr(BookingTokens, "token", tokened)
    patch.setattr(secrets, "token_urlsafe", random)
    patch.setattr(argon2.PasswordHasher, "hash", password_hashed)


class _Ear:
    """A stream that is heard, and shown with the test as stderr is."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def write(self, text: str) -> int:
        self._capture.hear("the log of the tests' own process", text)
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return False


@contextmanager
def _ear_for_logs(capture: Capture) -> Iterator[None]:
    """Configure logs as servers do, but into the capture as well."""
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", _Ear(capture))
        logs.configure()
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers[:] = handlers


def _sync_heard(capture: Capture, send: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    def heard(client: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        answer = send(client, request, **more)
        note_answer(capture, answer)
        return answer

    return heard


def _async_heard(capture: Capture, send: Callable[..., Any]) -> Callable[..., Any]:
    async def heard(client: httpx.AsyncClient, request: httpx.Request, **more: Any) -> httpx.Response:
        answer: httpx.Response = await send(client, request, **more)
        note_answer(capture, answer)
        return answer

    return heard


def note_answer(capture: Capture, answer: httpx.Response) -> None:
    """Hear an error; of a good answer guard the secrets that it tells, and those by which it was asked for."""
    if not answer.is_stream_consumed:
        return
    request = answer.request
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        # Not its path: that is what the client has said.
        capture.hear(f"an error {answer.status_code} of {request.method}", answer.text)
    if answer.is_error:
        return
    _guard_text(capture, request.headers.get("authorization", "").partition(" ")[2], "bearer")
    _guard_text(capture, request.headers.get("booking-token", ""), "booking token")
    _guard_cookies(capture, request.headers.get_list("cookie") + answer.headers.get_list("set-cookie"))
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        _guard_members(capture, dict(parse_qsl(_content(request).decode(errors="replace"))))
    for body in (_content(request), answer.content):
        if _SECRET_WORDS.search(body):
            _guard_members(capture, _json(body))


def _content(request: httpx.Request) -> bytes:
    try:
        return request.content
    except httpx.RequestNotRead:
        return b""


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _guard_cookies(capture: Capture, headers: list[str]) -> None:
    for header in headers:
        for part in re.split(r"[=;. ]", header):
            _guard_text(capture, part, "cookie")


def _guard_members(capture: Capture, value: Any, name: str = "") -> None:
    match value:
        case dict():
            for key, item in value.items():
                _guard_members(capture, item, key)
        case list():
            for item in value:
                _guard_members(capture, item, name)
        case str() if name in PASSWORD_MEMBERS:
            capture.guard_secret(value, name)
        case str():
            _guard_text(capture, value, name)


def _guard_text(capture: Capture, text: str, origin: str) -> None:
    """Guard a key or a token; the id in a key is no secret."""
    if shape := SECRET.fullmatch(text):
        capture.guard(shape[2], "API key" if shape[1] else origin)
