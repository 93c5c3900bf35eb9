"""The worker's composition root: what runs when, on the job library's queue in PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate import App, PsycopgConnector, RetryStrategy

from holdfast import config, logs
from holdfast.administration.settings import Stage
from holdfast.availability.zone_records import record_zones
from holdfast.booking import jobs, measures
from holdfast.booking.offers import Offers
from holdfast.booking.sealing import BLOCK_REASONS, SEALING
from holdfast.booking.tokens import BookingTokens
from holdfast.booking.unpaid import end_all_unpaid
from holdfast.calendars.channels import renew_channels
from holdfast.calendars.mirror import keep_up
from holdfast.calendars.providers import Providers, openings
from holdfast.calendars.settings import CalendarSettings
from holdfast.calendars.upkeep import exports_kept_up
from holdfast.crm.feed import feed
from holdfast.identity import attempts, write_limits
from holdfast.kernel import backfills
from holdfast.kernel.audit_backfill import CHAINING
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring
from holdfast.kernel.publication import Publication, folder_of_supervisor
from holdfast.notifications.composing import Desk
from holdfast.notifications.feed import forget as forget_messages
from holdfast.notifications.links import Links
from holdfast.notifications.upkeep import mail_kept_up
from holdfast.payments.inbox import forget_bodies, inbox_kept_up
from holdfast.payments.openings import openings as payment_openings
from holdfast.payments.providers import Providers as PaymentProviders
from holdfast.payments.reconciliation import accounts_kept_compared
from holdfast.payments.settings import PaymentSettings
from holdfast.payments.upkeep import money_kept_up
from holdfast.webhooks.feed import forget as forget_webhooks
from holdfast.webhooks.settings import WebhookSettings
from holdfast.webhooks.upkeep import webhooks_kept_up

log = structlog.get_logger(__name__)

# What brings rows of earlier releases over, in this order; each is named in the migration that needs it.
BACKFILLS: tuple[backfills.Backfill, ...] = (SEALING, CHAINING, BLOCK_REASONS)
# A job whose worker was killed stays `doing` for ever and keeps its lock, unless somebody sets it back.
_STALLED_SECONDS = 120
# Less than the supervisor waits before it kills.
_DRAIN_SECONDS = 7
# Jobs that wait for a provider must not keep those from their turn that end holds.
_JOBS_AT_ONCE = 4
# Of which calendars use no more than half at any moment: they hold one only while a page is stored.
CONNECTIONS = 12


def build(database: Database, dsn: str, providers: Providers, calendars: CalendarSettings, stage: Stage) -> App:
    """Return the jobs with their schedules, bound to a database."""
    app = App(connector=PsycopgConnector(conninfo=dsn))
    # Without a retry, a job that is running at a shutdown would be given up.
    retry = RetryStrategy(max_attempts=5, exponential_wait=2)

    @app.periodic(cron="* * * * * */20")
    @app.task(name="sweep_holds", queueing_lock="sweep_holds", retry=retry)
    async def sweep_holds(timestamp: int) -> None:  # noqa: ARG001 - the library passes the tick
        await jobs.sweep_all(database)

    @app.periodic(cron="* * * * * */10")
    @app.task(name="end_unpaid", queueing_lock="end_unpaid", retry=retry)
    async def end_unpaid(timestamp: int) -> None:  # noqa: ARG001
        await end_all_unpaid(database)

    @app.periodic(cron="7 * * * *")
    @app.task(name="lay_out_schedules", queueing_lock="lay_out_schedules", retry=retry)
    async def lay_out_schedules(timestamp: int) -> None:  # noqa: ARG001
        await jobs.lay_out_all(database)

    @app.periodic(cron="37 * * * *")
    @app.task(name="forget_keys", queueing_lock="forget_keys", retry=retry)
    async def forget_keys(timestamp: int) -> None:  # noqa: ARG001
        await jobs.forget_keys(database)

    @app.periodic(cron="* * * * * */15")
    @app.task(name="feed_leads", queueing_lock="feed_leads", lock="feed_leads", retry=retry)
    async def feed_leads(timestamp: int) -> None:  # noqa: ARG001
        await feed(database)

    @app.periodic(cron="* * * * *")
    @app.task(name="forget_write_counts", queueing_lock="forget_write_counts", retry=retry)
    async def forget_write_counts(timestamp: int) -> None:  # noqa: ARG001
        async with database.transaction() as tx:
            await write_limits.forget(tx)
            await attempts.forget(tx)

    @app.periodic(cron="* * * * *")
    @app.task(name="revive_stalled", queueing_lock="revive_stalled", pass_context=True, retry=retry)
    async def revive_stalled(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
        manager = context.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS):
            await manager.retry_job(job)
            log.warning("job_revived", job=job.task_name)

    @app.periodic(cron="13 3 * * *")
    @app.task(name="forget_finished", queueing_lock="forget_finished", pass_context=True, retry=retry)
    async def forget_finished(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
        await context.app.job_manager.delete_old_jobs(nb_hours=72)

    _add_calendar_jobs(app, database, providers, calendars, stage)
    _add_payment_jobs(app, database)
    return app


def _add_calendar_jobs(
    app: App, database: Database, providers: Providers, calendars: CalendarSettings, stage: Stage
) -> None:
    retry = RetryStrategy(max_attempts=5, exponential_wait=2)
    # A provider tells nobody whom it cannot reach under https.
    if calendars.public_url is not None and calendars.public_url.startswith("https://"):

        @app.periodic(cron="*/10 * * * *")
        @app.task(name="renew_channels", queueing_lock="renew_channels", lock="renew_channels", retry=retry)
        async def renew(timestamp: int) -> None:  # noqa: ARG001
            await renew_channels(database, providers, stage)


def _add_payment_jobs(app: App, database: Database) -> None:
    retry = RetryStrategy(max_attempts=5, exponential_wait=2)

    @app.periodic(cron="43 3 * * *")
    @app.task(name="forget_payment_events", queueing_lock="forget_payment_events", retry=retry)
    async def forget_payment_events(timestamp: int) -> None:  # noqa: ARG001
        await forget_bodies(database)

    @app.periodic(cron="47 3 * * *")
    @app.task(name="forget_messages", queueing_lock="forget_messages", retry=retry)
    async def forget_messages_sent(timestamp: int) -> None:  # noqa: ARG001
        await forget_messages(database)

    @app.periodic(cron="53 3 * * *")
    @app.task(name="forget_webhooks", queueing_lock="forget_webhooks", retry=retry)
    async def forget_webhooks_ended(timestamp: int) -> None:  # noqa: ARG001
        await forget_webhooks(database)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do something else than jobs at the same time, until the body ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def run(
    dsn: str,
    jobs_dsn: str,
    keyring: Keyring,
    calendars: CalendarSettings,
    payments: PaymentSettings,
    mail: Desk,
    webhooks: WebhookSettings,
    stage: Stage,
    *,
    pooler: bool = False,
    backfill_rows_per_second: int = 1_000,
) -> None:
    """Work until SIGTERM or SIGINT; a job in progress is finished or goes back to the queue.

    `jobs_dsn` leads to PostgreSQL without a pooler between.

    Calendars are looked at beside the jobs, since a first look may take minutes and the time of a job ends.

    Raises OperationalError when the database goes away: whoever started the worker starts it again.
    """
    database = Database(dsn, min_connections=1, max_connections=CONNECTIONS, pooler=pooler, keyring=keyring)
    await database.open()
    await database.check_role()
    measures.follow_pool(database)
    providers = Providers(openings(calendars, database))
    payment_providers = PaymentProviders(payment_openings(payments))
    app = build(database, jobs_dsn, providers, calendars, stage)
    try:
        async with database.transaction() as tx:
            await record_zones(tx)
        # The first sweep and the first look at the schedules do not wait for the clock.
        await jobs.sweep_all(database)
        await end_all_unpaid(database)
        await jobs.lay_out_all(database)
        async with (
            Publication("worker", folder_of_supervisor()).kept(),
            backfills.kept_running(database, BACKFILLS, rows_per_second=backfill_rows_per_second),
            _beside(keep_up(database, providers, stage)),
            _beside(Offers(database).keep_up()),
            exports_kept_up(database, providers, stage),
            money_kept_up(database, payment_providers),
            inbox_kept_up(database, payment_providers),
            accounts_kept_compared(database, payment_providers),
            mail_kept_up(database, mail),
            webhooks_kept_up(database, webhooks),
            app.open_async(),
        ):
            await app.run_worker_async(concurrency=_JOBS_AT_ONCE, shutdown_graceful_timeout=_DRAIN_SECONDS)
    except procrastinate.exceptions.ConnectorException as lost:
        raise psycopg.OperationalError("the worker has lost its connection to the database") from lost
    finally:
        await database.close()


def main() -> None:
    """Run the worker by the settings of the environment.

    Raises ConfigurationError; WrongMasterKey when the database keeps its data under another master key.
    """
    settings = config.read(os.environ)
    logs.configure(settings.log_level, process="worker")
    if settings.dsn is None:
        raise config.ConfigurationError("Set HOLDFAST_DSN, or use `holdfast serve`, which runs a worker of its own.")
    master_key = config.master_key(settings)
    # As `serve` does: a worker that stands alone has nobody who has looked before it.
    asyncio.run(Keyring(master_key, settings.dsn).check())
    dsn = config.application_dsn(settings, settings.dsn)
    keyring = Keyring(master_key, dsn, refresh_seconds=settings.key_refresh_seconds)
    work = run(
        dsn,
        config.jobs_dsn(settings, settings.dsn),
        keyring,
        settings.calendars,
        settings.payments,
        Desk(settings.mail, Links(settings.mail.public_url, BookingTokens(master_key))),
        settings.webhooks,
        Stage(settings.stage),
        pooler=settings.pooler,
        backfill_rows_per_second=settings.backfill_rows_per_second,
    )
    asyncio.run(work)
