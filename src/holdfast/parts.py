"""The parts of `holdfast serve`, each a process of its own: `python -m holdfast part web` and `part worker`.

They are no commands for people, and are loaded without those: each start spares half a second of a core.
"""

import sys
from collections.abc import Sequence

import psycopg

from holdfast import config, serving
from holdfast.kernel.errors import UserError
from holdfast.kernel.privacy import WrongMasterKey

_KNOWN_FAILURES = (
    config.ConfigurationError,
    serving.ServeError,
    WrongMasterKey,
    UserError,
    PermissionError,
    psycopg.OperationalError,
)


def main() -> None:
    """Run the part that the command line names; what the user can mend is said in a sentence, without a traceback."""
    try:
        _run(sys.argv[2:])
    except _KNOWN_FAILURES as failure:
        sys.stderr.write(f"holdfast: {failure}\n")
        sys.exit(2)
    except psycopg.Error as refusal:
        # Without the details, which quote rows.
        sys.stderr.write(f"holdfast: the database refused this ({refusal.sqlstate}): {refusal.diag.message_primary}\n")
        sys.exit(2)


def _run(words: Sequence[str]) -> None:
    match words:
        case ["web", host, port, workers] if port.isdecimal() and workers.isdecimal():
            serving.run_web(host, int(port), int(workers))
        case ["worker"]:
            serving.end_with_parent()
            # Loaded here: the job library costs a quarter of a second and 10 MB, which the web server spares.
            from holdfast import worker  # noqa: PLC0415

            worker.main()
        case _:
            sys.stderr.write("holdfast: the parts are `web HOST PORT WORKERS` and `worker`; use `holdfast serve`\n")
            sys.exit(2)
