"""Writes the diagrams and tables of docs/payments.md from states.py and decisions.py; run it when one has changed.

.venv/bin/python tests/house/payments_doc.py
"""

import inspect
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from holdfast.booking.states import BookingState
from holdfast.payments.decisions import TABLE, Decision
from holdfast.payments.states import REFUND_TRANSITIONS, TRANSITIONS, Cause, PaymentState, RefundState

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "payments.md"


def diagram(first: StrEnum, transitions: Mapping[StrEnum, frozenset[StrEnum]]) -> str:
    """Return a table of transitions as a diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    for before, after in transitions.items():
        lines += [f"    {before} --> {state}" for state in type(before) if state in after]
    return (
        "\n".join([*lines, *(f"    {state} --> [*]" for state, after in transitions.items() if not after), "```"])
        + "\n"
    )


def meanings(words: type[StrEnum]) -> str:
    """Return the words of an enumeration with what its source says of each."""
    source = inspect.getsource(words)
    said = {name: text for text, name in re.findall(r"((?:    # .*\n)+)    ([A-Z_]+) = ", source)}
    comments = {name: " ".join(line.strip(" #") for line in text.splitlines()) for name, text in said.items()}
    rows = [f"| `{word}` | {comments[word.name]} |" for word in words]
    return "\n".join(["| word | means |", "|---|---|", *rows]) + "\n"


def decisions() -> str:
    """Return the table of decisions: a row for each state of a payment, a column for each of a booking."""
    lines = ["| payment | " + " | ".join(BookingState) + " |", "|---|" + "---|" * len(BookingState)]
    lines += [
        f"| **{payment}** | " + " | ".join(TABLE[payment, booking] for booking in BookingState) + " |"
        for payment in PaymentState
    ]
    return "\n".join(lines) + "\n"


def parts() -> dict[str, str]:
    """Return what is written, by the name of its place."""
    return {
        "payment states": diagram(PaymentState.CREATED, TRANSITIONS),
        "payment words": meanings(PaymentState),
        "refund states": diagram(RefundState.CREATED, REFUND_TRANSITIONS),
        "causes": meanings(Cause),
        "decisions": decisions(),
        "decision words": meanings(Decision),
    }


def written(text: str) -> str:
    """Return the text of the document with its parts as they have to be."""
    for name, part in parts().items():
        before, beginning, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->\n")
        assert beginning, f"the document has no place for {name}"
        assert end, f"the place for {name} has no end"
        text = before + beginning + part + end + after
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
