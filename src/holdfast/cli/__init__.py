"""The commands. Exit codes: 0 done; 1 done, and something is wrong (`verify`); 2 could not be done."""

import psycopg
import typer

from holdfast import config, serving
from holdfast import verify as verification
from holdfast.cli import bouncing, comparing, keeping, keys, payments, rotation, running, tending, users
from holdfast.failures import said_in_a_sentence
from holdfast.kernel.backups import BackupError
from holdfast.kernel.embedded import EmbeddedPostgresError
from holdfast.kernel.errors import UserError
from holdfast.kernel.migrate import MigrationError
from holdfast.kernel.privacy import WrongMasterKey

app = typer.Typer(
    help="Self-hosted booking that never sells a place twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(running.serve)
app.command(name="worker")(running.run_worker)
app.command(name="migrate")(running.run_migrate)
app.command(name="import")(tending.run_import)
app.command(name="export")(tending.run_export)
app.command(name="verify")(tending.run_verify)
app.command(name="doctor")(tending.run_doctor)
app.command(name="backup")(keeping.run_backup)
app.command(name="restore")(keeping.run_restore)
app.command(name="upgrade")(keeping.run_upgrade)
app.command(name="bounce")(bouncing.run_bounce)
app.add_typer(keys.app, name="key")
app.add_typer(users.app, name="user")
app.add_typer(rotation.app, name="keys")
payments.app.command(name="reconcile")(comparing.run_reconcile)
payments.app.command(name="balance")(comparing.run_balance)
app.add_typer(payments.app, name="payments")

_KNOWN_FAILURES = (
    config.ConfigurationError,
    serving.ServeError,
    EmbeddedPostgresError,
    BackupError,
    MigrationError,
    WrongMasterKey,
    UserError,
    verification.VerifyError,
    PermissionError,
    psycopg.OperationalError,
)


def main() -> None:
    """Run a command; what the user can mend is said in a sentence, without a traceback."""
    with said_in_a_sentence(*_KNOWN_FAILURES):
        app()
