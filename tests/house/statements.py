"""The named statements of the package, as PostgreSQL sees them."""

import re

from holdfast.kernel.sql import load
from house.sources import PACKAGE, named_sql_files

PLACEHOLDER = re.compile(r"%(?:%|\((\w+)\)s)")

STATEMENTS = [
    (path, name, statement)
    for path in named_sql_files()
    for name, statement in load(".".join(["holdfast", *path.parent.relative_to(PACKAGE).parts]), path.name).items()
]


def numbered(statement: str) -> str:
    """Return the statement as PostgreSQL sees it: %(name)s as $1, the same name as the same number."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        return "%" if name is None else f"${numbers.setdefault(name, len(numbers) + 1)}"

    return PLACEHOLDER.sub(number, statement) if PLACEHOLDER.search(statement) else statement
