"""One person: how they are reached, what they have booked, and what else concerns them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.bookings import Shown, shown_of
from holdfast.admin.bookings_words import names_in, why
from holdfast.admin.customers_known import Known, known_by, known_in
from holdfast.admin.customers_words import ACTS, CONSENTS, PROOFS
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, database_of, page_in, render
from holdfast.admin.payments_words import PAYMENT_STATES
from holdfast.admin.waitlist import Waiting, waiting_shown
from holdfast.booking import bookings
from holdfast.booking.bookings import Booking
from holdfast.booking.contacts import Person, person_of
from holdfast.booking.personal import waits_of
from holdfast.booking.waitlist import WaitlistRequest
from holdfast.identity import consents
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.errors import NotFound, UserError
from holdfast.kernel.languages import N_
from holdfast.kernel.sql import load

PATH = "/admin/customers/{who:str}"

_SQL = load(__package__, "customers.sql")
# More than anybody books in years; who has more is told so.
_MOST = 200
_NOTICES = {"consent": N_("The consent is written down.")}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a person: bookings newest first."""

    bookings: list[Booking]
    people: list[Person]
    waits: list[WaitlistRequest]
    leads: list[UUID]
    questions: list[Row]
    consents: list[consents.Entry]

    @property
    def is_nobody(self) -> bool:
        """Return whether nothing is kept at all."""
        return not (self.bookings or self.waits or self.leads or self.questions or self.consents)


@get(PATH, guards=[Needs(Permission.READ_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_customer(request: Call, who: FromPath[str]) -> Response[Any]:
    """Show a person: how they are reached, what they have booked, and what else concerns them."""
    return await show(request, who)


async def show(
    request: Call, who: str, error: UserError | None = None, typed: dict[str, str] | None = None
) -> Response[Any]:
    """Return the page of a person, also after something that was refused; raises NotFound for nobody."""
    known = known_in(who)
    if known is None:
        raise NotFound
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        kept = await kept_of(tx, known)
        if kept.is_nobody:
            raise NotFound
        shown = await shown_of(tx, kept.bookings)
        waits = await _waits(tx, page, kept)
        ids = {"business_id": tx.business_id, "ids": [booking.id for booking in kept.bookings]}
        payments = await tx.rows(_SQL["payments_of"], ids) if page.may(Permission.READ_PAYMENTS) else []
        reached, others = await _others(tx, known, kept)
    coming = [each for each in shown if each.booking.ends_at > each.booking.now]
    return render(
        page,
        "customers_one.html",
        200 if error is None else error.status,
        request=request,
        notices=_NOTICES,
        known=known,
        reached=reached,
        name=next((person.name for person in kept.people if person.name), None),
        others=others,
        also=next((each for each in others if each[0].kind != known.kind), None),
        coming=coming[::-1],
        past=[each for each in shown if each not in coming],
        figures=_figures(shown),
        is_cut=len(shown) == _MOST,
        waits=waits,
        leads=kept.leads if page.may(Permission.READ_LEADS) else [],
        questions=kept.questions if page.may(Permission.MODERATE_QUESTIONS) else [],
        payments=payments,
        payment_states=PAYMENT_STATES,
        standing=consents.standing(kept.consents) if page.may(Permission.READ_CONSENTS) else [],
        consents=kept.consents[::-1] if page.may(Permission.READ_CONSENTS) else [],
        consent_words=CONSENTS,
        act_words=ACTS,
        proof_words=PROOFS,
        may_record=page.may(Permission.RECORD_CONSENTS),
        may_answer=page.may(Permission.ANSWER_PEOPLE),
        slip=None if error is None else why(page, error),
        typed=typed or {},
    )


handlers: list[HTTPRouteHandler] = [admin_customer]


async def kept_of(tx: Transaction, known: Known) -> Kept:
    """Return what is kept of a person."""
    whom = known.handles
    values = {"business_id": tx.business_id, "email": whom.email, "phone": whom.phone, "limit": _MOST}
    ids = [row["id"] for row in await tx.rows(_SQL["bookings_of"], values)]
    booked = await bookings.find_all(tx, ids)
    keys = await tx.keys()
    return Kept(
        booked,
        [person_of(keys, booking) for booking in booked],
        await waits_of(tx, whom),
        [row["id"] for row in await tx.rows(_SQL["leads_of"], values)],
        await tx.rows(_SQL["questions_of"], values),
        await consents.history_of(tx, whom.all),
    )


async def _waits(tx: Transaction, page: AdminPage, kept: Kept) -> list[Waiting]:
    names = await names_in(tx, (each.wanted.schedule_id for each in kept.waits))
    keys = await tx.keys()
    return [waiting_shown(page, keys, names, each) for each in kept.waits]


async def _others(tx: Transaction, known: Known, kept: Kept) -> tuple[str | None, list[tuple[Known, str]]]:
    """Return how the person was asked for, as it is written, and how else they are reached, the latest first."""
    keys = await tx.keys()
    asked: str | None = None
    others: dict[Known, str] = {}
    guests = [(each.guest.email, each.guest.phone) for each in reversed(kept.waits)]
    for pair in [*((person.email, person.phone) for person in kept.people), *guests]:
        for text in pair:
            found = None if text is None else known_by(keys, text)
            if text is None or found is None:
                continue
            if found == known:
                asked = asked or text
            else:
                others.setdefault(found, text)
    return asked, list(others.items())


def _figures(shown: list[Shown]) -> dict[str, int]:
    states = [str(each.booking.state) for each in shown]
    return {state: states.count(state) for state in ("completed", "no_show", "cancelled")}
