"""What whoever runs a server sets for calendars."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GoogleSettings:
    """Our client at Google, and where Google is. Without a client no calendar of Google can be connected."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
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

    @property
    def google_is_configured(self) -> bool:
        """Tell whether calendars of Google can be connected: there is a client, and a way back from Google."""
        return self.google.client_id is not None and self.public_url is not None

    @property
    def google_redirect_uri(self) -> str:
        """Return where Google sends owners back to, which is registered there with the client."""
        return f"{self.public_url}/api/admin/integrations/google-calendar/callback"

    @property
    def google_push_address(self) -> str | None:
        """Return where Google tells of changes, None where it cannot reach us."""
        return None if self.public_url is None else f"{self.public_url}/api/webhooks/google-calendar"
