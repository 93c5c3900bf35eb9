"""What commands have in common: their options, and how they reach the database."""

import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from holdfast import config, transfers
from holdfast.identity import businesses
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Transaction
from holdfast.kernel.embedded import running_uri
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.privacy import Keyring

T = TypeVar("T")

DataDir = Annotated[
    Path | None, typer.Option("--data", help="Directory of the embedded PostgreSQL. [HOLDFAST_DATA_DIR]")
]
Dsn = Annotated[str | None, typer.Option("--dsn", help="PostgreSQL 18+, as an administrative role. [HOLDFAST_DSN]")]
OfBusiness = Annotated[
    str | None, typer.Option("--business", help="Slug or id; by default the only one. [HOLDFAST_DEFAULT_BUSINESS]")
]
Json = Annotated[bool, typer.Option("--json", help="Answer with JSON on stdout.")]


def settings_of(data: Path | None, dsn: str | None) -> config.Settings:
    """Return the settings of the environment, with those that options set instead. Raises ConfigurationError."""
    settings = config.read(os.environ)
    if data is not None:
        settings = replace(settings, data_dir=data.expanduser().absolute(), dsn=None, app_dsn=None)
    if dsn is not None:
        if data is not None:
            raise config.ConfigurationError("Give --data or --dsn, not both.")
        settings = replace(settings, dsn=config.checked_dsn(dsn, "--dsn"))
    return settings


def running_dsn(settings: config.Settings) -> str:
    """Return how the database is reached as its administrator. Raises EmbeddedPostgresError when it does not run."""
    return settings.dsn if settings.dsn is not None else running_uri(settings.data_dir)


def app_dsn(settings: config.Settings) -> str:
    """Return how the database is reached with the rights of a server."""
    return config.application_dsn(settings, running_dsn(settings))


def with_database(settings: config.Settings, work: Callable[[Transaction], Awaitable[T]]) -> T:
    """Run the work in one transaction on the database that settings name, with the rights of a server."""
    return transfers.connected(app_dsn(settings), lambda database: database.run(None, work))


def with_personal_data(settings: config.Settings, work: Callable[[Transaction], Awaitable[T]]) -> T:
    """Do as `with_database`, with the keys under which personal data is sealed.

    Raises ConfigurationError without a master key.
    """
    dsn = app_dsn(settings)
    keyring = Keyring(config.master_key(settings), dsn, refresh_seconds=settings.key_refresh_seconds)
    return transfers.connected(dsn, lambda database: database.run(None, work), keyring)


async def business_named(tx: Transaction, named: str | None) -> businesses.Business:
    """Return the business that an option names, or the only one. Raises UnknownBusiness."""
    found = await businesses.only(tx) if named is None else await businesses.find(tx, named)
    if found is None:
        raise UnknownBusiness(None if named else "Name the business by --business: there is none, or there are several")
    return found


def instant_of(since: str, option: str = "since") -> datetime:
    """Return the time that an option names; raises ValidationFailed."""
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        raise ValidationFailed.at(option, "must be a time like 2026-11-21 or 2026-11-21T16:00:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def say(line: str) -> None:
    """Print a line for people, where it is not taken for an answer."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201
