"""The pages on which staff run the practice (U-3): edges only, which call the use cases of every capability."""

from types import ModuleType

from litestar.handlers import HTTPRouteHandler

from holdfast.admin import (
    account,
    attention,
    audit,
    bookings,
    content,
    content_library,
    content_steps,
    customers,
    dashboards,
    embedding,
    entering,
    home,
    integrations,
    interactive,
    leads,
    leads_links,
    leads_notes,
    live,
    messages,
    moderation,
    payments,
    programs,
    programs_dates,
    resources,
    rules,
    rules_days,
    schedule,
    services,
    settings,
    setup,
    users,
    waitlist,
    webhooks,
)
from holdfast.admin.frame import Entry

# Each has `handlers`, and `ENTRY` where the menu leads to it.
_MODULES: list[ModuleType] = [
    account,
    attention,
    audit,
    bookings,
    content,
    content_library,
    content_steps,
    customers,
    dashboards,
    embedding,
    entering,
    home,
    integrations,
    interactive,
    leads,
    leads_links,
    leads_notes,
    live,
    messages,
    moderation,
    payments,
    programs,
    programs_dates,
    resources,
    rules,
    rules_days,
    schedule,
    services,
    settings,
    setup,
    users,
    waitlist,
    webhooks,
]

handlers: list[HTTPRouteHandler] = [handler for module in _MODULES for handler in module.handlers]
entries: list[Entry] = [module.ENTRY for module in _MODULES if hasattr(module, "ENTRY")]
