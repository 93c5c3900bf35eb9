"""What whoever runs a server sets for calendars."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GoogleSettings:
    """Our client at Google, and where Google is. Without a client no calendar of Google can be connected."""

    client_id: str | None = None
    client_secret: str | None = None
    api_url: str = "https://www.googleapis.com/calendar/v3"
    authorize_url: str = "https://accounts.google.com/o/oauth2/v2/auth"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    revoke_url: str = "https://oauth2.googleapis.com/revoke"


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """How calendars are reached, and how they reach us.

    `public_url` is the address of this server as the world knows it, without a slash at its end: where Google sends
    owners back to, and messages. Without it no calendar of Google can be connected, and nobody tells of changes.
    `private_networks` lets calendars of CalDAV and feeds be at addresses that are not public.
    """

    google: GoogleSettings = field(default_factory=GoogleSettings)
    public_url: str | None = None
    private_networks: bool = False
