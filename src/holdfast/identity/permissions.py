"""Who may do what: the one matrix of roles and permissions (D-7).

A capability that gets calls of staff adds its permissions here and asks for them at its edges by
`holdfast.identity.guards.Needs`.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What somebody is to a business. A migration knows the same words."""

    OWNER = "owner"
    ASSISTANT = "assistant"
    EDITOR = "editor"
    CLIENT = "client"


class Permission(StrEnum):
    """Something that staff may be allowed to do."""

    READ_APPOINTMENTS = "read_appointments"
    BOOK_APPOINTMENTS = "book_appointments"
    CHANGE_APPOINTMENTS = "change_appointments"
    RECORD_OUTCOMES = "record_outcomes"
    REFUND_APPOINTMENTS = "refund_appointments"
    # Outside opening hours, and over what an external calendar blocks.
    OVERRIDE_HOURS = "override_hours"
    BLOCK_TIME = "block_time"
    CHANGE_SCHEDULES = "change_schedules"
    CHANGE_RESOURCES = "change_resources"
    # What can be booked: services, resources with their hours, programs with their weekly rules.
    READ_OFFERINGS = "read_offerings"
    CHANGE_OFFERINGS = "change_offerings"
    # Who works here, as what, and whether they still do.
    MANAGE_USERS = "manage_users"
    # Who has done what, and when.
    READ_AUDIT = "read_audit"
    # What people ask about themselves: to be told what is kept of them, and to be forgotten (D-8).
    ANSWER_PEOPLE = "answer_people"
    READ_SETTINGS = "read_settings"
    CHANGE_SETTINGS = "change_settings"
    # The inbox of what needs a person.
    WORK_INBOX = "work_inbox"
    WRITE_TEMPLATES = "write_templates"
    # What a business publishes: articles with all that sorts them, quizzes and rituals with figures of their runs.
    READ_CONTENT = "read_content"
    WRITE_CONTENT = "write_content"
    PUBLISH_CONTENT = "publish_content"
    # Each dashboard asks for the right to what it counts as well.
    READ_DASHBOARDS = "read_dashboards"
    READ_CONSENTS = "read_consents"
    # What somebody says on paper or in person.
    RECORD_CONSENTS = "record_consents"
    # What clients confide, and what is noted about them (D-7). The practitioner to whom they come may as well.
    READ_CONFIDED = "read_confided"
    # The queue of questions, and those of them that are one's own to answer.
    MODERATE_QUESTIONS = "moderate_questions"
    # Whoever a question is assigned to can read what was confided.
    ASSIGN_QUESTIONS = "assign_questions"
    READ_LEADS = "read_leads"
    CHANGE_LEADS = "change_leads"
    # Whoever a lead is assigned to can read what was noted about it.
    ASSIGN_LEADS = "assign_leads"
    # Brings the notes about one before whom the other is assigned to, and cannot be undone.
    MERGE_LEADS = "merge_leads"
    CHANGE_DEEP_LINKS = "change_deep_links"
    # What was paid, given back, and told by providers.
    READ_PAYMENTS = "read_payments"
    # Of goodwill, and what a provider has refused once.
    REFUND_PAYMENTS = "refund_payments"
    # Which external calendars block time and receive appointments, and whether they answer.
    READ_CALENDARS = "read_calendars"
    # Whoever connects an account lets this server read it and write to it.
    CONNECT_CALENDARS = "connect_calendars"
    # Whoever connects an account says where the money of the business goes.
    CONNECT_PAYMENTS = "connect_payments"
    # What has happened, by ids and states, as other programs are told of it.
    READ_EVENTS = "read_events"
    # Whoever adds an endpoint says who is told.
    MANAGE_WEBHOOKS = "manage_webhooks"


P = Permission

# An editor works on content and sees nothing of clients, but what an owner assigns to them.
MATRIX: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Permission),
        # What a front desk does in a day; what the business consists of is the owner's.
        Role.ASSISTANT: frozenset(
            {
                P.READ_APPOINTMENTS,
                P.BOOK_APPOINTMENTS,
                P.CHANGE_APPOINTMENTS,
                P.RECORD_OUTCOMES,
                P.REFUND_APPOINTMENTS,
                P.READ_PAYMENTS,
                P.REFUND_PAYMENTS,
                P.BLOCK_TIME,
                P.CHANGE_SCHEDULES,
                P.READ_OFFERINGS,
                P.READ_SETTINGS,
                P.WORK_INBOX,
                P.WRITE_TEMPLATES,
                P.READ_CONTENT,
                P.READ_DASHBOARDS,
                P.READ_CONSENTS,
                P.RECORD_CONSENTS,
                P.MODERATE_QUESTIONS,
                P.READ_LEADS,
                P.CHANGE_LEADS,
                P.READ_CALENDARS,
                P.READ_EVENTS,
            }
        ),
        Role.EDITOR: frozenset(
            {
                P.READ_DASHBOARDS,
                P.READ_CONTENT,
                P.WRITE_CONTENT,
                P.PUBLISH_CONTENT,
                P.MODERATE_QUESTIONS,
                P.CHANGE_DEEP_LINKS,
            }
        ),
        # Somebody who books and may sign in; nothing here is theirs to do.
        Role.CLIENT: frozenset(),
    }
)

# Who works for a business. Only they can have keys.
STAFF_ROLES = (Role.OWNER, Role.ASSISTANT, Role.EDITOR)


def may(role: Role, permission: Permission) -> bool:
    """Return whether a role has a permission."""
    return permission in MATRIX[role]


def any_may(roles: Iterable[Role], permission: Permission) -> bool:
    """Return whether one of several roles has a permission."""
    return any(permission in MATRIX[role] for role in roles)


def roles_that_may(permission: Permission) -> list[Role]:
    """Return the roles that have a permission, in their order."""
    return [role for role in Role if may(role, permission)]
