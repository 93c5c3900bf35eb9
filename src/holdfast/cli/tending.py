"""`import`, `export`, `verify` and `doctor`: what goes in and out, and whether all is well."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from holdfast import config, transfers
from holdfast import verify as verification
from holdfast.cli.options import DataDir, Dsn, Json, OfBusiness, app_dsn, running_dsn, say, settings_of

if TYPE_CHECKING:
    from holdfast.business_files.calendars import CalendarReport
    from holdfast.business_files.importing import Report


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
    settings = settings_of(data, dsn)
    report: Report | CalendarReport
    with file.open("rb") as stream:
        if not transfers.is_calendar(file, stream):
            if meaning or business or resource or source:
                raise config.ConfigurationError(
                    "--as, --business, --resource and --source go with a calendar (.ics) only."
                )
            report = transfers.import_business(app_dsn(settings), stream.read())
            lines = transfers.told_of_business(report)
        elif meaning is None:
            raise config.ConfigurationError("Say what the calendar holds: --as holidays, or --as busy --resource SLUG.")
        else:
            report = transfers.import_calendar(
                app_dsn(settings),
                file,
                stream,
                say,
                meaning=meaning,
                source=source,
                business=business or settings.default_business,
                resources=resource or [],
            )
            lines = transfers.told_of_calendar(report)
    print(msgspec.json.encode(report).decode() if as_json else "\n".join(lines))  # noqa: T201


def run_export(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; default: stdout.", dir_okay=False)] = None,
    data: DataDir = None,
    dsn: Dsn = None,
    business: OfBusiness = None,
) -> None:
    """Write a business as a file that imports to the same state."""
    settings = settings_of(data, dsn)
    text = transfers.export_business(app_dsn(settings), business or settings.default_business)
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


def run_verify(data: DataDir = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """Recompute every invariant from the rows; exit 1 if one is violated. Works beside a running server."""
    settings = settings_of(data, dsn)
    violations = verification.verify(running_dsn(settings), report=say, master_key=config.known_master_key(settings))
    # Where money is breaks nothing: it is told to people, apart from what programs read.
    for balance in verification.money(running_dsn(settings)):
        say(balance.told())
    if as_json:
        print(msgspec.json.encode(violations).decode())  # noqa: T201
    else:
        for violation in violations:
            print(f"{violation.check} {' '.join(violation.ids)}: {violation.problem}")  # noqa: T201
        print(f"{len(violations)} violations" if violations else "All invariants hold.")  # noqa: T201
    sys.exit(1 if violations else 0)


def run_doctor(data: DataDir = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """Look at everything that Holdfast stands on and say what to do; exit 1 if there is a problem."""
    # Loaded here, as other commands need none of it.
    from holdfast.doctor.examination import examine  # noqa: PLC0415

    findings = examine(settings_of(data, dsn), report=say)
    if as_json:
        print(msgspec.json.encode(findings).decode())  # noqa: T201
    else:
        for finding in findings:
            print(f"{finding.level:8} {finding.check}: {finding.message}")  # noqa: T201
            if finding.advice:
                print(f"         -> {finding.advice}")  # noqa: T201
    sys.exit(1 if any(finding.level == "problem" for finding in findings) else 0)
