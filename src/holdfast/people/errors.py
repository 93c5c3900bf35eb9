"""What can go wrong when a person asks about themselves."""

from holdfast.kernel.errors import UserError


class PersonHasAppointments(UserError):
    """Whoever is still expected cannot be forgotten: nobody would know who comes."""

    code, status = "person_has_appointments", 409
    message = "This person has appointments to come; cancel them first"


class StillSealing(UserError):
    """Contacts of an earlier release are in plain text still, where nobody is found by a blind index."""

    code, status = "still_sealing", 409
    message = "Contacts of an earlier release are still being sealed; `holdfast doctor` tells when none is left"
