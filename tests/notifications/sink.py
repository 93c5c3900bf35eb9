"""A real server of SMTP that keeps what it is sent, and fails as real ones do."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# It tells of every address; what a server of ours tells is what the tests listen to.
logging.getLogger("mail").setLevel(logging.CRITICAL + 1)

Answer = str
Refusal = Callable[[str], Answer | None]


@dataclass(frozen=True)
class Mail:
    """A message as it arrived: for whom the envelope is, the bytes, and what a program reads in them."""

    sender: str
    recipient: str
    body: bytes = field(repr=False)

    @property
    def message(self) -> EmailMessage:
        """The message, read."""
        read = message_from_bytes(self.body, policy=policy.default)
        assert isinstance(read, EmailMessage)
        return read

    @property
    def subject(self) -> str:
        """Its subject, as it is shown."""
        return str(self.message["Subject"])

    def part(self, subtype: str) -> EmailMessage:
        """Return the first part of this subtype that is no attachment."""
        found = [p for p in self.message.walk() if p.get_content_subtype() == subtype and not p.is_attachment()]
        assert found, [p.get_content_type() for p in self.message.walk()]
        part = found[0]
        assert isinstance(part, EmailMessage)
        return part

    @property
    def text(self) -> str:
        """The plain text."""
        content: str = self.part("plain").get_content()
        return content.replace("\r\n", "\n")

    @property
    def html(self) -> str:
        """The HTML."""
        content: str = self.part("html").get_content()
        return content.replace("\r\n", "\n")


@dataclass
class Sink:
    """What has arrived, and how the server behaves: each of these is asked before it answers as usual."""

    mails: list[Mail] = field(default_factory=list)
    connections: int = 0
    refuse_sender: Refusal = lambda _: None
    refuse_recipient: Refusal = lambda _: None
    refuse_data: Refusal = lambda _: None
    # Take a message on and hang up before saying so; or say nothing at all until this is set.
    drops: bool = False
    holds: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    @property
    def url(self) -> str:
        """How it is reached."""
        return f"smtp://127.0.0.1:{self.port}"

    def taken(self) -> list[Mail]:
        """Return what has arrived since the last time."""
        found, self.mails = self.mails, []
        return found

    def only(self) -> Mail:
        """Return the one message that has arrived since the last time."""
        [mail] = self.taken()
        return mail

    async def handle_MAIL(  # noqa: N802 - the names of the library
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Hear from whom a message is."""
        refusal = self.refuse_sender(address)
        if refusal is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return refusal or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Hear for whom a message is."""
        refusal = self.refuse_recipient(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a message on."""
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        [recipient] = envelope.rcpt_tos
        refusal = self.refuse_data(recipient)
        if refusal is not None:
            return refusal
        self.mails.append(Mail(envelope.mail_from, recipient, envelope.content))
        self.arrived.set()
        if self.drops:
            assert server.transport is not None
            server.transport.abort()
        if self.holds is not None:
            await self.holds.wait()
        return "250 OK"


@asynccontextmanager
async def open_sink(
    *, tls: ssl.SSLContext | None = None, starttls: bool = False, login: tuple[str, str] | None = None
) -> AsyncIterator[Sink]:
    """Run a server on a free port: with TLS from the first byte or by STARTTLS, and for whoever signs in, if at all."""
    sink = Sink()
    settings: dict[str, Any] = {"enable_SMTPUTF8": True, "hostname": "sink.test"}
    if starttls:
        settings |= {"tls_context": tls, "require_starttls": True}
    if login is not None:
        # The library sees no TLS that was there before it.
        settings |= {"authenticator": _authenticator(login), "auth_required": starttls, "auth_require_tls": starttls}
    running: set[asyncio.Transport] = set()

    class Counted(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            sink.connections += 1
            assert isinstance(transport, asyncio.Transport)
            running.add(transport)
            super().connection_made(transport)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Counted(sink, loop=loop, **settings), "127.0.0.1", 0, ssl=None if starttls else tls
    )
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        for transport in running:
            transport.abort()
        await server.wait_closed()


@contextmanager
def own_certificate(folder: Path) -> Iterator[tuple[ssl.SSLContext, ssl.SSLContext]]:
    """Make a certificate of our own for this machine: what a server shows, and what trusts nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "sink.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    shows = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shows.load_cert_chain(file)
    yield shows, ssl.create_default_context(cafile=str(file))
    file.unlink()


def _authenticator(login: tuple[str, str]) -> Callable[..., AuthResult]:
    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        # Not handled here: what a stranger hears is the library's word.
        return AuthResult(success=given == login, handled=given == login)

    return authenticate
