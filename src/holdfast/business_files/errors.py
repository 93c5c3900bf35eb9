"""What can be wrong with a business file, and with what is asked of one."""

from collections.abc import Iterable

from holdfast.kernel.errors import UserError
from holdfast.kernel.problems import Problem, told


class BusinessFileInvalid(UserError):
    """The file cannot be imported, and nothing was changed. The message has a line for each of its problems."""

    code, status, message = "business_file_invalid", 422, "The business file is not valid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        message, details = told(self.problems)
        super().__init__(message, details=details)


class UnknownResources(UserError):
    """Slugs that no active resource of the business has; `details.resources` lists them."""

    code, status, message = "unknown_resources", 404, "There is no such resource"


class NoResourceNamed(UserError):
    """Busy time is somebody's."""

    code, status = "no_resource_named", 400
    message = "Say whose busy time this is: name one resource or several"


class HolidaysUseless(UserError):
    """A resource that is always open has no opening hours to be closed; `details.resources` lists such."""

    code, status = "holidays_useless", 422
    message = "A resource that is always open has no holidays; import the file as busy time instead"


class SourceInvalid(UserError):
    """The name of a source cannot be shown, or is too long."""

    code, status = "source_invalid", 400
    message = "A source has a name of 1 to 200 characters that can be shown"


class NotExpressible(UserError):
    """The business is in a state that no file can describe; the message says what is in the way."""

    code, status, message = "not_expressible", 409, "No file can describe this business"
