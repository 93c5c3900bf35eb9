"""Speaks SMTP: hands a message to the server of mail, and says exactly what is known of it afterwards."""

import asyncio
import ssl
import time
from types import TracebackType
from typing import Final, Self

import aiosmtplib
from aiosmtplib import SMTP

from holdfast.notifications.settings import MailSettings, SmtpServer, Tls

# Servers end a connection that has been idle for a while, or that has brought many messages.
_IDLE_SECONDS: Final = 20.0
_MESSAGES: Final = 100
# For its last word a server may take its time: it may look into the message before it takes it on.
_LAST_WORD: Final = 4


class NotSent(Exception):
    """A message was not taken on, which is certain; `reason` is a word for it, `code` the server's if it gave one."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Later(NotSent):
    """The server cannot be reached, or does not take the message on now."""


class Never(NotSent):
    """The server will not take this message on."""


class Unheard(Exception):
    """The message was handed over, and the answer was not heard: it may have been taken on."""


class Mailer:
    """One connection to the server of mail, made when it is needed, and used for as many messages as it bears.

    Not for several tasks at once.
    """

    def __init__(self, settings: MailSettings, tls: ssl.SSLContext | None = None) -> None:
        """Prepare; `tls` is what a server is trusted by, usually what this machine trusts."""
        assert settings.server is not None, "without a server there is nothing to speak to"
        self._settings = settings
        self._server: SmtpServer = settings.server
        self._tls = tls
        self._client: SMTP | None = None
        self._used = 0
        self._last = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, recipient: str, message: bytes) -> None:
        """Hand a message to the server for one recipient, no sooner than the pace allows.

        Returns when the server has taken it on. Raises Later, Never, Unheard.
        """
        client = await self.connected()
        await asyncio.sleep(self._last + 1 / self._settings.per_second - time.monotonic())
        self._last = time.monotonic()
        self._used += 1
        options = ["SMTPUTF8"] if not recipient.isascii() else []
        if options and not client.supports_extension("smtputf8"):
            raise Never("address_not_supported")
        try:
            await client.mail(self._settings.sender, options=options)
            await client.rcpt(recipient, encoding="utf-8")
        except aiosmtplib.SMTPSenderRefused as refused:
            # It is us whom the server does not want, whatever the message: that can be mended.
            await self._begin_anew()
            raise Later("sender_refused", refused.code) from None
        except aiosmtplib.SMTPResponseException as refused:
            await self._begin_anew()
            raise _refusal(refused) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as failed:
            self._drop()
            raise Later("connection_lost") from failed
        try:
            await client.data(message, timeout=self._settings.timeout_seconds * _LAST_WORD)
        except aiosmtplib.SMTPResponseException as refused:
            await self._begin_anew()
            raise _refusal(refused) from None
        except BaseException as failed:
            # From here on the server may have it, whatever has ended the wait.
            self._drop()
            if isinstance(failed, aiosmtplib.SMTPException | OSError):
                raise Unheard from failed
            raise

    async def connected(self) -> SMTP:
        """Return a connection that the server has greeted, and where it knows us if it wants to. Raises Later."""
        if self._client is not None and not self._is_fresh():
            await self.close()
        if self._client is None:
            self._client = await self._connect()
            self._used = 0
        return self._client

    async def close(self) -> None:
        """Take leave of the server."""
        client, self._client = self._client, None
        if client is not None and client.is_connected:
            try:
                await client.quit(timeout=2)
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    def _is_fresh(self) -> bool:
        assert self._client is not None, "there is a connection"
        idle = time.monotonic() - self._last
        return self._client.is_connected and self._used < _MESSAGES and (self._used == 0 or idle < _IDLE_SECONDS)

    async def _connect(self) -> SMTP:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            # As whom we greet it; the name of this machine may be one that nobody knows.
            local_hostname=self._settings.domain,
            timeout=self._settings.timeout_seconds,
            use_tls=server.tls is Tls.IMPLICIT,
            start_tls={Tls.REQUIRED: True, Tls.OFFERED: None}.get(server.tls, False),
            username=server.user,
            password=server.password,
            tls_context=self._tls,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as refused:
            client.close()
            raise Later("not_authenticated", refused.code) from None
        except aiosmtplib.SMTPResponseException as refused:
            client.close()
            raise Later("server_refuses", refused.code) from None
        except ssl.SSLError as failed:
            client.close()
            raise Later("not_trusted") from failed
        except (aiosmtplib.SMTPException, OSError, ValueError) as failed:
            client.close()
            raise Later(_reason(failed)) from failed
        return client

    async def _begin_anew(self) -> None:
        """Let the server forget a message that it has refused, so that the next one begins as the first."""
        if self._client is None:
            return
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._drop()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _reason(failed: Exception) -> str:
    """Return why there is no connection: what a server lacks that we need, such as STARTTLS, is its refusal."""
    if isinstance(failed.__cause__, ssl.SSLError):
        return "not_trusted"
    return "not_reached" if isinstance(failed, OSError) else "server_refuses"


def _refusal(refused: aiosmtplib.SMTPResponseException) -> NotSent:
    """Return what a refusal means (RFC 5321, 4.2.1): 4 is for now, 5 for good. Its text, which may quote, is left."""
    if 500 <= refused.code < 600:
        return Never("refused", refused.code)
    return Later("refused_for_now", refused.code)
