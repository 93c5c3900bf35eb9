"""The consent that the form of the details asks for, kept as the one of the API is (access, consents)."""

from holdfast.booking.bookings import Booking
from holdfast.booking.contacts import Guest
from holdfast.identity.consents import Act, Kind, Proof, Said, history_of, record_consent
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed

# Names the sentence that held.html shows. Another sentence is another version: what somebody agreed to stays known.
VERSION = "booking-page-1"
FIELD = "consent"


def check_consent(form: dict[str, str]) -> None:
    """Raise ValidationFailed when the box was not ticked: without it nothing about a person may be kept."""
    if not form.get(FIELD):
        raise ValidationFailed.at(FIELD, "is needed: without it nothing may be kept")


async def keep_consent(tx: Transaction, booking: Booking, guest: Guest) -> None:
    """Keep that a guest has agreed, once for a booking however often its form is sent.

    The caller knows that the booking is that guest's, which is the proof.
    """
    keys = await tx.keys()
    subjects = [keys.index_email(guest.email)]
    if guest.phone is not None:
        subjects.append(keys.index_phone(guest.phone))
    said = Said(Kind.PRIVACY_POLICY, Act.GIVEN, VERSION, guest.locale)
    for subject in subjects:
        known = await history_of(tx, [subject])
        if not any(
            entry.proof is Proof.BOOKING
            and (entry.kind, entry.document_version) == (said.kind, said.document_version)
            and entry.acted_at >= booking.held_at
            for entry in known
        ):
            await record_consent(tx, [subject], said, Proof.BOOKING)
