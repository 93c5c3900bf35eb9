"""What whoever runs a server sets for mail."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

_PORTS: Final = {"smtp": 587, "smtps": 465}
# The servers that nobody stands in front of.
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Tls(StrEnum):
    """How a connection to a server of mail is kept secret."""

    # From the first byte.
    IMPLICIT = "implicit"
    # By STARTTLS, without which nothing is sent.
    REQUIRED = "required"
    # By STARTTLS where the server offers it.
    OFFERED = "offered"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A server that takes mail on, and as whom it knows us."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of_url(cls, text: str) -> "SmtpServer":
        """Return the server of an address: `smtp://` with STARTTLS, `smtps://` with TLS from the first byte.

        `?starttls=` may be `required`, which it is unless the server is on this machine, `offered` or `none`. User and
        password are written as in any address, percent-encoded. Raises ValueError, which quotes nothing.
        """
        parts = urlsplit(text)
        wrong = ValueError("not an address like smtp://user:password@mail.example.org:587")
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.fragment:
            raise wrong
        try:
            port, asked = parts.port or _PORTS[parts.scheme], parse_qs(parts.query, strict_parsing=bool(parts.query))
            usual = [Tls.OFFERED if parts.hostname in _HERE else Tls.REQUIRED]
            tls = Tls(asked.pop("starttls", usual)[-1])
        except ValueError:
            raise wrong from None
        user = None if parts.username is None else unquote(parts.username)
        password = None if parts.password is None else unquote(parts.password)
        if asked or (user is None) != (password is None) or tls is Tls.IMPLICIT:
            raise wrong
        if user is not None and tls is Tls.NONE and parts.hostname not in _HERE and parts.scheme == "smtp":
            raise ValueError("a password is not sent in plain text; leave out starttls=none")
        return cls(parts.hostname, port, Tls.IMPLICIT if parts.scheme == "smtps" else tls, user, password)


@dataclass(frozen=True, slots=True)
class MailSettings:
    """How mail is sent: by which server, from which address, and where its links lead.

    Without a server no mail is sent, and what would have been is written down as suppressed. `public_url` is the
    address of this server as the world knows it, without a slash at its end. Times are for one word of the server each:
    for the last one, after which it has taken a message on, it may take four times as long.
    """

    server: SmtpServer | None = None
    sender: str = ""
    public_url: str = ""
    per_second: int = 10
    timeout_seconds: float = 30.0

    @property
    def domain(self) -> str:
        """Return the domain of the address from which mail is sent."""
        return self.sender.rpartition("@")[2]
