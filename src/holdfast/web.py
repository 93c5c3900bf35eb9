"""The web server's composition root: settings in, application out."""

import ctypes
import gc
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from litestar import Litestar, MediaType, Request, Response, Router, get, post
from litestar.datastructures import CacheControlHeader, State
from litestar.exceptions import HTTPException, InternalServerException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp
from prometheus_client import CONTENT_TYPE_LATEST

from holdfast import __version__, admin, config, logs
from holdfast.admin.frame import show_no_page
from holdfast.admin.live import Live
from holdfast.administration import attention_web, audit_web, settings_web, templates_web
from holdfast.administration.settings import Stage
from holdfast.analytics import dashboards_web
from holdfast.availability.snapshots import Snapshots
from holdfast.booking import (
    admin_web,
    appointments_web,
    consents_web,
    health,
    intake_web,
    measures,
    pages,
    public_web,
    series_web,
    staff_web,
    waitlist_web,
)
from holdfast.booking import web as booking_web
from holdfast.booking.admission import Admission
from holdfast.booking.guard import ContactGuard
from holdfast.booking.public_writes import PublicWrites
from holdfast.booking.reservations import Reservations
from holdfast.booking.tenancy import Tenancy
from holdfast.booking.tokens import BookingTokens
from holdfast.calendars import conflicts_web, feeds_web, google_push_web, google_web
from holdfast.calendars import measures as calendar_measures
from holdfast.calendars import web as calendars_web
from holdfast.calendars.providers import Providers, openings
from holdfast.content import library_web as content_library_web
from holdfast.content import public_web as content_public_web
from holdfast.content import web as content_web
from holdfast.crm import links_web
from holdfast.crm import public_web as leads_public_web
from holdfast.crm import staff_web as leads_web
from holdfast.identity import login_web, users_web
from holdfast.identity.cookies import Cookies
from holdfast.identity.entrance import Entrance
from holdfast.identity.logins import Terms
from holdfast.identity.setup import Setup
from holdfast.identity.write_limits import WriteLimits
from holdfast.interactive import public_web as interactive_public_web
from holdfast.interactive import web as interactive_web
from holdfast.kernel.backup_measures import BackupFigures
from holdfast.kernel.database import Database
from holdfast.kernel.documents import documented, openapi
from holdfast.kernel.errors import NotFound
from holdfast.kernel.express import ExpressLane
from holdfast.kernel.head import AnsweringHead
from holdfast.kernel.hearing import HearingOut
from holdfast.kernel.http import AS_NAMED, MAX_BODY_BYTES, json_response, render_error
from holdfast.kernel.observed import Observed
from holdfast.kernel.options import options_of
from holdfast.kernel.pages import COMPRESSED
from holdfast.kernel.privacy import Keyring
from holdfast.kernel.publication import Publication, folder_of_supervisor
from holdfast.moderation import public_web as questions_web
from holdfast.moderation import staff_web as moderation_web
from holdfast.moderation.tokens import QuestionTokens
from holdfast.notifications import measures as message_measures
from holdfast.notifications import web as messages_web
from holdfast.offerings import web as offerings_web
from holdfast.payments import accounts_web as payment_accounts_web
from holdfast.payments import client_web as payment_client_web
from holdfast.payments import measures as payment_measures
from holdfast.payments import staff_web as payments_web
from holdfast.payments import webhooks_web
from holdfast.payments.openings import openings as payment_openings
from holdfast.payments.providers import Providers as PaymentProviders
from holdfast.payments.till import PaymentTill
from holdfast.payments.webhooks import Webhooks
from holdfast.people import web as people_web
from holdfast.webhooks import measures as webhook_measures
from holdfast.webhooks import web as outgoing_web

if TYPE_CHECKING:
    from holdfast.kernel.tracing import Tracing

log = structlog.get_logger(__name__)

Call = Request[Any, Any, Any]

# What each capability knows of all tenants, for monitors.
_FIGURES = (
    calendar_measures.figures,
    payment_measures.figures,
    message_measures.figures,
    webhook_measures.figures,
)


class Health(msgspec.Struct):
    """The process answers."""

    status: str


@get("/health", opt=documented(answers=Health))
async def alive() -> Response[bytes]:
    """Say that the process answers."""
    return json_response(Health("ok"))


@get("/metrics", opt=documented())
async def metrics(request: Call) -> Response[bytes]:
    """Return the figures of this server for Prometheus: of all its processes, and of the database."""
    state = request.app.state
    text = state.publication.text(await state.database_figures.now())
    # The framework names the charset of every text by itself.
    media_type = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
    return Response(text, media_type=media_type, headers=AS_NAMED)


@get(["/schema", "/schema/openapi.json"], opt=documented())
async def schema(request: Call) -> Response[bytes]:
    """Return the OpenAPI document."""
    # A body that nobody reads makes the server reset the connection, and this answer is too long to be through by then.
    await request.body()
    return Response(request.app.state.openapi, media_type=MediaType.JSON, headers=AS_NAMED)


@post("/bench/echo", status_code=200)
async def echo(request: Call) -> Response[bytes]:
    """Return a JSON body as it came: what the stack costs without the product."""
    return json_response(msgspec.json.decode(await request.body()))


@get("/bench/select-1")
async def select_one(request: Call) -> Response[bytes]:
    """Ask the database for nothing: what one round trip costs."""
    async with request.app.state.reservations.database.transaction() as tx:
        return json_response({"one": await tx.value("select 1")})


def no_such_file(request: Call, _error: Exception) -> Response[bytes]:
    """Say that there is no file of such a name."""
    return render_error(request, NotFound())


def as_it_is_named(response: Response[Any]) -> Response[Any]:
    """Have a file taken for what its name says, whatever is in it."""
    response.headers.update(AS_NAMED)
    return response


def handlers(settings: config.Settings) -> list[HTTPRouteHandler]:
    """Return every route of the application."""
    routes: list[HTTPRouteHandler] = [alive, metrics, schema]
    routes += (
        intake_web.handlers
        + waitlist_web.handlers
        + booking_web.handlers
        + series_web.handlers
        + appointments_web.handlers
        + staff_web.handlers
    )
    routes += (
        dashboards_web.handlers
        + settings_web.handlers
        + audit_web.handlers
        + attention_web.handlers
        + templates_web.handlers
    )
    routes += people_web.handlers + admin_web.handlers + public_web.handlers + health.handlers + pages.handlers
    routes += content_web.handlers + content_library_web.handlers + content_public_web.handlers
    routes += interactive_web.handlers + interactive_public_web.handlers
    routes += conflicts_web.handlers + feeds_web.handlers + google_push_web.handlers
    routes += login_web.handlers + users_web.handlers + consents_web.handlers
    routes += questions_web.handlers + moderation_web.handlers
    routes += offerings_web.handlers
    routes += leads_public_web.handlers + leads_web.handlers + links_web.handlers
    routes += calendars_web.handlers + google_web.handlers + payment_accounts_web.handlers
    routes += payments_web.handlers + payment_client_web.handlers + webhooks_web.handlers
    routes += messages_web.handlers + outgoing_web.handlers + admin.handlers
    if settings.cron_secret is not None:
        routes.append(health.cleanup_reservations)
    if settings.bench_routes:
        routes += [echo, select_one]
    return routes


def build(settings: config.Settings, app_dsn: str, tracing: "Tracing | None" = None) -> Litestar:
    """Return the application on a migrated database."""
    routes = handlers(settings)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        master_key = config.master_key(settings)
        keyring = Keyring(master_key, app_dsn, refresh_seconds=settings.key_refresh_seconds)
        database = Database(
            app_dsn, pooler=settings.pooler, cursor=None if tracing is None else tracing.cursor, keyring=keyring
        )
        await database.open()
        await database.check_role()
        # Health has a connection of its own: it answers at once, however many wait for one of the others.
        app.state.health_database = Database(app_dsn, min_connections=1, max_connections=1, pooler=settings.pooler)
        await app.state.health_database.open()
        admission = Admission(
            database,
            app_dsn,
            pooler=settings.pooler,
            queue_limit=settings.queue_limit,
            measure=measures.measure_of,
            tracing=tracing,
        )
        measures.follow(admission, database)
        app.state.database = database
        app.state.keyring = keyring
        of_backups = BackupFigures(settings.data_dir, settings.backup_dir).read
        app.state.database_figures = measures.DatabaseFigures(app.state.health_database, *_FIGURES, of_backups)
        app.state.publication = Publication("web", folder_of_supervisor())
        guard = ContactGuard(master_key, settings.guard_seconds)
        app.state.payment_providers = PaymentProviders(payment_openings(settings.payments))
        app.state.till = PaymentTill(database, app.state.payment_providers, settings.payments.public_url)
        app.state.reservations = Reservations(
            database, Snapshots(database), admission, BookingTokens(master_key), guard, app.state.till
        )
        app.state.webhooks = Webhooks(
            database, app_dsn, pooler=settings.pooler, measure=measures.measure_of("webhook"), tracing=tracing
        )
        app.state.tenancy = Tenancy(database, settings.default_business)
        app.state.entrance, app.state.setup = _entrance(settings, database, master_key)
        app.state.providers = Providers(openings(settings.calendars, database))
        app.state.question_tokens = QuestionTokens(master_key)
        app.state.write_limits = WriteLimits(
            database,
            master_key,
            per_client=settings.public_writes_per_minute,
            per_business=settings.business_writes_per_minute,
        )
        app.state.live = Live(database, app.state.entrance.terms)
        try:
            async with app.state.publication.kept(), app.state.reservations.events.kept(), app.state.live.kept():
                yield
        finally:
            turnstiles = (admission, app.state.webhooks)
            parts = (app.state.till, *turnstiles, app.state.health_database, database)
            for part in (*parts, *([tracing] if tracing else ())):
                await part.close()

    return Litestar(
        route_handlers=[options_of(routes), *routes, _assets()],
        lifespan=[lifespan],
        exception_handlers={Exception: render_error, HTTPException: render_error, NotFoundException: show_no_page},
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        openapi_config=None,
        state=State(_known(settings, routes)),
    )


def _collect_seldom() -> None:
    """Look for cycles seldom, and never among what was loaded once.

    Requests leave hardly any behind; looking for them makes the slowest answers ten times slower than the others.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def _known(settings: config.Settings, routes: list[HTTPRouteHandler]) -> dict[str, Any]:
    """Return what the handlers know before anything is opened."""
    return {
        "openapi": msgspec.json.encode(openapi(routes, __version__)),
        "cron_secret": settings.cron_secret,
        "stage": Stage(settings.stage),
        "admin_entries": admin.entries,
        "calendars": settings.calendars,
        "payment_settings": settings.payments,
        "mail": settings.mail,
        "webhook_settings": settings.webhooks,
        "trusted_proxies": settings.trusted_proxies,
    }


def _entrance(settings: config.Settings, database: Database, master_key: bytes) -> tuple[Entrance, Setup]:
    """Return where people come in, and how the first one does."""
    terms = Terms(settings.login_idle_minutes, settings.login_days)
    cookies = Cookies(settings.https_only, settings.trusted_proxies, settings.login_days * 86_400)
    return Entrance(database, master_key, terms, cookies), Setup(master_key, settings.default_business)


def _assets() -> Router:
    """Return what serves the files of the pages."""
    return create_static_files_router(
        path="/static",
        directories=[Path(str(files("holdfast") / "static"))],
        # Pages name their assets by content; what others embed by its plain name is a day old at most.
        cache_control=CacheControlHeader(max_age=86_400, public=True),
        middleware=[COMPRESSED],
        after_request=as_it_is_named,
        # What cannot be the name of a file: too long, or with a NUL in it.
        exception_handlers={InternalServerException: no_such_file, ValueError: no_such_file},
    )


def layered(app: Litestar, settings: config.Settings) -> ASGIApp:
    """Return the application behind what stands before it: the express lane and, where a limit is set, its layer."""
    lane = ExpressLane(app, [*booking_web.express, *webhooks_web.express])
    if settings.public_writes_per_minute == 0 and settings.business_writes_per_minute == 0:
        # No layer that would have to find out that there is nothing to do.
        return lane
    return PublicWrites(lane, app, settings.trusted_proxies)


def watched(app: Any, settings: config.Settings, tracing: "Tracing | None" = None) -> Observed:
    """Return the application, watched; this is the outermost layer, whatever else stands before the express lane."""
    app = app if tracing is None else tracing.around(app)
    return Observed(
        HearingOut(AnsweringHead(app)),
        level="info" if settings.access_log else "debug" if settings.log_level == "debug" else None,
    )


def create_app() -> Observed:
    """Return the application of a server's worker process, which ends with its parent."""
    parent = os.environ.get("HOLDFAST_PARENT_PID")
    if parent is not None:
        # A killed parent would leave its workers serving.
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
        if os.getppid() != int(parent):
            os.kill(os.getpid(), signal.SIGTERM)
    settings = config.read(os.environ)
    logs.configure(settings.log_level, process="web")
    assert settings.dsn is not None, "the server's parent passes the DSN on"
    tracing = tracing_of(settings)
    app = build(settings, config.application_dsn(settings, settings.dsn), tracing)
    # When all is open; of this process alone, whose garbage is that of requests.
    app.on_startup.append(_collect_seldom)
    return watched(layered(app, settings), settings, tracing)


def tracing_of(settings: config.Settings) -> "Tracing | None":
    """Return where spans go, None when they are not asked for: then nothing that makes them is even imported."""
    if not settings.tracing:
        return None
    from holdfast.kernel.tracing import Tracing  # noqa: PLC0415 - imported where it is asked for, and only there

    return Tracing.to_collector()
