"""Where the page of a thing is, and what a form keeps of what it showed."""

import hashlib
import re
from uuid import UUID

from holdfast.admin.frame import Call
from holdfast.identity.calls import entrance_of
from holdfast.offerings.errors import ChangedMeanwhile

_INTEGRATIONS = "/admin/settings/integrations"

# By what the audit log and the inbox call a thing.
PAGES = {
    "booking": "/admin/bookings/{}",
    "payment": "/admin/payments/{}",
    "ugc_item": "/admin/moderation/{}",
    "lead": "/admin/leads/{}",
    "content": "/admin/content/{}",
    "user": "/admin/users/{}",
    "service": "/admin/services/{}",
    "resource": "/admin/resources/{}",
    "waitlist_request": "/admin/waitlist",
    "calendar": _INTEGRATIONS,
    "calendar_connection": _INTEGRATIONS,
    "payment_account": _INTEGRATIONS,
    "webhook_endpoint": "/admin/webhooks/{}",
    "setting": "/admin/settings",
    "business": "/admin/settings",
}


def link_to(request: Call, kind: str, id_: UUID | str) -> str | None:
    """Return the address of the page of a thing; None for what has no page of its own."""
    pattern = PAGES.get(kind)
    if pattern is None or pattern not in _served(request):
        return None
    return pattern.format(id_)


def _served(request: Call) -> frozenset[str]:
    """Return every page that there is, with {} for what it names."""
    state = request.app.state
    if "admin_pages" not in state:
        paths = (route.path for route in request.app.routes)
        state.admin_pages = frozenset(re.sub(r"\{[^}]*\}", "{}", path) for path in paths if path.startswith("/admin"))
    found: frozenset[str] = state.admin_pages
    return found


def origin_of(request: Call) -> str:
    """Return the address of this server for links that leave it: as it is set, else as the browser has called it."""
    public_url: str | None = request.app.state.payment_settings.public_url
    if public_url is not None:
        return public_url
    scheme = "https" if entrance_of(request).cookies.is_https(request) else "http"
    return f"{scheme}://{request.headers.get('Host', '')}"


def check_seen(seen: str, mark: str) -> None:
    """Raise ChangedMeanwhile when what somebody saw is not how it stands now."""
    if seen != mark:
        raise ChangedMeanwhile


def mark_of(*values: object) -> str:
    """Return what a form carries of what somebody saw, so that nobody overwrites what they did not."""
    return hashlib.blake2b(repr(values).encode(errors="replace"), digest_size=12).hexdigest()


def page_at(request: Call, path: str) -> str | None:
    """Return the address of a page as it is, None where there is no such page."""
    return path if path in _served(request) else None
