"""How a process of ours ends when something is wrong that its user can mend: a sentence on stderr, and exit code 2."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def said_in_a_sentence(*known: type[Exception]) -> Iterator[None]:
    """End the process when the block fails by one of these, or by a refusal of the database: without a traceback."""
    try:
        yield
    except known as failure:
        _end(str(failure))
    except psycopg.Error as refusal:
        # Without the details, which quote rows.
        _end(f"the database refused this ({refusal.sqlstate}): {refusal.diag.message_primary}")


def _end(why: str) -> None:
    sys.stderr.write(f"holdfast: {why}\n")
    sys.exit(2)
