"""What can be wrong with a calendar file."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from holdfast.kernel.errors import UserError
from holdfast.kernel.problems import Problem, told


class CalendarFileInvalid(UserError):
    """The file cannot be imported, and nothing was changed. The message has a line for each of its problems."""

    code, status, message = "calendar_file_invalid", 422, "The calendar file is not valid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        message, details = told(self.problems)
        super().__init__(message, details=details)


def refusal(line: int, reason: str) -> CalendarFileInvalid:
    """Return the error for one problem."""
    return CalendarFileInvalid([Problem(line, reason)])


@contextmanager
def told_on(line: int) -> Iterator[None]:
    """Refuse the file for what the body finds wrong with a value (ValueError): it stands on this line."""
    try:
        yield
    except ValueError as error:
        raise refusal(line, str(error)) from None


def quoted(text: str) -> str:
    """Return what a file says as a reason may show it: short, and printable."""
    shown = repr(text[:48])
    return shown if len(text) <= 48 else f"{shown}..."
