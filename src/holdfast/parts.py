"""The parts of `holdfast serve`, each a process of its own: `python -m holdfast part web` and `part worker`.

They are no commands for people, and are loaded without those: each start spares half a second of a core.
"""

import sys
from collections.abc import Sequence

import psycopg

from holdfast import config, serving
from holdfast.failures import said_in_a_sentence
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
    with said_in_a_sentence(*_KNOWN_FAILURES):
        _run(sys.argv[2:])


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
