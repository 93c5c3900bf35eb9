"""The form of a service: how it is filled in from what is saved, and what is meant by what is typed."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from holdfast.admin.frame import AdminPage, Form
from holdfast.admin.typed import Typed, in_unit
from holdfast.catalog.prices import text_of
from holdfast.catalog.resources import Resource
from holdfast.catalog.services import Service
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.offerings.drafts import MAX_REQUIREMENTS, POLICIES, ServiceDraft

# What each field is called.
FIELDS = {
    "name": N_("Name of the service"),
    "duration_minutes": N_("Duration, minutes"),
    "price_minor": N_("Price"),
    "payment_policy": N_("Payment"),
    "payment_minutes": N_("Minutes to pay"),
    "requirements": N_("Who and what it takes"),
    "buffer_before_minutes": N_("Free time before, minutes"),
    "buffer_after_minutes": N_("Free time after, minutes"),
    "slot_step_minutes": N_("A start every so many minutes"),
    "max_simultaneous_bookings": N_("Bookings at once, at most"),
    "min_notice_minutes": N_("Book no later than this before"),
    "max_horizon_days": N_("Book at most so many days ahead"),
    "cancel_notice_minutes": N_("Cancel no later than this before"),
    "hold_minutes": N_("Minutes to fill in the details"),
    "refund_terms": N_("What goes back"),
}

# What is said of a field that the use case refuses, beyond what reading it has found.
MESSAGES = {
    "slug": N_("Another one has this address. Small letters, digits and hyphens."),
    "price_minor": N_("What is paid in advance has a price."),
    "requirements": N_("Choose at least one for each, and nobody twice."),
    "name": N_("Give it a name of one line."),
}


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the form: single fields as texts, for each thing needed the ids that will do, rows of refunds."""

    values: dict[str, str]
    needs: tuple[frozenset[str], ...] = ()
    refunds: tuple[tuple[str, str], ...] = ()

    def names(self, resource_id: UUID) -> bool:
        """Return whether a resource is chosen somewhere."""
        return any(str(resource_id) in need for need in self.needs)

    def told(self, resources: Sequence[Resource]) -> dict[str, str]:
        """Return every field as one text, to be compared and shown."""
        needs = [", ".join(each.name for each in resources if str(each.id) in need) for need in self.needs if need]
        refunds = [f"{hours} h: {percent} %" for hours, percent in self.refunds if hours or percent]
        units = {name: f"{text} {self.values[f'{name}-unit']}" for name, text in self.values.items() if _spans(name)}
        return {**self.values, **units, "requirements": " + ".join(needs), "refund_terms": "; ".join(refunds)}


NEW = Filled(
    {
        **dict.fromkeys(("slug", *FIELDS), ""),
        "duration_minutes": "60",
        "payment_policy": "none",
        "payment_minutes": "30",
        "max_horizon_days": "90",
        "hold_minutes": "15",
        "min_notice_minutes-unit": "hours",
        "cancel_notice_minutes-unit": "hours",
    }
)


def as_saved(page: AdminPage, service: Service) -> Filled:
    """Return the form as it is for what is saved."""
    values = {"name": service.name, "payment_policy": service.payment_policy}
    values["price_minor"] = text_of(service.price_minor, page.business.currency) if service.price_minor else ""
    for name in ("duration_minutes", "payment_minutes", "max_horizon_days", "hold_minutes"):
        values[name] = str(getattr(service, name))
    for name in ("buffer_before_minutes", "buffer_after_minutes", "slot_step_minutes", "max_simultaneous_bookings"):
        values[name] = str(getattr(service, name) or "")
    for name in ("min_notice_minutes", "cancel_notice_minutes"):
        values[name], values[f"{name}-unit"] = in_unit(getattr(service, name))
    needs = tuple(frozenset(map(str, need)) for need in service.requirements)
    return Filled(values, needs, tuple((str(term.hours_before), str(term.percent)) for term in service.refund_terms))


def as_typed(form: Form) -> Filled:
    """Return the form as it was filled in."""
    values = {name: form.line(name) for name in (*FIELDS, "slug", *(f"{n}-unit" for n in FIELDS if _spans(n)))}
    needs = tuple(frozenset(form.lines(f"need-{number}")) for number in range(MAX_REQUIREMENTS))
    refunds = zip(form.lines("refund_terms-hours"), form.lines("refund_terms-percent"), strict=False)
    return Filled(values, tuple(need for need in needs if need), tuple(refunds))


def draft_in(typed: Typed) -> ServiceDraft:
    """Return what is typed as a draft; what is wrong is kept by `typed`."""
    needs = as_typed(typed.form).needs
    if not needs:
        typed.refuse("requirements", N_("Choose who or what a booking takes."))
    named = [each for need in needs for each in need]
    if len(set(named)) < len(named):
        typed.refuse("requirements", N_("Nobody and nothing can be needed twice."))
    ids = tuple(tuple(sorted(i for each in need if (i := uuid_or_none(each)))) for need in needs)
    policy = typed.word("payment_policy", POLICIES)
    price_minor = typed.money("price_minor")
    if policy == "prepay" and price_minor == 0:
        typed.refuse("price_minor", MESSAGES["price_minor"])
    return ServiceDraft(
        name=typed.name(),
        duration_minutes=typed.whole("duration_minutes"),
        requirements=ids,
        buffer_before_minutes=typed.whole_or_none("buffer_before_minutes") or 0,
        buffer_after_minutes=typed.whole_or_none("buffer_after_minutes") or 0,
        slot_step_minutes=typed.whole_or_none("slot_step_minutes"),
        price_minor=price_minor,
        payment_policy=policy,
        payment_minutes=typed.whole("payment_minutes"),
        refund_terms=typed.terms("refund_terms"),
        hold_minutes=typed.whole("hold_minutes"),
        min_notice_minutes=typed.minutes("min_notice_minutes"),
        max_horizon_days=typed.whole("max_horizon_days"),
        cancel_notice_minutes=typed.minutes("cancel_notice_minutes"),
        max_simultaneous_bookings=typed.whole_or_none("max_simultaneous_bookings"),
    )


def _spans(name: str) -> bool:
    """Return whether a field has a unit beside it."""
    return name in {"min_notice_minutes", "cancel_notice_minutes"}
