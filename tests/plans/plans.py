"""The plans by which PostgreSQL runs a statement and whatever its functions run inside, as the application's role."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

# Every plan of every statement, those within functions too, comes to the client as a notice.
_WATCH = """
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_analyze = on;
    set auto_explain.log_timing = off;
    set auto_explain.log_parameter_max_length = 0;
    set auto_explain.log_format = json;
    set auto_explain.log_level = notice;
    set role holdfast_app"""

# PostgreSQL makes the first five plans of a prepared statement for its values, and then may settle for one for all.
ASKED_BEFORE = 8


@dataclass(frozen=True)
class Step:
    """A step of a plan that reads a table, or writes it under a constraint."""

    table: str
    index: str | None
    rows_read: int

    @property
    def is_scan_of_all(self) -> bool:
        """Whether the table was read from one end to the other."""
        return self.index is None


class Plans:
    """Runs statements as the application does, takes back what they did, and tells how they ran."""

    def __init__(self, uri: str, business_id: UUID) -> None:
        self._connection = psycopg.connect(uri)
        self._connection.execute(_WATCH.encode())
        self._connection.execute("select set_config('holdfast.business', %s, false)", [str(business_id)])
        self._connection.commit()
        self._notices: list[str] = []
        self._connection.add_notice_handler(lambda notice: self._notices.append(notice.message_primary or ""))

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def steps(self, statement: str, params: Mapping[str, Any]) -> list[Step]:
        """Return the steps that touched tables, when the statement has been asked so often that its plan may stay."""
        for _ in range(ASKED_BEFORE):
            self._run(statement, params)
        plans = self._run(statement, params)
        return [step for plan in plans for step in _steps(plan["Plan"])]

    def _run(self, statement: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._notices.clear()
        self._connection.execute(statement.encode(), params, prepare=True).fetchall()
        # A plan is told when its statement ends, which is when the next one begins.
        self._connection.execute("select")
        self._connection.rollback()
        plans = [json.loads(notice.partition("plan:\n")[2]) for notice in self._notices if "plan:\n" in notice]
        assert plans, "the statement has a plan"
        return plans


def _steps(node: dict[str, Any], table: str = "") -> Iterator[Step]:
    table = node.get("Relation Name", table)
    children = node.get("Plans", [])
    if "Scan" in node["Node Type"] and "Relation Name" in node and node["Actual Loops"]:
        read = sum(
            node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        )
        # A step that reads by bitmaps has no index of its own.
        by = node.get("Index Name") or ("bitmap" if children and node["Node Type"].startswith("Bitmap") else None)
        yield Step(table, by, round(read * node["Actual Loops"]))
    if node["Node Type"] == "Bitmap Index Scan":
        yield Step(table, node["Index Name"], 0)
    for arbiter in node.get("Conflict Arbiter Indexes", []):
        yield Step(table, arbiter, 0)
    for child in children:
        yield from _steps(child, table)
