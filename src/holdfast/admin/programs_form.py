"""The form of a program: how it is filled in from what is saved, and what is meant by what is typed."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.admin.frame import AdminPage, Form
from holdfast.admin.typed import Typed, in_unit
from holdfast.availability.walltime import zones
from holdfast.catalog.prices import text_of
from holdfast.catalog.programs import Program, ProgramRule
from holdfast.catalog.resources import Resource
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.offerings.drafts import POLICIES, ProgramDraft

# What each field is called.
FIELDS = {
    "name": N_("Name of the program"),
    "duration_minutes": N_("Duration, minutes"),
    "max_capacity": N_("Places"),
    "rules": N_("When it takes place"),
    "resource_ids": N_("What it takes"),
    "price_minor": N_("Price"),
    "payment_policy": N_("Payment"),
    "payment_minutes": N_("Minutes to pay"),
    "cancel_notice_minutes": N_("Cancel no later than this before"),
    "hold_minutes": N_("Minutes to fill in the details"),
    "timezone": N_("Time zone"),
    "refund_terms": N_("What goes back"),
}

# As many times a day as the form has lines for.
MAX_LINES = 14
_DAYS = frozenset("0123456")

# What is said of a field that the use case refuses, beyond what reading it has found.
MESSAGES = {
    "slug": N_("Another one has this address. Small letters, digits and hyphens."),
    "name": N_("Give it a name of one line."),
    "rules": N_("No time twice."),
    "resource_ids": N_("Choose of these."),
}


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the form: single fields as texts, times with their weekdays, ids of what it takes, refunds."""

    values: dict[str, str]
    rules: tuple[tuple[str, frozenset[str]], ...] = ()
    uses: frozenset[str] = frozenset()
    refunds: tuple[tuple[str, str], ...] = ()

    def told(self, page: AdminPage, resources: Sequence[Resource]) -> dict[str, str]:
        """Return every field as one text, to be compared and shown."""
        rules = [
            f"{at} {', '.join(page.wording.weekday(int(day), short=True) for day in sorted(days))}"
            for at, days in self.rules
        ]
        refunds = [f"{hours} h: {percent} %" for hours, percent in self.refunds if hours or percent]
        notice = f"{self.values['cancel_notice_minutes']} {self.values['cancel_notice_minutes-unit']}"
        return {
            **self.values,
            "cancel_notice_minutes": notice,
            "rules": ", ".join(rules),
            "resource_ids": ", ".join(each.name for each in resources if str(each.id) in self.uses),
            "refund_terms": "; ".join(refunds),
        }


NEW = Filled(
    {
        **dict.fromkeys(("slug", *FIELDS), ""),
        "duration_minutes": "60",
        "max_capacity": "10",
        "payment_policy": "none",
        "payment_minutes": "30",
        "hold_minutes": "15",
        "cancel_notice_minutes-unit": "hours",
    }
)


def as_saved(page: AdminPage, program: Program) -> Filled:
    """Return the form as it is for what is saved."""
    values = {"name": program.name, "payment_policy": program.payment_policy, "timezone": program.timezone or ""}
    values["price_minor"] = text_of(program.price_minor, page.business.currency) if program.price_minor else ""
    for name in ("duration_minutes", "max_capacity", "payment_minutes", "hold_minutes"):
        values[name] = str(getattr(program, name))
    notice = "cancel_notice_minutes"
    values[notice], values[f"{notice}-unit"] = in_unit(program.cancel_notice_minutes)
    return Filled(
        values,
        tuple(
            (f"{starts:%H:%M}", frozenset(str(rule.weekday) for rule in program.rules if rule.starts == starts))
            for starts in sorted({rule.starts for rule in program.rules})
        ),
        frozenset(map(str, program.resource_ids)),
        tuple((str(term.hours_before), str(term.percent)) for term in program.refund_terms),
    )


def as_typed(form: Form) -> Filled:
    """Return the form as it was filled in."""
    values = {name: form.line(name) for name in (*FIELDS, "slug", "cancel_notice_minutes-unit")}
    lines = [(form.line(f"rule-time-{n}"), frozenset(form.lines(f"rule-days-{n}")) & _DAYS) for n in range(MAX_LINES)]
    refunds = zip(form.lines("refund_terms-hours"), form.lines("refund_terms-percent"), strict=False)
    rules = tuple((at, days) for at, days in lines if at or days)
    return Filled(values, rules, frozenset(form.lines("uses")), tuple(refunds))


def draft_in(typed: Typed) -> ProgramDraft:
    """Return what is typed as a draft; what is wrong is kept by `typed`."""
    filled = as_typed(typed.form)
    rules = []
    for at, days in filled.rules:
        starts = typed.time("rules", at)
        if starts is not None:
            rules += [ProgramRule(int(day), starts) for day in days]
        if not days:
            typed.refuse("rules", N_("Say on which days, for each time."))
    if len(set(rules)) < len(rules):
        typed.refuse("rules", MESSAGES["rules"])
    policy = typed.word("payment_policy", POLICIES)
    price_minor = typed.money("price_minor")
    if policy == "prepay" and price_minor == 0:
        typed.refuse("price_minor", N_("What is paid in advance has a price."))
    zone = typed.form.line("timezone") or None
    if zone is not None and zone not in zones():
        typed.refuse("timezone", N_("Choose one of the list."))
    uses = [id_ for each in filled.uses if (id_ := uuid_or_none(each))]
    return ProgramDraft(
        name=typed.name(),
        duration_minutes=typed.whole("duration_minutes"),
        max_capacity=typed.whole("max_capacity"),
        rules=tuple(sorted(set(rules))),
        resource_ids=tuple(sorted(uses)),
        price_minor=price_minor,
        payment_policy=policy,
        payment_minutes=typed.whole("payment_minutes"),
        refund_terms=typed.terms("refund_terms"),
        hold_minutes=typed.whole("hold_minutes"),
        cancel_notice_minutes=typed.minutes("cancel_notice_minutes"),
        timezone=zone,
    )
