"""What each setting says to a person, what its values mean, and which belong together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from holdfast.kernel.languages import N_


@dataclass(frozen=True, slots=True)
class Words:
    """A setting in words; numbers are of a unit, words and flags have words of their own, and some have a page."""

    title: str
    text: str
    unit: Literal["minutes", "hours", "days"] | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None


_SCOPES = {
    "off": N_("Off"),
    "internal": N_("On at servers for trying things out"),
    "stage": N_("On at servers before the real one as well"),
    "prod": N_("On everywhere"),
}

WORDS: dict[str, Words] = {
    "reminder_hours": Words(
        N_("Reminder"),
        N_("How long before an appointment its client is reminded of it."),
        "hours",
    ),
    "waitlist_offer_minutes": Words(
        N_("Time to accept an offered place"),
        N_("When a place becomes free, it is kept for so long for whoever waits, then offered to the next."),
        "minutes",
    ),
    "message_days": Words(
        N_("How long messages are kept"),
        N_("To whom they went and what they said; after that it is forgotten."),
        "days",
    ),
    "embedding_sites": Words(
        N_("Sites that show the booking page"),
        N_("Which sites may have it within their own pages."),
        values={"": N_("None but this one")},
        page="/admin/settings/embedding",
    ),
    "calendar_freshness_minutes": Words(
        N_("How long a calendar may be silent"),
        N_("After that nobody knows whether the time is free, and the next setting decides."),
        "minutes",
    ),
    "calendar_outage": Words(
        N_("When a calendar is silent for too long"),
        N_("What clients are offered of somebody whose calendar has not answered."),
        values={
            "hide": N_("Hide the times until the calendar answers"),
            "keep": N_("Keep offering them, at the risk of a collision"),
        },
    ),
    "calendar_tentative": Words(
        N_("Events that are only tentative"),
        N_("Whether they block time."),
        values={"busy": N_("They block time"), "free": N_("They leave time free")},
    ),
    "gcal_integration_enabled": Words(
        N_("Google Calendar"),
        N_("Whether calendars of Google can be connected."),
        values=_SCOPES,
    ),
    "question_answer_hours": Words(
        N_("Questions are answered within"),
        N_("What is late comes first in the queue of questions."),
        "hours",
    ),
    "question_crisis_hours": Words(
        N_("Questions that tell of a crisis are answered within"),
        N_("Everybody who looks at the inbox is called to them at once."),
        "hours",
    ),
}

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (N_("Clients"), ("reminder_hours", "waitlist_offer_minutes", "message_days", "embedding_sites")),
    (
        N_("Calendars"),
        ("gcal_integration_enabled", "calendar_freshness_minutes", "calendar_outage", "calendar_tentative"),
    ),
    (N_("Questions of the public"), ("question_answer_hours", "question_crisis_hours")),
)
