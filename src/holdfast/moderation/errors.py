"""What can go wrong about a question."""

from holdfast.kernel.errors import UserError


class QuestionNotFound(UserError):
    """There is no such question, or none that the caller may know of."""

    code, status, message = "question_not_found", 404, "There is no such question"


class UnknownTopic(UserError):
    """The business has no topic of this slug."""

    code, status, message = "unknown_topic", 404, "There is no such topic"
    constraint = "ugc_items_topic"


class NotAssigned(UserError):
    """What somebody has confided is read, and answered, by the owner and by whom it was assigned to."""

    code, status = "not_assigned", 403
    message = "This question is assigned to somebody else, or to nobody yet"


class StepNotAllowed(UserError):
    """The question is not where this step begins; `details.status` is where it is."""

    code, status = "step_not_allowed", 409
    message = "The question is not where this step begins"
    constraint = "ugc_items_transition"


class UnknownAssignee(UserError):
    """Nobody of the staff of the business has this id."""

    code, status, message = "unknown_assignee", 404, "Nobody of the staff has this id"
