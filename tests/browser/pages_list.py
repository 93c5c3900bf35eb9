"""Every page, by the address at which a furnished practice has it. Whoever makes a page adds it here: tests go over this list.

What stands in braces is filled in with what `furnished.py` has made: {booking} is the number of an appointment, {token} its
client's proof. `role` is who opens it: owner, assistant, editor, or None for the public.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    """Where a page is, who opens it, and how that is answered."""

    path: str
    role: str | None = None
    status: int = 200

    def filled(self, names: dict[str, str]) -> str:
        """Return the path with what it names."""
        return self.path.format_map(names)


# From choosing a service to a confirmed booking, as clients go: what is weighed, and may not jump.
PATH_OF_CLIENTS = [
    Address("/linden/booking/slot"),
    Address("/linden/booking/slot?service=session"),
    Address("/linden/booking/slot/held/{held}"),
    Address("/linden/booking/slot/held/{booking}"),
]

PUBLIC = [
    *PATH_OF_CLIENTS,
    Address("/linden/booking/slot?service=couple"),
    Address("/linden/booking/slot?service=open-hall&party=3"),
    Address("/linden/booking/slot?program=morning"),
    Address("/linden/booking/slot?program=circle&party=2"),
    Address("/linden/booking/slot/waitlist?schedule={circle}&party=2"),
    Address("/linden/booking/slot/zone?service=session"),
    Address("/linden/booking/slot/zone?q=Buenos"),
    Address("/linden/booking/slot/held/{expired}", status=410),
    Address("/linden/booking/slot/held/{cancelled}", status=410),
    Address("/linden/booking/slot/paid/{unpaid}"),
    Address("/linden/booking/slot/paid/{paid}"),
    Address("/linden/booking/slot/waitlist?service=session"),
    Address("/linden/booking/slot/offer/{waiting}?token={waiting_token}"),
    Address("/linden/booking/slot/offer/{offered}?token={offered_token}"),
    *(
        Address(f"/linden/booking/slot/manage/{{{which}}}{then}?token={{{token}}}")
        for which, token in (("booking", "token"), ("joined", "joined_token"), ("paid", "paid_token"))
        for then in ("", "/move", "/cancel")
    ),
    Address("/linden/booking/slot/manage/{cancelled}?token={cancelled_token}"),
    Address("/linden/booking/slot/manage/{refunded}?token={refunded_token}"),
    Address("/linden/booking/slot/manage/{unpaid}?token={unpaid_token}"),
    Address("/linden/booking/slot/manage/{booking}", status=401),
    Address("/linden/booking/slot?embed=1"),
    Address("/linden/booking/slot?service=session&embed=1"),
    Address("/booking/slot"),
    Address("/booking/slot/zone"),
    Address("/booking/slot/paid/{paid}"),
    Address("/nowhere/booking/slot", status=404),
]

# What can be booked, and when.
OFFERINGS = [
    Address("/admin/services", "owner"),
    Address("/admin/services", "assistant"),
    Address("/admin/services/new", "owner"),
    Address("/admin/services/{service}", "owner"),
    Address("/admin/services/{service}", "assistant"),
    Address("/admin/resources", "owner"),
    Address("/admin/resources/new", "owner"),
    Address("/admin/resources/{resource}", "owner"),
    Address("/admin/resources/{resource}/week", "owner"),
    Address("/admin/resources/{resource}/week", "assistant"),
    Address("/admin/resources/{resource}/week?new=1", "owner"),
    Address("/admin/resources/{resource}/days", "owner"),
    Address("/admin/resources/{resource}/days", "assistant"),
    Address("/admin/programs", "owner"),
    Address("/admin/programs/new", "owner"),
    Address("/admin/programs/{program}", "owner"),
    Address("/admin/programs/{program}/dates", "owner"),
    Address("/admin/programs/{program}/dates", "assistant"),
]

# Who has booked what, who waits, what was paid, and what is connected.
RECORDS = [
    Address("/admin/bookings", "owner"),
    Address("/admin/bookings?from=2020-01-01&to=2020-01-31", "assistant"),
    *(
        Address(f"/admin/bookings/{{{which}}}", "owner")
        for which in ("booking", "joined", "paid", "unpaid", "cancelled")
    ),
    Address("/admin/bookings/{past}", "assistant"),
    Address("/admin/bookings/{held}", "assistant"),
    Address("/admin/bookings/{booking}/move", "owner"),
    Address("/admin/bookings/{joined}/move", "assistant"),
    Address("/admin/customers", "assistant"),
    Address("/admin/customers/{customer}", "owner"),
    Address("/admin/customers/{customer}", "assistant"),
    Address("/admin/waitlist", "owner"),
    Address("/admin/waitlist?status=offered", "assistant"),
    Address("/admin/payments", "owner"),
    Address("/admin/payments/{payment}", "owner"),
    Address("/admin/conflicts", "owner"),
    Address("/admin/settings/integrations", "owner"),
    Address("/admin/settings/integrations", "assistant"),
    Address("/admin/webhooks", "owner"),
    Address("/admin/webhooks/{webhook}", "owner"),
    Address("/admin/webhooks/{webhook}?status=failed", "owner"),
    Address("/admin/settings/integrations?problem=calendar_access_denied", "owner"),
]

STAFF = [
    Address("/admin/login"),
    Address("/admin/invitation", status=410),
    Address("/admin/setup"),
    *(Address(f"/admin/inbox?status={status}", "owner") for status in ("open", "snoozed", "resolved")),
    Address("/admin/inbox", "assistant"),
    Address("/admin/users", "owner"),
    Address("/admin/users/new", "owner"),
    Address("/admin/users/{user}", "owner"),
    Address("/admin/account", "editor"),
    Address("/admin/settings", "owner"),
    Address("/admin/settings", "assistant"),
    Address("/admin/audit", "owner"),
    Address("/admin/audit?id={booking}", "owner"),
    Address("/admin", "owner"),
    Address("/admin", "assistant"),
    Address("/admin", "editor"),
    *OFFERINGS,
    *RECORDS,
    Address("/admin/settings/embedding", "owner"),
    Address("/admin/settings/embedding", "assistant"),
    Address("/admin/schedule", "owner"),
    Address("/admin/schedule?view=day&ended=yes&day={tomorrow}", "owner"),
    Address("/admin/schedule?view=week&day={tomorrow}", "owner"),
    Address("/admin/schedule?view=list&ended=yes&day={tomorrow}", "assistant"),
    Address("/admin/schedule?view=week&ended=yes&day={yesterday}", "owner"),
    Address("/admin/schedule?view=day&day=2027-10-31", "owner"),
    Address("/admin/schedule", "editor", 403),
    *(Address(f"/admin/schedule/bookings/{{{which}}}", "owner") for which in ("booking", "held", "past", "paid")),
    Address("/admin/schedule/bookings/{cancelled}", "assistant"),
    Address("/admin/schedule/groups/{morning}", "owner"),
    Address("/admin/schedule/blocks/{block}", "owner"),
    Address("/admin/schedule/new?day={tomorrow}", "owner"),
    Address("/admin/schedule/new?group={morning}", "assistant"),
    Address("/admin/schedule/block?day={tomorrow}", "owner"),
    # Questions, publications, leads and figures.
    *(Address("/admin/moderation", role) for role in ("owner", "assistant", "editor")),
    Address("/admin/moderation?status=rejected", "owner"),
    *(Address("/admin/moderation/{question}", role) for role in ("owner", "assistant")),
    Address("/admin/moderation/{answered_question}", "owner"),
    *(Address("/admin/content", role) for role in ("owner", "assistant", "editor")),
    Address("/admin/content?title=nothing+like+this", "editor"),
    Address("/admin/content/new", "editor"),
    *(Address("/admin/content/{item}", role) for role in ("owner", "assistant")),
    Address("/admin/content/{draft}", "editor"),
    Address("/admin/content/{item}/preview", "editor"),
    Address("/admin/content/{draft}/versions", "editor"),
    Address("/admin/content/{draft}/versions/2", "editor"),
    *(
        Address(f"/admin/content/library/{shelf}", "editor")
        for shelf in ("topics", "tags", "collections", "glossary", "media")
    ),
    Address("/admin/content/library/topics", "assistant"),
    Address("/admin/interactives", "editor"),
    Address("/admin/interactives/new", "editor"),
    *(Address("/admin/interactives/{quiz}", role) for role in ("editor", "assistant")),
    *(Address("/admin/leads", role) for role in ("owner", "assistant")),
    *(Address("/admin/leads/{lead}", role) for role in ("owner", "assistant")),
    Address("/admin/leads/{lead}/notes", "owner"),
    Address("/admin/leads/{lead}/merge", "owner"),
    Address("/admin/leads/{lead}/merge?other={other_lead}", "owner"),
    *(Address("/admin/messages", role) for role in ("owner", "assistant")),
    *(
        Address(f"/admin/messages/appointment_confirmed/ru/{channel}", "owner")
        for channel in ("email", "email_html", "sms")
    ),
    Address("/admin/messages/waitlist_offer/en/email", "assistant"),
    *(Address("/admin/links", role) for role in ("owner", "editor")),
    *(Address("/admin/dashboards", role) for role in ("owner", "assistant", "editor")),
    *(
        Address(f"/admin/dashboards/{name}", "owner")
        for name in ("booking-funnel", "no-show", "utilisation", "moderation", "interactive")
    ),
    Address("/admin/dashboards/no-show?from=2020-01-01&to=2020-01-31", "owner"),
]

PAGES = [*PUBLIC, *STAFF]

# What is asked for by GET and is no page of ours, with why.
NO_PAGES = {
    "/admin/dashboards/{name}/figures.csv": "is a file for spreadsheets",
    "/admin/inbox/news": "is a part of the inbox",
    "/{business}/booking/slot/manage/{booking_id}/calendar.ics": "is a calendar file",
    "/{business}/booking/slot/hold": "leads back to the times",
    "/{business}/booking/slot/held/{reservation_id}/extend": "leads back to the held place",
    "/{business}/booking/slot/paid/{reservation_id}/form": "shows a form of Stripe, whose scripts are Stripe's",
    "/admin/events": "is a stream of events",
    "/admin/schedule/grid.css": "is a style sheet",
    "/calendar-feeds/{file}": "is a calendar file",
}
