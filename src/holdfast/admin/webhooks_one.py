"""One webhook: how it is, its messages, and what can be done about both."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import PROBLEMS, Call, Form, checked, database_of, go, page_in, read_form, render
from holdfast.admin.linking import check_seen, mark_of
from holdfast.admin.webhooks_words import GIVEN_UP, REASONS, STATES, TRIAL, delivery_state, endpoint_state
from holdfast.admin.writing import slip_of, typed_in
from holdfast.booking.calls import instant_in
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError, ValidationFailed
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import word_in
from holdfast.webhooks import deliveries, endpoints
from holdfast.webhooks.endpoints import OVERLAP_HOURS, Endpoint, Wish
from holdfast.webhooks.events import EVENTS
from holdfast.webhooks.shapes import EndpointBody
from holdfast.webhooks.states import DeliveryState, EndpointState
from holdfast.webhooks.web import settings_of
from holdfast.webhooks.wire import check

PATH = "/admin/webhooks"
MANAGES = [Needs(Permission.MANAGE_WEBHOOKS)]
_ONE = PATH + "/{webhook_id:str}"
_LIMIT = 50
_CHOOSE_DAY = N_("Choose the day from which on")
_CHOOSE_EVENTS = N_("Choose at least one event, or all of them")
_NOTICES = {
    "changed": N_("It is changed. What is on its way goes to where it is now."),
    "tried": N_("A test is on its way. Reload this page in a moment to see whether it has arrived."),
    "enabled": N_("It is told what happens from now on. What it has missed can be sent below."),
    "disabled": N_("It is told nothing any more."),
    "replayed": N_("It is on its way once more."),
    "nothing": N_("In this time there is nothing that has not arrived."),
}


@get(_ONE, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook(request: Call, webhook_id: FromPath[str]) -> Response[Any]:
    """Show a webhook with its messages."""
    return await show(request, id_named(webhook_id))


@post(_ONE, status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_change(request: Call, webhook_id: FromPath[str]) -> Response[Any]:
    """Call a webhook otherwise, lead it elsewhere, or have it told of other events."""
    form, wanted, staff = await read_form(request), id_named(webhook_id), staff_of(request)

    async def change() -> str:
        told = checked(EndpointBody, {"name": form.line("name"), "url": form.line("url")})
        wish = wish_of(form, told.name, told.url)
        await check(wish.url, settings_of(request))

        async def work(tx: Transaction) -> None:
            check_seen(form.line("seen"), _mark(await endpoints.lock(tx, wanted)))
            await endpoints.change(tx, wanted, wish, staff.actor)

        await database_of(request).run(staff.business_id, work)
        return "changed"

    return await _done(request, wanted, change, form)


@post(_ONE + "/rotate", status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_rotate(request: Call, webhook_id: FromPath[str]) -> Response[Any]:
    """Give a webhook another secret, which is shown now and never again."""
    wanted, staff = id_named(webhook_id), staff_of(request)

    async def work(tx: Transaction) -> tuple[Endpoint, str]:
        return await endpoints.rotate(tx, wanted, staff.actor, hours=OVERLAP_HOURS)

    _, secret = await database_of(request).run(staff.business_id, work)
    return await show(request, wanted, secret=secret)


@post(_ONE + "/test", status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_try(request: Call, webhook_id: FromPath[str]) -> Response[Any]:
    """Send a message that tells of nothing."""
    wanted, staff = id_named(webhook_id), staff_of(request)

    async def try_out() -> str:
        await database_of(request).run(staff.business_id, lambda tx: deliveries.send_trial(tx, wanted, staff.actor))
        return "tried"

    return await _done(request, wanted, try_out)


@post(_ONE + "/enable", status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_enable(request: Call, webhook_id: FromPath[str]) -> Response[Any]:
    """Have a program told again."""
    wanted, staff = id_named(webhook_id), staff_of(request)
    await database_of(request).run(staff.business_id, lambda tx: endpoints.enable(tx, wanted, staff.actor))
    return go(f"{PATH}/{wanted}", done="enabled")


@post(_ONE + "/disable", status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_disable(request: Call, webhook_id: FromPath[str]) -> Response[Any]:
    """Have a program told nothing any more."""
    wanted, staff = id_named(webhook_id), staff_of(request)
    await database_of(request).run(staff.business_id, lambda tx: endpoints.disable(tx, wanted, staff.actor))
    return go(f"{PATH}/{wanted}", done="disabled")


@post(_ONE + "/remove", status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_remove(request: Call, webhook_id: FromPath[str]) -> Response[Any]:
    """Forget a webhook with its messages."""
    wanted, staff = id_named(webhook_id), staff_of(request)
    await database_of(request).run(staff.business_id, lambda tx: endpoints.remove(tx, wanted, staff.actor))
    return go(PATH, done="removed")


@post(_ONE + "/replay", status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_replay(request: Call, webhook_id: FromPath[str]) -> Response[Any]:
    """Send what has not arrived since a day, or all since then."""
    form, wanted, staff = await read_form(request), id_named(webhook_id), staff_of(request)

    async def replay() -> str:
        zone = (await request.app.state.tenancy.named(str(staff.business_id))).timezone
        since = instant_in(form.line("since"), "since", zone)
        if since is None:
            raise ValidationFailed.at("since", _CHOOSE_DAY)
        again = form.ticked("again")
        count = await database_of(request).run(
            staff.business_id,
            lambda tx: deliveries.replay_since(tx, wanted, since, None, staff.actor, again=again),
        )
        return "replayed" if count else "nothing"

    return await _done(request, wanted, replay, form)


@post(_ONE + "/deliveries/{delivery_id:str}/replay", status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_replay_one(
    request: Call, webhook_id: FromPath[str], delivery_id: FromPath[str]
) -> Response[Any]:
    """Send a message once more."""
    wanted, named, staff = id_named(webhook_id), id_named(delivery_id), staff_of(request)

    async def replay() -> str:
        await database_of(request).run(staff.business_id, lambda tx: deliveries.replay(tx, wanted, named, staff.actor))
        return "replayed"

    return await _done(request, wanted, replay)


handlers: list[HTTPRouteHandler] = [
    admin_webhook,
    admin_webhook_change,
    admin_webhook_rotate,
    admin_webhook_try,
    admin_webhook_enable,
    admin_webhook_disable,
    admin_webhook_remove,
    admin_webhook_replay,
    admin_webhook_replay_one,
]


def wish_of(form: Form, name: str, url: str) -> Wish:
    """Return what a webhook is to be. Raises ValidationFailed."""
    types = None if form.line("which") == "all" else form.lines("types")
    if types is not None and not types:
        raise ValidationFailed.at("types", _CHOOSE_EVENTS)
    return Wish(name, url, types)


async def show(
    request: Call,
    endpoint_id: UUID,
    *,
    secret: str | None = None,
    form: Form | None = None,
    refused: UserError | None = None,
) -> Response[Any]:
    """Return the page as everything is now; with a secret that was just made, and is shown once."""
    asked = request.query_params
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        endpoint = await endpoints.find(tx, endpoint_id)
        state = word_in(asked.get("status"), "status", DeliveryState)
        found, cursor = await deliveries.list_deliveries(
            tx, endpoint_id, state=state, cursor=asked.get("cursor") or None, limit=_LIMIT
        )
    slip = None if refused is None else slip_of(page, refused, form)
    typed = typed_in(form) if form is not None and "url" in form.fields else None
    kept = {"status": state} if state else {}
    return render(
        page,
        "webhooks_one.html",
        200 if slip is None else slip.status,
        request=request,
        notices=_NOTICES,
        endpoint=endpoint,
        address=f"{PATH}/{endpoint_id}",
        state=endpoint_state(endpoint),
        given_up=GIVEN_UP.get(endpoint.reason or ""),
        is_active=endpoint.state is EndpointState.ACTIVE,
        secret=secret,
        seen=_mark(endpoint),
        events=EVENTS,
        name=endpoint.name if typed is None else typed["name"],
        url=endpoint.url if typed is None else typed["url"],
        wants_all=endpoint.types is None if typed is None else typed["which"] == "all",
        chosen=endpoint.types or () if form is None or typed is None else form.lines("types"),
        typed=typed_in(form),
        slip=slip,
        messages=[(each, delivery_state(each)) for each in found],
        trial=TRIAL,
        reasons=REASONS,
        states=STATES,
        filtered=state,
        following=cursor and f"{PATH}/{endpoint_id}?{urlencode({**kept, 'cursor': cursor})}#messages",
    )


async def _done(
    request: Call, endpoint_id: UUID, work: Callable[[], Awaitable[str]], form: Form | None = None
) -> Response[Any]:
    try:
        done = await work()
    except NotFound:
        raise
    except UserError as refused:
        return await show(request, endpoint_id, form=form, refused=refused)
    return go(f"{PATH}/{endpoint_id}", done=done)


def _mark(endpoint: Endpoint) -> str:
    return mark_of(endpoint.name, endpoint.url, endpoint.types)
