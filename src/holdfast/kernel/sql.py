"""Named SQL statements, loaded from the `queries.sql` of a capability.

A statement begins with a line `-- name: some_name` and ends where the next one begins.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\s*$", re.MULTILINE)


def load(package: str, file: str = "queries.sql") -> Mapping[str, LiteralString]:
    """Return the statements of a package's file by name, in the order of the file.

    Raises ValueError for a name given twice or text before the first name other than comments.
    """
    text = (files(package) / file).read_text(encoding="utf-8")
    pieces = _NAME.split(text)
    if any(line.strip() and not line.startswith("--") for line in pieces[0].splitlines()):
        raise ValueError(f"{package}/{file}: a statement stands before the first name")
    statements: dict[str, LiteralString] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in statements:
            raise ValueError(f"{package}/{file}: {name} is given twice")
        # The text is part of the package, as literal as the code beside it.
        statements[name] = cast(LiteralString, body.strip().removesuffix(";"))
    return MappingProxyType(statements)
