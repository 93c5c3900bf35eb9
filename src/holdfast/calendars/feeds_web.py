"""Feeds over HTTP: made and taken away by owners, read by any calendar app that has the address."""

import asyncio
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from holdfast.calendars import feeds
from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.about import BUSINESS_ID, note
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import NotFound
from holdfast.kernel.http import Instant, address_of, json_response
from holdfast.kernel.ids import uuid_or_none

_PATH = "/api/admin/resources/{resource_id:str}/calendar-feed"
_ENDING = ".ics"


class FeedView(msgspec.Struct, rename="camel"):
    """Whether a resource has a feed, and since when it is the one."""

    exists: bool
    created_at: Instant | None


class MadeFeedView(FeedView):
    """A feed with its address, which is shown here and never again: whoever has it reads the feed."""

    url: str


@post(
    _PATH,
    status_code=201,
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    opt=documented(answers=MadeFeedView, security="StaffKey"),
)
async def make_feed(request: Call, resource_id: FromPath[str]) -> Response[bytes]:
    """Give a resource a feed under a new address; the one that it had is dead at once."""
    staff, wanted = staff_of(request), _id_in(resource_id)
    state = request.app.state
    base = state.calendars.public_url or address_of(request)
    token, made_at = await state.database.run(staff.business_id, lambda tx: feeds.make_feed(tx, wanted, staff.actor))
    return json_response(
        MadeFeedView(exists=True, created_at=made_at, url=f"{base}/calendar-feeds/{token}{_ENDING}"), 201
    )


@get(_PATH, guards=[Needs(Permission.READ_CALENDARS)], opt=documented(answers=FeedView, security="StaffKey"))
async def read_feed_state(request: Call, resource_id: FromPath[str]) -> Response[bytes]:
    """Return whether a resource has a feed; its address is not told again."""
    wanted = _id_in(resource_id)
    async with request.app.state.database.transaction(staff_of(request).business_id) as tx:
        made_at = await feeds.feed_made_at(tx, wanted)
    return json_response(FeedView(made_at is not None, made_at))


@delete(_PATH, status_code=204, guards=[Needs(Permission.CONNECT_CALENDARS)], opt=documented(security="StaffKey"))
async def drop_feed(request: Call, resource_id: FromPath[str]) -> None:
    """Take the feed of a resource away: its address opens nothing more."""
    staff, wanted = staff_of(request), _id_in(resource_id)
    await request.app.state.database.run(staff.business_id, lambda tx: feeds.drop_feed(tx, wanted, staff.actor))


@get("/calendar-feeds/{file:str}", opt=documented(headers=("If-None-Match",)))
async def feed(request: Call, file: FromPath[str]) -> Response[bytes]:
    """Return the appointments of a resource as a calendar file, `{token}.ics`: service and time, nothing of clients."""
    token, ending = file[: -len(_ENDING)], file[-len(_ENDING) :]
    # What could be no token is not worth a question.
    if ending != _ENDING or not (token.isascii() and 0 < len(token) <= 100):
        raise NotFound
    database = request.app.state.database
    async with database.reading() as tx:
        business_id, resource_id = await feeds.whose_feed(tx, token)
    note(BUSINESS_ID, business_id)
    async with database.transaction(business_id) as tx:
        found = await feeds.read_feed(tx, resource_id)
    tag = f'"{found.tag}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "X-Robots-Tag": "noindex"}
    if tag in (request.headers.get("If-None-Match") or ""):
        return Response(b"", status_code=304, headers=headers, media_type="text/calendar")
    # A year of appointments takes a while to write.
    body = await asyncio.to_thread(feeds.written, found)
    return Response(body, headers=headers, media_type="text/calendar")


handlers = [make_feed, read_feed_state, drop_feed, feed]


def _id_in(text: str) -> UUID:
    found = uuid_or_none(text)
    if found is None:
        raise NotFound
    return found
