"""Intake forms: what clients answer before an appointment, sealed, read by few, and never unseen (D-5, D-7)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.booking.bookings import lock_appointment
from holdfast.booking.errors import NotChangeable
from holdfast.booking.states import LIVE
from holdfast.kernel.audit import CLIENT, Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load(__package__, "intake.sql")

_PLACE = "intake_forms.answers"
_KIND = "intake_form"
_decode = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class IntakeForm:
    """What a client has answered: question and answer."""

    id: UUID
    submitted_at: datetime
    answers: dict[str, str]


async def submit(tx: Transaction, booking_id: UUID, answers: dict[str, str]) -> IntakeForm:
    """Keep the answers of a client in the place of those before.

    Raises AppointmentNotFound, NotChangeable for an appointment that will not take place.
    """
    # Under its lock the appointment has one form, whoever submits at the same moment.
    booking = await lock_appointment(tx, booking_id)
    if booking.status not in LIVE:
        raise NotChangeable
    values = {"business_id": tx.business_id, "booking_id": booking_id}
    before = await tx.value(_SQL["intake_id"], values)
    form_id = before or new_id()
    sealed = (await tx.keys()).seal(_PLACE, form_id, msgspec.json.encode(answers).decode())
    submitted_at = await tx.value(_SQL["put_intake"], values | {"id": form_id, "answers": sealed})
    await record(tx, _KIND, form_id, "change_intake" if before else "submit_intake", CLIENT, after=booking_id)
    return IntakeForm(form_id, submitted_at, answers)


async def read(tx: Transaction, booking_id: UUID, actor: Actor) -> IntakeForm:
    """Return what a client has answered, and write down who has read it.

    The edge has to know that this reader may. Raises NotFound when nothing was answered; Undecipherable.
    """
    # Locked, so that of two readers at once each has an entry of their own in the log.
    found = await tx.rows(_SQL["lock_intake"], {"business_id": tx.business_id, "booking_id": booking_id})
    if not found:
        raise NotFound
    [row] = found
    text = (await tx.keys()).open(_PLACE, row["id"], bytes(row["answers"]))
    await record(tx, _KIND, row["id"], "read_intake", actor, after=booking_id)
    return IntakeForm(row["id"], row["submitted_at"], _decode(text))
