"""The audit log over HTTP: who has done what, and when."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import msgspec
from litestar import Response, get

from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import names_of
from holdfast.kernel import audit
from holdfast.kernel.audit import Filters
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Instant, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import date_in, line_in, number_in

_MAX_LIMIT = 500


class EntryView(msgspec.Struct, rename="camel", kw_only=True):
    """What was done: `kind` and `id` say to what, `version` is how many entries of it there are up to this one.

    `actor` is staff, client, console or system; of staff, `actorId` is the user or the key, and `actorName` what they
    are called. `hasReason` says whether somebody wrote down why.
    """

    at: Instant
    kind: str
    id: UUID
    version: int
    action: str
    from_state: str | None
    to_state: str | None
    actor: str
    actor_id: UUID | None
    actor_name: str | None
    has_reason: bool


class AuditView(msgspec.Struct, rename="camel"):
    """A page of the log, the newest entry first; `nextCursor` leads to the next one."""

    entries: list[EntryView]
    next_cursor: str | None


@get(
    "/api/admin/audit",
    guards=[Needs(Permission.READ_AUDIT)],
    opt=documented(
        query=("kind", "id", "action", "actor", "actorId", "from", "to", "cursor", "limit"),
        answers=AuditView,
        security="StaffKey",
    ),
)
async def read_audit(request: Call) -> Response[bytes]:
    """Return what was done in the business: `from` and `to` are days, both within, as they are in UTC."""
    asked = request.query_params
    since, until = date_in(asked.get("from"), "from"), date_in(asked.get("to"), "to")
    filters = Filters(
        kind=line_in(asked.get("kind"), "kind"),
        aggregate_id=_id_in(asked.get("id"), "id"),
        action=line_in(asked.get("action"), "action"),
        actor=line_in(asked.get("actor"), "actor"),
        actor_id=_id_in(asked.get("actorId"), "actorId"),
        since=None if since is None else datetime.combine(since, time(), UTC),
        until=None if until is None else datetime.combine(until + timedelta(days=1), time(), UTC),
    )
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    async with request.app.state.database.transaction(staff_of(request).business_id) as tx:
        found, following = await audit.find_entries(tx, filters, cursor=asked.get("cursor") or None, limit=limit)
        names = await names_of(tx, (entry.actor_id for entry in found))
    shown = [
        EntryView(
            at=entry.at,
            kind=entry.kind,
            id=entry.aggregate_id,
            version=entry.version,
            action=entry.action,
            from_state=entry.from_state,
            to_state=entry.to_state,
            actor=entry.actor,
            actor_id=entry.actor_id,
            actor_name=None if entry.actor_id is None else names.get(entry.actor_id),
            has_reason=entry.reason_id is not None,
        )
        for entry in found
    ]
    return json_response(AuditView(shown, following))


handlers = [read_audit]


def _id_in(text: str | None, field: str) -> UUID | None:
    if not text:
        return None
    found = uuid_or_none(text)
    if found is None:
        raise ValidationFailed.at(field, "Invalid UUID")
    return found
