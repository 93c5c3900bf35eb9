"""`serve`, `worker` and `migrate`: what keeps a business open."""

import json
import os
from typing import Annotated

import typer

from holdfast import config, serving, transfers
from holdfast.business_files.demo import demo_text
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.cli.options import DataDir, Dsn, Json, say, settings_of
from holdfast.identity.setup import Setup
from holdfast.kernel.distribution import distribute, plan_of_distribution
from holdfast.kernel.migrate import migrate, plan


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
    settings = settings_of(data, dsn)

    def prepare(admin_dsn: str) -> None:
        if demo:
            try:
                report = transfers.import_business(config.application_dsn(settings, admin_dsn), demo_text())
            except CapacityBelowPeak as refused:
                # Somebody has raised a capacity and filled it: no reason not to serve them.
                say(f"the demo business stays as it is: {refused}")
                return
            for line in transfers.told_of_business(report):
                say(line)

    def ready(started: serving.Ready) -> None:
        setup = Setup(config.master_key(settings), settings.default_business)
        vacant = transfers.connected(
            config.application_dsn(settings, started.dsn), lambda database: database.run(None, setup.vacancy)
        )
        if vacant is not None:
            link = setup.link(settings.payments.public_url or started.url)
            say(f"nobody can sign in yet; make the first owner at {link}")
        line = started.as_json() if as_json else f"Holdfast is ready: {started.url}/booking/slot/"
        print(line, flush=True)  # noqa: T201 - the one line of stdout

    serving.serve(settings, host=host, port=port, workers=workers, prepare=prepare, ready=ready, report=say)


def run_worker(dsn: Dsn = None) -> None:
    """Run a worker of its own, beside servers on the same database."""
    if dsn is not None:
        os.environ["HOLDFAST_DSN"] = dsn
        os.environ.pop("HOLDFAST_DSN_FILE", None)
    # Loaded here: the job library costs a quarter of a second and 10 MB, which other commands spare.
    from holdfast import worker  # noqa: PLC0415

    worker.main()


def run_migrate(
    dsn: Dsn = None,
    show_plan: Annotated[bool, typer.Option("--plan", help="Print the SQL, run nothing.")] = False,
    spread: Annotated[
        bool, typer.Option("--distribute", help="Spread a migrated database over a cluster of Citus, by business.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a database to the schema of this release."""
    settings = settings_of(None, dsn)
    if settings.dsn is None:
        raise config.ConfigurationError("Give --dsn or HOLDFAST_DSN; the embedded database migrates when it is served.")
    if show_plan:
        print(plan_of_distribution(settings.dsn) if spread else plan(settings.dsn))  # noqa: T201
        return
    ran = (distribute if spread else migrate)(settings.dsn, report=say)
    print(json.dumps({"ran": ran}) if as_json else f"{len(ran)} {'statements' if spread else 'migrations'} ran")  # noqa: T201
