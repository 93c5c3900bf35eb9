"""What the audit log tells of a change: the values that differ, before and after."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction

# A resource may be a person: their name is not for a log that nobody can take anything out of.
_UNTOLD = frozenset({"name"})


async def note_change(
    tx: Transaction,
    kind: str,
    id_: UUID,
    action: str,
    actor: Actor,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    """Write the entry of a change, unless nothing differs; of a name it tells only that it is another."""
    differing = [name for name in after if before.get(name) != after[name]]
    if differing or action != "change":
        await record(tx, kind, id_, action, actor, before=_told(before, differing), after=_told(after, differing))


def _told(values: Mapping[str, Any], names: list[str]) -> str | None:
    told = {name: "..." if name in _UNTOLD else values[name] for name in names if name in values}
    return msgspec.json.encode(told, order="sorted").decode() if told else None
