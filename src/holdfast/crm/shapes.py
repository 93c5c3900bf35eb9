"""The shapes of the API of leads: what comes in, what goes out. JSON members are camelCase, null means absent."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec

from holdfast.booking.views import Email, Locale, Phone
from holdfast.crm.contacts import Contact, Network
from holdfast.crm.leads import Lead, Utm
from holdfast.crm.links import DeepLink
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Line, worded

# As the database has it: a letter, and six digits at most, so that it is no telephone number.
_TAG = worded(
    r"^(?=[^A-Za-z]*[A-Za-z])(?!(?:[^0-9]*[0-9]){7})[A-Za-z0-9_+.-]{1,64}$(?![\s\S])",
    "must be letters, digits and _ + . - without blanks, with a letter and six digits at most",
)
_LINK_ID = worded(r"^[A-Za-z0-9_-]{3,64}$(?![\s\S])", "must be 3 to 64 letters, digits, _ and -")
_TARGET = worded(
    r"^/(?:[A-Za-z0-9_~%.=&?-][A-Za-z0-9_~%.=&?/-]*)?$(?![\s\S])", "must be a path of this site, like /booking/slot/"
)
_HANDLE = worded(
    r"^(?=.*[^\s@])[^\x00-\x1f\x7f]*$(?![\s\S])", "must have more than blanks and @, and no control characters"
)
_TEXT = worded(r"^[^\x00]*[^\s\x00][^\x00]*$(?![\s\S])", "must have words, and must not have the character NUL")

Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=_TAG)]
LinkId = Annotated[str, msgspec.Meta(pattern=_LINK_ID)]
TargetPath = Annotated[str, msgspec.Meta(max_length=500, pattern=_TARGET)]
Handle = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_HANDLE)]
NoteText = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000, pattern=_TEXT)]


class Stage(StrEnum):
    """How far a lead has come. A migration knows the same words."""

    NEW = "new"
    CONTACTED = "contacted"
    CLIENT = "client"
    LOST = "lost"


class Source(StrEnum):
    """What somebody was first in touch by. A migration knows the same words."""

    FORM = "form"
    QUESTION = "question"
    BOOKING = "booking"


class Messenger(msgspec.Struct, rename="camel"):
    """A name or number in a messenger."""

    network: Network
    handle: Handle


class UtmBody(msgspec.Struct, rename="camel", kw_only=True):
    """The marks of a campaign."""

    utm_source: Tag | None = None
    utm_medium: Tag | None = None
    utm_campaign: Tag | None = None
    utm_term: Tag | None = None
    utm_content: Tag | None = None

    def marks(self) -> Utm:
        """Return the marks."""
        return Utm(self.utm_source, self.utm_medium, self.utm_campaign, self.utm_term, self.utm_content)


class ContactBody(msgspec.Struct, rename="camel", kw_only=True):
    """How somebody is reached: by one of these at least."""

    email: Email | None = None
    phone: Phone | None = None
    messenger: Messenger | None = None


class LeadBody(UtmBody, kw_only=True):
    """Somebody who is in touch. `consent` says that what is told may be kept; `deepLink` is what brought them here."""

    consent: bool
    business: Line | None = None
    email: Email | None = None
    phone: Phone | None = None
    messenger: Messenger | None = None
    name: Line | None = None
    locale: Locale | None = None
    deep_link: LinkId | None = None


def contact_in(data: ContactBody | LeadBody, name: str | None = None) -> Contact:
    """Return how somebody is reached; raises ValidationFailed when nothing is told."""
    if data.email is None and data.phone is None and data.messenger is None:
        raise ValidationFailed.at("email", "one of email, phone and messenger is needed")
    if data.messenger is None:
        return Contact(data.email, data.phone, name=name)
    return Contact(data.email, data.phone, data.messenger.network, data.messenger.handle, name)


class ReceivedView(msgspec.Struct):
    """The contact was received. Whether it was known before is told to nobody."""

    status: str = "received"


class IdentityView(msgspec.Struct, rename="camel"):
    """One way to reach somebody."""

    kind: str
    value: str


class UtmView(msgspec.Struct, rename="camel"):
    """The marks of a campaign."""

    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_term: str | None
    utm_content: str | None


class LeadView(UtmView, kw_only=True):
    """Somebody who has been in touch."""

    id: UUID
    stage: str
    source: str
    name: str | None
    locale: str | None
    identities: list[IdentityView]
    deep_link: str | None
    assigned_to: UUID | None
    version: int
    created_at: datetime

    @classmethod
    def of(cls, lead: Lead) -> "LeadView":
        """Return a lead as staff see it."""
        return cls(
            **{name: getattr(lead.utm, name) for name in Utm.__dataclass_fields__},
            id=lead.id,
            stage=lead.stage,
            source=lead.source,
            name=lead.name,
            locale=lead.locale,
            identities=[IdentityView(kind, value) for kind, value in lead.identities],
            deep_link=lead.deep_link,
            assigned_to=lead.assigned_to,
            version=lead.version,
            created_at=lead.created_at,
        )


class LeadsPage(msgspec.Struct, rename="camel"):
    """A page of leads, the latest first; `nextCursor` leads to the next one."""

    leads: list[LeadView]
    next_cursor: str | None


class EventView(msgspec.Struct, rename="camel"):
    """Something that happened with a lead."""

    id: UUID
    type: str
    payload: dict[str, Any]
    occurred_at: datetime


class OpenedLeadView(msgspec.Struct, rename="camel"):
    """A lead with what happened, the latest first; `nextCursor` leads to what happened before."""

    lead: LeadView
    timeline: list[EventView]
    next_cursor: str | None


class NoteBody(msgspec.Struct, rename="camel"):
    """A note about a lead."""

    text: NoteText


class NoteView(msgspec.Struct, rename="camel", kw_only=True):
    """A note about a lead."""

    id: UUID
    text: str
    author: UUID
    created_at: datetime


class NotesView(msgspec.Struct):
    """The notes about a lead, the latest first."""

    notes: list[NoteView]


class ChangeLeadBody(msgspec.Struct, rename="camel", kw_only=True):
    """What of a lead changes, from the version that the caller saw."""

    stage: Stage | None = None
    assigned_to: UUID | None = None
    expected_version: int | None = None


class AddIdentityBody(ContactBody, kw_only=True):
    """Further ways to reach a lead."""

    expected_version: int | None = None


class MergeBody(msgspec.Struct, rename="camel", kw_only=True):
    """Which lead is the same person."""

    lead_id: UUID
    expected_version: int | None = None


class LinkBody(UtmBody, kw_only=True):
    """A link; its id is chosen by us if it is not given."""

    target_path: TargetPath
    id: LinkId | None = None


class ChangeLinkBody(UtmBody, kw_only=True):
    """What of a link changes, from the version that the caller saw."""

    target_path: TargetPath | None = None
    expected_version: int | None = None


class FollowedView(UtmView, kw_only=True):
    """Where a link leads, and how it is marked."""

    id: str
    target_path: str


class LinkView(FollowedView, kw_only=True):
    """A link; `clicks` is how often it was followed, by people and machines alike."""

    clicks: int
    version: int
    created_at: datetime
    retired_at: datetime | None

    @classmethod
    def of(cls, link: DeepLink) -> "LinkView":
        """Return a link as staff see it."""
        return cls(
            **{name: getattr(link.utm, name) for name in Utm.__dataclass_fields__},
            id=link.id,
            target_path=link.target_path,
            clicks=link.clicks,
            version=link.version,
            created_at=link.created_at,
            retired_at=link.retired_at,
        )


class LinksPage(msgspec.Struct, rename="camel"):
    """A page of links, the latest first; `nextCursor` leads to the next one."""

    links: list[LinkView]
    next_cursor: str | None
