"""The commands. Exit codes: 0 done; 1 done, and something is wrong (`verify`); 2 could not be done."""

import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import psycopg
import typer

from holdfast import config, serving, transfers
from holdfast import verify as verification
from holdfast.business_files.demo import demo_text
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.identity import api_keys, businesses
from holdfast.identity.errors import UnknownBusiness, UnknownKey
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Transaction
from holdfast.kernel.embedded import EmbeddedPostgresError, running_uri
from holdfast.kernel.errors import UserError
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.migrate import MigrationError, migrate, plan

if TYPE_CHECKING:
    from holdfast.business_files.calendars import CalendarReport
    from holdfast.business_files.importing import Report

T = TypeVar("T")

app = typer.Typer(
    help="Self-hosted booking that never sells a place twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
key_app = typer.Typer(help="Keys by which staff and their programs call the API.", no_args_is_help=True)
app.add_typer(key_app, name="key")

DataDir = Annotated[
    Path | None, typer.Option("--data", help="Directory of the embedded PostgreSQL. [HOLDFAST_DATA_DIR]")
]
Dsn = Annotated[str | None, typer.Option("--dsn", help="PostgreSQL 18+, as an administrative role. [HOLDFAST_DSN]")]
OfBusiness = Annotated[
    str | None, typer.Option("--business", help="Slug or id; by default the only one. [HOLDFAST_DEFAULT_BUSINESS]")
]
Json = Annotated[bool, typer.Option("--json", help="Answer with JSON on stdout.")]

_KNOWN_FAILURES = (
    config.ConfigurationError,
    serving.ServeError,
    EmbeddedPostgresError,
    MigrationError,
    UserError,
    verification.VerifyError,
    PermissionError,
    psycopg.OperationalError,
)


def main() -> None:
    """Run a command; what the user can mend is said in a sentence, without a traceback."""
    try:
        app()
    except _KNOWN_FAILURES as failure:
        _say(f"holdfast: {failure}")
        sys.exit(2)
    except psycopg.Error as refusal:
        # Without the details, which quote rows.
        _say(f"holdfast: the database refused this ({refusal.sqlstate}): {refusal.diag.message_primary}")
        sys.exit(2)


@app.command()
def serve(
    data: DataDir = None,
    dsn: Dsn = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)] = 8000,
    workers: Annotated[int, typer.Option(help="Web processes.", min=1, max=64)] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Load the demo business.")] = False,
    as_json: Json = False,
) -> None:
    """Serve API, pages and worker on one port; without a DSN on a PostgreSQL of its own."""
    settings = _settings(data, dsn)

    def prepare(admin_dsn: str) -> None:
        if demo:
            try:
                report = transfers.import_business(config.application_dsn(settings, admin_dsn), demo_text())
            except CapacityBelowPeak as refused:
                # Somebody has raised a capacity and filled it: no reason not to serve them.
                _say(f"the demo business stays as it is: {refused}")
                return
            for line in transfers.told_of_business(report):
                _say(line)

    def ready(started: serving.Ready) -> None:
        line = started.as_json() if as_json else f"Holdfast is ready: {started.url}/booking/slot/"
        print(line, flush=True)  # noqa: T201 - the one line of stdout

    serving.serve(settings, host=host, port=port, workers=workers, prepare=prepare, ready=ready, report=_say)


@app.command(name="worker")
def run_worker(dsn: Dsn = None) -> None:
    """Run a worker of its own, beside servers on the same database."""
    if dsn is not None:
        os.environ["HOLDFAST_DSN"] = dsn
    _work()


@app.command(name="migrate")
def run_migrate(
    dsn: Dsn = None,
    show_plan: Annotated[bool, typer.Option("--plan", help="Print the SQL, run nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a database to the schema of this release."""
    settings = _settings(None, dsn)
    if settings.dsn is None:
        raise config.ConfigurationError("Give --dsn or HOLDFAST_DSN; the embedded database migrates when it is served.")
    if show_plan:
        print(plan(settings.dsn))  # noqa: T201
        return
    ran = migrate(settings.dsn, report=_say)
    print(json.dumps({"ran": ran}) if as_json else f"{len(ran)} migrations ran")  # noqa: T201


@app.command(name="import")
def run_import(
    file: Annotated[
        Path,
        typer.Argument(help="A business as TOML, or a calendar (.ics).", exists=True, dir_okay=False, readable=True),
    ],
    data: DataDir = None,
    dsn: Dsn = None,
    meaning: Annotated[
        transfers.Meaning | None,
        typer.Option("--as", help="What a calendar holds: days that are closed, or time that is taken."),
    ] = None,
    business: OfBusiness = None,
    resource: Annotated[
        list[str] | None,
        typer.Option(help="Slug of a resource that a calendar is for, repeatable; default for holidays: all."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Name of a calendar, whose later versions replace it; default: the file's name.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Load a business, or its holidays and busy time; repeatable, and on bad input nothing changes."""
    settings = _settings(data, dsn)
    report: Report | CalendarReport
    with file.open("rb") as stream:
        if not transfers.is_calendar(file, stream):
            if meaning or business or resource or source:
                raise config.ConfigurationError(
                    "--as, --business, --resource and --source go with a calendar (.ics) only."
                )
            report = transfers.import_business(_app_dsn(settings), stream.read())
            lines = transfers.told_of_business(report)
        elif meaning is None:
            raise config.ConfigurationError("Say what the calendar holds: --as holidays, or --as busy --resource SLUG.")
        else:
            report = transfers.import_calendar(
                _app_dsn(settings),
                file,
                stream,
                _say,
                meaning=meaning,
                source=source,
                business=business or settings.default_business,
                resources=resource or [],
            )
            lines = transfers.told_of_calendar(report)
    print(msgspec.json.encode(report).decode() if as_json else "\n".join(lines))  # noqa: T201


@app.command(name="export")
def run_export(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; default: stdout.", dir_okay=False)] = None,
    data: DataDir = None,
    dsn: Dsn = None,
    business: OfBusiness = None,
) -> None:
    """Write a business as a file that imports to the same state."""
    settings = _settings(data, dsn)
    text = transfers.export_business(_app_dsn(settings), business or settings.default_business)
    if file is not None:
        transfers.write_whole(file, text)
    else:
        try:
            # As bytes, so that the file is the same whatever the terminal's encoding and line ends.
            sys.stdout.buffer.write(text.encode())
            sys.stdout.buffer.flush()
        except OSError as error:
            # Else Python tries again when it ends, and says so in its own words.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise config.ConfigurationError(f"Cannot write to stdout: {error.strerror}.") from error


@app.command(name="verify")
def run_verify(data: DataDir = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """Recompute every invariant from the rows; exit 1 if one is violated. Works beside a running server."""
    violations = verification.verify(_running_dsn(_settings(data, dsn)), report=_say)
    if as_json:
        print(msgspec.json.encode(violations).decode())  # noqa: T201
    else:
        for violation in violations:
            print(f"{violation.check} {' '.join(violation.ids)}: {violation.problem}")  # noqa: T201
        print(f"{len(violations)} violations" if violations else "All invariants hold.")  # noqa: T201
    sys.exit(1 if violations else 0)


@key_app.command(name="create")
def create_key(
    role: Annotated[Role, typer.Option(help="What the key may do.")],
    name: Annotated[str, typer.Option(help="Who or what uses it, as others will read it.")],
    business: OfBusiness = None,
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it: the only time that it can be seen."""
    settings = _settings(data, dsn)

    async def work(tx: Transaction) -> tuple[str, api_keys.ApiKey, str]:
        owner = await _business(tx, business or settings.default_business)
        return owner.slug, *await api_keys.create(await tx.act_for(owner.id), role=role, name=name)

    slug, made, text = _with_database(settings, work)
    if as_json:
        print(msgspec.json.encode({"business": slug, **_shown(made), "key": text}).decode())  # noqa: T201
    else:
        print(text)  # noqa: T201
        _say(f"Key {made.id} of {slug}, as {made.role}. It is shown this once; revoke it with `key revoke {made.id}`.")


@key_app.command(name="list")
def list_keys(business: OfBusiness = None, data: DataDir = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """List the keys of a business, without their secrets, oldest first."""
    settings = _settings(data, dsn)

    async def work(tx: Transaction) -> list[api_keys.ApiKey]:
        owner = await _business(tx, business or settings.default_business)
        return await api_keys.keys_of(await tx.act_for(owner.id))

    keys = _with_database(settings, work)
    if as_json:
        print(msgspec.json.encode([_shown(key) for key in keys]).decode())  # noqa: T201
        return
    for key in keys:
        used = "never used" if key.last_used_at is None else f"last used {key.last_used_at:%Y-%m-%d %H:%M}"
        state = used if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
        print(f"{key.id}  {key.role:9}  {state:26}  {key.name}")  # noqa: T201


@key_app.command(name="revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="Id of the key, as `key list` shows it.")],
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Let a key open nothing any more, from the next call on; repeatable."""
    key_id = uuid_or_none(key)
    if key_id is None:
        raise UnknownKey

    async def work(tx: Transaction) -> api_keys.ApiKey:
        owner = await api_keys.business_of(tx, key_id)
        return await api_keys.revoke(await tx.act_for(owner), key_id)

    revoked = _with_database(_settings(data, dsn), work)
    print(msgspec.json.encode(_shown(revoked)).decode() if as_json else f"revoked {revoked.id}")  # noqa: T201


@app.command(name="doctor")
def run_doctor(data: DataDir = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """Look at everything that Holdfast stands on and say what to do; exit 1 if there is a problem."""
    # Loaded here, as other commands need none of it.
    from holdfast.doctor.examination import examine  # noqa: PLC0415

    findings = examine(_settings(data, dsn), report=_say)
    if as_json:
        print(msgspec.json.encode(findings).decode())  # noqa: T201
    else:
        for finding in findings:
            print(f"{finding.level:8} {finding.check}: {finding.message}")  # noqa: T201
            if finding.advice:
                print(f"         -> {finding.advice}")  # noqa: T201
    sys.exit(1 if any(finding.level == "problem" for finding in findings) else 0)


@app.command(hidden=True)
def part(
    name: str,
    host: Annotated[str, typer.Argument()] = "127.0.0.1",
    port: Annotated[int, typer.Argument()] = 0,
    workers: Annotated[int, typer.Argument()] = 1,
) -> None:
    """Run one part of `serve`, as its child."""
    if name == "web":
        serving.run_web(host, port, workers)
    else:
        serving.end_with_parent()
        _work()


def _work() -> None:
    # Loaded here: the job library costs a quarter of a second and 10 MB, which web processes and other commands spare.
    from holdfast import worker  # noqa: PLC0415

    worker.main()


def _settings(data: Path | None, dsn: str | None) -> config.Settings:
    settings = config.read(os.environ)
    if data is not None:
        settings = replace(settings, data_dir=data.expanduser().absolute(), dsn=None, app_dsn=None)
    if dsn is not None:
        if data is not None:
            raise config.ConfigurationError("Give --data or --dsn, not both.")
        settings = replace(settings, dsn=config.checked_dsn(dsn, "--dsn"))
    return settings


def _running_dsn(settings: config.Settings) -> str:
    return settings.dsn if settings.dsn is not None else running_uri(settings.data_dir)


def _app_dsn(settings: config.Settings) -> str:
    return config.application_dsn(settings, _running_dsn(settings))


def _with_database(settings: config.Settings, work: Callable[[Transaction], Awaitable[T]]) -> T:
    """Run the work in one transaction on the database that settings name, with the rights of a server."""
    return transfers.connected(_app_dsn(settings), lambda database: database.run(None, work))


async def _business(tx: Transaction, named: str | None) -> businesses.Business:
    found = await businesses.only(tx) if named is None else await businesses.find(tx, named)
    if found is None:
        raise UnknownBusiness(None if named else "Name the business by --business: there is none, or there are several")
    return found


def _shown(key: api_keys.ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "role": key.role,
        "name": key.name,
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
        "revokedAt": key.revoked_at,
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
