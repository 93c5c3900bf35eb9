"""What can be wrong with a business file."""

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.kernel.errors import UserError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something to mend in a file, on a line (numbered from 1)."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class BusinessFileInvalid(UserError):
    """The file cannot be imported, and nothing was changed. The message has a line for each of its problems."""

    code, status, message = "business_file_invalid", 422, "The business file is not valid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(
            "\n".join(map(str, self.problems)),
            details={"problems": [{"line": problem.line, "message": problem.reason} for problem in self.problems]},
        )
