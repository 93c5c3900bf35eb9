"""What can go wrong about leads and deep links."""

from holdfast.kernel.errors import UserError


class LeadNotFound(UserError):
    """There is no such lead, or none that the caller may know of."""

    code, status, message = "lead_not_found", 404, "There is no such lead"


class LeadMerged(UserError):
    """The lead turned out to be the same person as another, `details.mergedInto`, which is what can be changed."""

    code, status, message = "lead_merged", 409, "This lead was merged into another"


class LeadNotAssigned(UserError):
    """Notes about somebody are read by the owner and by whom the lead is assigned to."""

    code, status = "lead_not_assigned", 403
    message = "This lead is assigned to somebody else, or to nobody yet"


class IdentityTaken(UserError):
    """The way to reach somebody belongs to another lead; `details.field` names it, `details.leadId` whose it is."""

    code, status, message = "identity_taken", 409, "This belongs to another lead; merge the two if they are one person"
    constraint = "lead_identities_once"


class UnknownLeadAssignee(UserError):
    """Nobody of the staff of the business has this id."""

    code, status, message = "unknown_lead_assignee", 404, "Nobody of the staff has this id"


class DeepLinkNotFound(UserError):
    """There is no such deep link, or it was retired."""

    code, status, message = "deep_link_not_found", 404, "There is no such link"


class DuplicateDeepLink(UserError):
    """The business has given this id to a link already; a retired one keeps it."""

    code, status, message = "duplicate_deep_link", 409, "id: there is a link of this id already"
    constraint = "deep_links_pkey"
    field = "id"

    def __init__(self) -> None:
        super().__init__(details={"field": "id"})
