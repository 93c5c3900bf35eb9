"""Consents in words."""

from holdfast.identity.consents import Act, Kind, Proof
from holdfast.kernel.languages import N_

CONSENTS = {
    Kind.PRIVACY_POLICY: N_("Privacy policy"),
    Kind.TERMS: N_("Terms"),
    Kind.HEALTH_DATA: N_("Data about health"),
    Kind.MARKETING: N_("News and offers"),
}
ACTS = {Act.GIVEN: (N_("Given"), "good"), Act.WITHDRAWN: (N_("Withdrawn"), "bad")}
PROOFS = {
    Proof.BOOKING: N_("by the link of a booking"),
    Proof.STAFF: N_("told to staff"),
    Proof.CLAIMED: N_("by a form, without proof of who it was"),
}
