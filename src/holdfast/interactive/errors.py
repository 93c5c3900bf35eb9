"""What can go wrong with quizzes and rituals."""

from holdfast.kernel.errors import UserError


class InteractiveSlugTaken(UserError):
    """Another quiz or ritual of the business has the slug."""

    code, status, message = "interactive_slug_taken", 409, "Another quiz or ritual has this slug"
    constraint = "interactive_definitions_slug"
    field = "slug"


class InteractiveStepNotAllowed(UserError):
    """It is in a state from which this does not lead on; `details.status` says in which."""

    code, status = "interactive_step_not_allowed", 409
    message = "This is not possible in the state in which it is"
    constraint = "interactive_definitions_transition"
