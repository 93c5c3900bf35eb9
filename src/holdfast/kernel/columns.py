"""The registry of columns: what each holds, as the law and our promises see it (D-5).

P0 is technical, aggregate or published. P1 is how a person is reached. P2 is what a person confides, and secrets.
P1 and P2 are stored as envelopes and blind indexes only (`kernel/privacy.py`).
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, cast

Class = Literal["P0", "P1", "P2"]
CLASSES: tuple[Class, ...] = ("P0", "P1", "P2")


@cache
def registry() -> Mapping[str, Class]:
    """Return the class of every column, named `table.column`.

    Raises ValueError for a class that is none, and for a column with two.
    """
    tables = tomllib.loads((files("holdfast") / "columns.toml").read_text("utf-8"))
    classes: dict[str, Class] = {}
    for table, columns in tables.items():
        for name, listed in columns.items():
            if name not in CLASSES:
                raise ValueError(f"{table} has columns of the unknown class {name}")
            for column in listed.split():
                if f"{table}.{column}" in classes:
                    raise ValueError(f"{table}.{column} has two classes")
                classes[f"{table}.{column}"] = cast(Class, name)
    return MappingProxyType(classes)


def guarded(place: str) -> bool:
    """Return whether a column, named `table.column`, holds personal data. Raises KeyError for an unknown one."""
    return registry()[place] != "P0"
