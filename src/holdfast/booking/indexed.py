"""Whether the index that keeps a place from being sold twice knows every claim (invariant 1).

An exclusion constraint asks its index and nothing else, and the checks read tables and nothing else: a claim that the
index lacks would be noticed by nobody until its place is sold again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection

from holdfast.kernel.sql import load

INDEX = "claims_no_overlap"

_SQL = load("holdfast.booking", "indexed.sql")


@dataclass(frozen=True, slots=True)
class Gap:
    """The index does not find all claims of a business; says how many it finds and what to do."""

    business_id: UUID
    problem: str


def gaps(connection: Connection) -> Iterator[Gap]:
    """Yield each business of which the index does not find just the claims that the table has.

    The connection is in the one transaction of the verification, which reads tables before and after.
    """
    of_table = connection.execute(_SQL["claims_of_table"]).fetchall()
    connection.execute(_SQL["read_indexes"])
    of_index = {business_id: found for business_id, *found in connection.execute(_SQL["claims_of_index"])}
    connection.execute(_SQL["read_tables"])
    for business_id, *held in of_table:
        found = of_index.get(business_id, [0, 0])
        if found != held:
            yield Gap(
                business_id,
                f"the index {INDEX} finds {found[0]} of {held[0]} claims, so that a place could be sold twice:"
                f" stop the servers, run `reindex index {INDEX}`, and verify again",
            )
