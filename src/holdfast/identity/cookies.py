"""The cookie of a login, and whether a call with one comes from a page of ours.

Over https its name begins with `__Host-`, so that browsers take it from this very host only, for all of its paths
(RFC 6265bis, section 4.1.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

from holdfast.identity.errors import CsrfFailed
from holdfast.identity.logins import Token
from holdfast.kernel.addresses import Network, client_of, is_from

Connection = ASGIConnection[Any, Any, Any, Any]

_HTTPS_NAME, _HTTP_NAME = "__Host-holdfast", "holdfast"


@dataclass(frozen=True, slots=True)
class Cookies:
    """How cookies travel here: `https_only` when clients reach this server by https whatever it sees of that itself.

    `trusted` are the proxies whose word about a client is taken.
    """

    https_only: bool
    trusted: Sequence[Network]
    max_age_seconds: int

    def token_in(self, connection: Connection) -> Token | None:
        """Return what the cookie of a login says, None when there is none."""
        text = connection.cookies.get(self._name(connection))
        return None if text is None else Token.read(text)

    def giving(self, connection: Connection, token: Token) -> dict[str, str]:
        """Return the header by which a browser is given the cookie."""
        return self._header(connection, token.text, self.max_age_seconds)

    def taking_back(self, connection: Connection) -> dict[str, str]:
        """Return the header by which a browser forgets the cookie."""
        return self._header(connection, "", 0)

    def client_of(self, connection: Connection) -> str:
        """Return the address that a call comes from."""
        return client_of(_peer(connection), connection.headers.getall("X-Forwarded-For", []), self.trusted)

    def is_https(self, connection: Connection) -> bool:
        """Return whether a browser has called by https."""
        if self.https_only or connection.scope["scheme"] == "https":
            return True
        told = connection.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
        return told == "https" and is_from(_peer(connection), self.trusted)

    def _header(self, connection: Connection, value: str, max_age_seconds: int) -> dict[str, str]:
        secure = "; Secure" if self.is_https(connection) else ""
        attributes = f"Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}"
        return {"Set-Cookie": f"{self._name(connection)}={value}; {attributes}"}

    def _name(self, connection: Connection) -> str:
        return _HTTPS_NAME if self.is_https(connection) else _HTTP_NAME


def check_origin(connection: Connection) -> None:
    """Raise CsrfFailed for a call that a browser makes for a page of somebody else.

    Browsers say so themselves (Fetch Metadata); of older ones the header Origin does. A call with neither is made by no
    page.
    """
    site = connection.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise CsrfFailed
        return
    origin = connection.headers.get("Origin")
    # What stands before the host is the proxy's to know.
    if origin is not None and _host_in(origin) != connection.headers.get("Host", "").lower():
        raise CsrfFailed


def _host_in(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _peer(connection: Connection) -> str | None:
    return connection.client.host if connection.client else None
