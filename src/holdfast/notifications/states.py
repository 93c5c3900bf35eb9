"""The states of a message and the one table of transitions between them."""

from enum import StrEnum


class MessageState(StrEnum):
    """What has become of a message. A migration knows the same words."""

    QUEUED = "queued"
    # A server of mail is spoken to about it.
    SENDING = "sending"
    # A server of mail has taken it on.
    SENT = "sent"
    # It was refused or returned, or its time has run out.
    FAILED = "failed"
    # It may have been sent: whoever spoke to the server did not hear the answer. Nobody sends it again.
    UNKNOWN = "unknown"
    # There was nothing to be told any more, or nobody to tell.
    SUPPRESSED = "suppressed"


S = MessageState

# What the database enforces in guard_message_change(); a test compares the two.
TRANSITIONS: dict[MessageState, frozenset[MessageState]] = {
    S.QUEUED: frozenset({S.SENDING, S.SUPPRESSED, S.FAILED}),
    S.SENDING: frozenset({S.SENT, S.QUEUED, S.FAILED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.SENT, S.FAILED}),
    # Servers of mail may return later what they have taken on.
    S.SENT: frozenset({S.FAILED}),
    S.FAILED: frozenset(),
    S.SUPPRESSED: frozenset(),
}
