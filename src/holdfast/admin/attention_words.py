"""What each kind of item of the inbox says to a person: what has happened, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from holdfast.kernel.attention import Severity, Status
from holdfast.kernel.languages import N_


@dataclass(frozen=True, slots=True)
class Words:
    """A kind in words. `leads_to` is what its page shows: of which kind, and named by which detail, or the subject."""

    title: str
    happened: str
    to_do: str
    leads_to: tuple[str, str | None]
    link: str

    def about(self, subject_id: UUID, details: Mapping[str, Any]) -> tuple[str, str]:
        """Return kind and id of what somebody has to look at."""
        kind, detail = self.leads_to
        # Of a message it depends on what it was about.
        kind = _MESSAGES.get(str(details.get("of")), kind)
        return kind, str(subject_id if detail is None else details.get(detail, subject_id))


_MESSAGES = {"user_invitation": "user", "waitlist_offer": "waitlist_request"}
_THE_APPOINTMENT = N_("To the appointment")
_WHOM = N_("See whom it was for")
_THE_PAYMENT = N_("To the payment")
_THE_QUESTION = N_("To the question")
_THE_LEAD = N_("To the lead")
_CALENDARS = N_("To the calendars")
_THE_ENDPOINT = N_("To the webhook")
_PAYMENTS = N_("To the payment accounts")

SEVERITIES = {
    Severity.URGENT: N_("Urgent"),
    Severity.WARNING: N_("Soon"),
    Severity.INFO: N_("For your information"),
}
STATUSES = {Status.OPEN: N_("Still open"), Status.SNOOZED: N_("For later"), Status.RESOLVED: N_("No longer open")}

_BOOKING, _CALENDAR = ("booking", None), ("calendar", "calendar")
_PAYMENT = ("payment", None)

WORDS: dict[str, Words] = {
    "lead_not_made": Words(
        N_("Somebody who was in touch is not among the leads"),
        N_("Something went wrong on this server when the lead was to be made. It is not tried again by itself."),
        N_("Enter the lead by hand, and let whoever runs the server look at its log."),
        ("booking", None),
        _THE_APPOINTMENT,
    ),
    "leads_may_be_one": Words(
        N_("Two leads may be the same person"),
        N_("Somebody was in touch with the e-mail address of one lead and the phone number of another."),
        N_("Look at both. Merge them if it is one person; that cannot be undone."),
        ("lead", None),
        _THE_LEAD,
    ),
    "question_of_crisis": Words(
        N_("Somebody may be in danger"),
        N_("A question has words that are said in a crisis. Its author was shown where help is at once."),
        N_("Read it now and answer before anything else."),
        ("ugc_item", None),
        _THE_QUESTION,
    ),
    "question_escalated": Words(
        N_("A question was put before everybody"),
        N_("A colleague would not decide about it alone."),
        N_("Read it and answer, or assign it to whom it concerns."),
        ("ugc_item", None),
        _THE_QUESTION,
    ),
    "refund_refused": Words(
        N_("A refund was refused"),
        N_("The payment provider did not give the money back. The client has not got it."),
        N_("See what the provider says in the payment, then try again, or give the money back in another way."),
        _PAYMENT,
        _THE_PAYMENT,
    ),
    "payment_mismatch": Words(
        N_("A payment is not what was asked for"),
        N_("Amount, currency or booking differ. Nothing was confirmed by it, and the money goes back."),
        N_("Look at the payment. If you do not know how it came about, ask the provider."),
        _PAYMENT,
        _THE_PAYMENT,
    ),
    "payment_refused": Words(
        N_("The provider would not take a payment"),
        N_("Something about the account or its settings is not right; the client could not pay."),
        N_("Check the account at the provider, then let the client try again."),
        _PAYMENT,
        _PAYMENTS,
    ),
    "payment_late": Words(
        N_("A payment came too late"),
        N_("The place was taken by then. The money goes back by itself."),
        N_("Offer the client another time if you like."),
        _PAYMENT,
        _THE_PAYMENT,
    ),
    "payment_duplicate": Words(
        N_("An appointment was paid twice"),
        N_("The second payment goes back by itself."),
        N_("There is nothing to do unless the client asks."),
        _PAYMENT,
        _THE_PAYMENT,
    ),
    "payment_refunded_elsewhere": Words(
        N_("Money was given back at the provider itself"),
        N_("The refund was not made here; it stands in the payment now."),
        N_("Cancel the appointment as well if it is not to take place."),
        _PAYMENT,
        _THE_PAYMENT,
    ),
    "payment_unexplained": Words(
        N_("There is money that nothing here explains"),
        N_("The provider has a payment in the name of this business for a booking that is not here."),
        N_("Find it at the provider and give it back or keep it; then mark this as done."),
        ("payment_account", "account"),
        _PAYMENTS,
    ),
    "payment_account_unauthorized": Words(
        N_("The payment provider does not let this server in"),
        N_("The key of the account was changed or withdrawn. Nobody can pay until it is put right."),
        N_("Make a new key at the provider and enter it."),
        ("payment_account", None),
        _PAYMENTS,
    ),
    "payment_event_unprocessed": Words(
        N_("What a payment provider has told is not understood"),
        N_("Each attempt to act on it has failed so far. It is tried again."),
        N_("Compare the payments of these days with the provider's list."),
        ("payment_account", None),
        _PAYMENTS,
    ),
    "calendar_event_moved": Words(
        N_("An appointment was moved in the calendar"),
        N_("Somebody has changed the time of its event. The appointment itself has not moved."),
        N_("Take the new time over, or put the event back."),
        _BOOKING,
        _THE_APPOINTMENT,
    ),
    "calendar_event_deleted": Words(
        N_("An appointment was deleted in the calendar"),
        N_("Somebody has removed its event. The appointment itself stands."),
        N_("Cancel the appointment, or put the event back."),
        _BOOKING,
        _THE_APPOINTMENT,
    ),
    "calendar_overlap": Words(
        N_("The calendar has something at the time of an appointment"),
        N_("An event has come into the calendar over an appointment that was booked already."),
        N_("Move one of the two."),
        _BOOKING,
        _THE_APPOINTMENT,
    ),
    "calendar_event_id_taken": Words(
        N_("An appointment cannot be written into the calendar"),
        N_("Another event has the place of its event there, maybe a copy of it."),
        N_("Remove that event in the calendar for good, from its bin as well."),
        _BOOKING,
        _THE_APPOINTMENT,
    ),
    "calendar_event_not_exported": Words(
        N_("An appointment is not in the calendar yet"),
        N_("Writing its event has failed many times. It is tried again."),
        N_("See in the calendar whether others can be written, and whether the account still answers."),
        _BOOKING,
        _THE_APPOINTMENT,
    ),
    "calendar_needs_reconnect": Words(
        N_("A calendar has to be connected again"),
        N_("The provider does not accept the permission any more: it was withdrawn, or a password was changed."),
        N_("Connect the account again."),
        ("calendar_connection", None),
        _CALENDARS,
    ),
    "calendar_stopped": Words(
        N_("A calendar refuses to be read"),
        N_("The provider answers, and says no. Nothing more is asked of it."),
        N_("See in the list of calendars what it says, then connect it again."),
        ("calendar_connection", None),
        _CALENDARS,
    ),
    "calendar_unreadable": Words(
        N_("A calendar cannot be understood"),
        N_("What comes from its address is no calendar, or a broken one. What was read before still counts."),
        N_("Open the address in a browser. If it is not your calendar, enter the right one."),
        ("calendar", None),
        _CALENDARS,
    ),
    "calendar_gone": Words(
        N_("A calendar is gone"),
        N_("The account has it no longer, or it is not shared with it."),
        N_("Choose another calendar, or share it again."),
        ("calendar", None),
        _CALENDARS,
    ),
    "message_not_delivered": Words(
        N_("A message did not arrive"),
        N_("The mail server refused it, or it came back. Whoever it was for does not know."),
        N_("Call them, and correct the address in the appointment."),
        _BOOKING,
        _WHOM,
    ),
    "message_delayed": Words(
        N_("A message has not gone out yet"),
        N_("The mail server does not take it on. It is tried again."),
        N_("If it is urgent, call. If it lasts, whoever runs the server checks how it sends mail."),
        _BOOKING,
        _WHOM,
    ),
    "message_unknown": Words(
        N_("Nobody knows whether a message was sent"),
        N_("The connection broke while it was handed over. It is not sent again, so that nobody gets it twice."),
        N_("Ask whoever it was for whether it has arrived."),
        _BOOKING,
        _WHOM,
    ),
    "webhook_disabled": Words(
        N_("Another program is not told any more"),
        N_("For days nothing has arrived at its address, or it says that it is gone. Nothing is sent to it."),
        N_("Ask whoever runs it. Then enable it again, and send what it has missed."),
        ("webhook_endpoint", None),
        _THE_ENDPOINT,
    ),
    "calendar_stale": Words(
        N_("A calendar has not answered for too long"),
        N_("Nobody knows whether what is offered is still free. By default those times are hidden from clients."),
        N_("Wait if the provider is down. Otherwise look at the connection."),
        ("calendar", None),
        _CALENDARS,
    ),
}

# Of a kind that another release has raised.
_OTHER = Words(
    N_("Something needs a person"),
    N_("This release has no words for it."),
    N_("Look at what it is about, or ask whoever runs the server."),
    ("", None),
    _THE_APPOINTMENT,
)


def words_of(kind: str) -> Words:
    """Return a kind in words."""
    return WORDS.get(kind, _OTHER)
