"""Webhooks over HTTP: the log of events for whoever asks, endpoints for who is to be told, what was delivered."""

from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from holdfast.booking.calls import instant_in
from holdfast.identity.calls import Call, id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.lists import in_calendar, line_in, number_in, word_in
from holdfast.webhooks import deliveries, endpoints, log
from holdfast.webhooks.deliveries import REPLAYED_AT_ONCE
from holdfast.webhooks.endpoints import Endpoint, Wish
from holdfast.webhooks.events import EVENTS
from holdfast.webhooks.settings import WebhookSettings
from holdfast.webhooks.shapes import (
    DeliveriesView,
    DeliveryView,
    EndpointBody,
    EndpointChangeBody,
    EndpointsView,
    EndpointView,
    EndpointWithSecretView,
    EventsView,
    EventView,
    ReplayBody,
    ReplayedView,
    RotateBody,
    members_of,
)
from holdfast.webhooks.states import DeliveryState, EndpointState
from holdfast.webhooks.wire import check

_PATH = "/api/admin/webhooks"
_ONE = _PATH + "/{webhook_id:str}"
_DELIVERY = _ONE + "/deliveries/{delivery_id:str}"
_MANAGES = [Needs(Permission.MANAGE_WEBHOOKS)]
_MAX_LIMIT = 500


@get(
    "/api/admin/events",
    guards=[Needs(Permission.READ_EVENTS)],
    opt=documented(query=("cursor", "since", "types", "limit"), answers=EventsView, security="StaffKey"),
)
async def events(request: Call) -> Response[bytes]:
    """Return what has happened, in an order in which nothing comes up later before what was read already.

    Whoever goes on from `nextCursor`, also after days, misses nothing and sees nothing twice. `since`, an instant or a
    local date of the business, is where to begin without a cursor; `types` are kinds of events, with commas between.
    """
    asked = request.query_params
    staff = staff_of(request)
    limit = number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)
    zone = (await request.app.state.tenancy.named(str(staff.business_id))).timezone
    since = instant_in(asked.get("since"), "since", zone)
    types, cursor = _types_in(asked.get("types")), line_in(asked.get("cursor"), "cursor")
    async with _database(request).transaction(staff.business_id) as tx:
        page = await log.read(tx, cursor=cursor, since=since, types=types, limit=limit)
    return json_response(EventsView([EventView.of(each) for each in page.events], page.cursor, page.more))


@get(_PATH, guards=_MANAGES, opt=documented(answers=EndpointsView, security="StaffKey"))
async def webhooks(request: Call) -> Response[bytes]:
    """Return the endpoints of the business, of which there are twenty at most."""
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        found = await endpoints.list_all(tx)
    return json_response(EndpointsView([_shown(each) for each in found]))


@post(
    _PATH,
    status_code=201,
    guards=_MANAGES,
    opt=documented(EndpointBody, answers=EndpointWithSecretView, security="StaffKey"),
)
async def add_webhook(request: Call) -> Response[bytes]:
    """Have an endpoint told of what happens from now on; its secret is in this answer and never again.

    An address that leads to a private network, or to this server itself, is refused.
    """
    data = decode(EndpointBody, await request.body())
    wish = Wish(data.name, data.url, data.types)
    await check(wish.url, settings_of(request))
    staff = staff_of(request)

    async def work(tx: Transaction) -> tuple[Endpoint, str]:
        return await endpoints.add(tx, wish, staff.actor)

    endpoint, secret = await _database(request).run(staff.business_id, work)
    return json_response(EndpointWithSecretView(**members_of(endpoint), secret=secret), 201)


@get(_ONE, guards=_MANAGES, opt=documented(answers=EndpointView, security="StaffKey"))
async def webhook(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Return an endpoint."""
    wanted = id_named(webhook_id)
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        found = await endpoints.find(tx, wanted)
    return json_response(_shown(found))


@patch(_ONE, guards=_MANAGES, opt=documented(EndpointChangeBody, answers=EndpointView, security="StaffKey"))
async def change_webhook(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Change an endpoint; disabled, nothing is sent to it any more, and what it misses is sent on request only."""
    data = decode(EndpointChangeBody, await request.body())
    if data.all_types and data.types is not None:
        raise ValidationFailed.at("allTypes", "and types exclude each other")
    wanted, staff = id_named(webhook_id), staff_of(request)
    if data.url is not None:
        await check(data.url, settings_of(request))

    async def work(tx: Transaction) -> Endpoint:
        return await _change(tx, wanted, data, staff.actor)

    return json_response(_shown(await _database(request).run(staff.business_id, work)))


@delete(_ONE, status_code=204, guards=_MANAGES, opt=documented(security="StaffKey"))
async def remove_webhook(request: Call, webhook_id: FromPath[str]) -> None:
    """Forget an endpoint, with what has become of its deliveries."""
    wanted, staff = id_named(webhook_id), staff_of(request)
    await _database(request).run(staff.business_id, lambda tx: endpoints.remove(tx, wanted, staff.actor))


@post(
    _ONE + "/rotate",
    status_code=200,
    guards=_MANAGES,
    opt=documented(RotateBody, answers=EndpointWithSecretView, security="StaffKey"),
)
async def rotate_webhook(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Give an endpoint another secret, told here and never again; for a while the former one signs, too."""
    data = decode(RotateBody, await request.body())
    wanted, staff = id_named(webhook_id), staff_of(request)

    async def work(tx: Transaction) -> tuple[Endpoint, str]:
        return await endpoints.rotate(tx, wanted, staff.actor, hours=data.overlap_hours)

    endpoint, secret = await _database(request).run(staff.business_id, work)
    return json_response(EndpointWithSecretView(**members_of(endpoint), secret=secret))


@post(_ONE + "/test", status_code=202, guards=_MANAGES, opt=documented(answers=DeliveryView, security="StaffKey"))
async def try_webhook(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Send a message that tells of nothing; what becomes of it is told by its delivery."""
    wanted, staff = id_named(webhook_id), staff_of(request)

    async def work(tx: Transaction) -> DeliveryView:
        return DeliveryView.of(await deliveries.send_trial(tx, wanted, staff.actor))

    return json_response(await _database(request).run(staff.business_id, work), 202)


@post(
    _ONE + "/replay",
    status_code=202,
    guards=_MANAGES,
    opt=documented(ReplayBody, answers=ReplayedView, security="StaffKey"),
)
async def replay_webhook(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Send what has happened in a time once more, under the same ids: what has not arrived, or all of it `again`."""
    data = decode(ReplayBody, await request.body())
    since = in_calendar(data.since, "since")
    until = None if data.until is None else in_calendar(data.until, "until")
    if until is not None and until <= since:
        raise ValidationFailed.at("until", "must be after since")
    wanted, staff = id_named(webhook_id), staff_of(request)

    async def work(tx: Transaction) -> int:
        return await deliveries.replay_since(tx, wanted, since, until, staff.actor, again=data.again)

    count = await _database(request).run(staff.business_id, work)
    return json_response(ReplayedView(count, count == REPLAYED_AT_ONCE), 202)


@get(
    _ONE + "/deliveries",
    guards=_MANAGES,
    opt=documented(query=("status", "cursor", "limit"), answers=DeliveriesView, security="StaffKey"),
)
async def webhook_deliveries(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Return what has become of the messages to an endpoint within a month, newest first."""
    asked, wanted = request.query_params, id_named(webhook_id)
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    state, cursor = word_in(asked.get("status"), "status", DeliveryState), asked.get("cursor") or None
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        found, following = await deliveries.list_deliveries(tx, wanted, state=state, cursor=cursor, limit=limit)
    return json_response(DeliveriesView([DeliveryView.of(each) for each in found], following))


@get(_DELIVERY, guards=_MANAGES, opt=documented(answers=DeliveryView, security="StaffKey"))
async def webhook_delivery(request: Call, webhook_id: FromPath[str], delivery_id: FromPath[str]) -> Response[bytes]:
    """Return what has become of a message."""
    wanted, named = id_named(webhook_id), id_named(delivery_id)
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        found = await deliveries.find(tx, wanted, named)
    return json_response(DeliveryView.of(found))


@post(
    _DELIVERY + "/replay",
    status_code=202,
    guards=_MANAGES,
    opt=documented(answers=DeliveryView, security="StaffKey"),
)
async def replay_delivery(request: Call, webhook_id: FromPath[str], delivery_id: FromPath[str]) -> Response[bytes]:
    """Send a message once more, under the same id."""
    wanted, named, staff = id_named(webhook_id), id_named(delivery_id), staff_of(request)

    async def work(tx: Transaction) -> DeliveryView:
        return DeliveryView.of(await deliveries.replay(tx, wanted, named, staff.actor))

    return json_response(await _database(request).run(staff.business_id, work), 202)


handlers = [
    events,
    webhooks,
    add_webhook,
    webhook,
    change_webhook,
    remove_webhook,
    rotate_webhook,
    try_webhook,
    replay_webhook,
    webhook_deliveries,
    webhook_delivery,
    replay_delivery,
]


def settings_of(request: Call) -> WebhookSettings:
    """Return how other programs may be reached."""
    return request.app.state.webhook_settings  # type: ignore[no-any-return]


async def _change(tx: Transaction, endpoint_id: UUID, data: EndpointChangeBody, actor: Actor) -> Endpoint:
    changed = await endpoints.lock(tx, endpoint_id)
    wish = Wish(
        changed.name if data.name is None else data.name,
        changed.url if data.url is None else data.url,
        None if data.all_types else data.types or changed.types,
    )
    if (wish.name, wish.url, wish.wanted) != (changed.name, changed.url, changed.types and sorted(changed.types)):
        changed = await endpoints.change(tx, endpoint_id, wish, actor)
    if data.status is EndpointState.ACTIVE:
        changed = await endpoints.enable(tx, endpoint_id, actor)
    elif data.status is EndpointState.DISABLED:
        changed = await endpoints.disable(tx, endpoint_id, actor)
    return changed


def _shown(endpoint: Endpoint) -> EndpointView:
    return EndpointView(**members_of(endpoint))


def _types_in(text: str | None) -> list[str] | None:
    """Return the kinds of events that a query names. Raises ValidationFailed."""
    if not text:
        return None
    named = text.split(",")
    if not set(named) <= set(EVENTS):
        raise ValidationFailed.at("types", "must be kinds of events with commas between")
    return named


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]
