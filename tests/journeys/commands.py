"""Commands, each in a process of its own, forked from one that has loaded them: a start from nothing takes a second of a core.

`holdfast serve` and its parts are started as their users start them.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from holdfast.cli import main

_SECONDS = 120
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["holdfast.cli"])


def run(words: Sequence[str], environment: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run `holdfast` with these words to its end, in this environment and no other."""
    with TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("in", "out", "err")]
        for stream, said in zip(streams, (stdin, "", ""), strict=True):
            stream.write_text(said)
        command = _FORKS.Process(target=_obey, args=(words, dict(environment), str(Path.cwd()), *map(str, streams)))
        command.start()
        command.join(_SECONDS)
        if command.exitcode is None:
            command.kill()
            command.join()
            raise subprocess.TimeoutExpired(["holdfast", *words], _SECONDS)
        code = command.exitcode
        command.close()
        return subprocess.CompletedProcess(words, code, *(stream.read_text() for stream in streams[1:]))


def _obey(words: Sequence[str], environment: Mapping[str, str], folder: str, *streams: str) -> None:
    for number, stream in enumerate(streams):
        os.dup2(os.open(stream, os.O_RDWR | os.O_APPEND), number)
    sys.stdin = open(0)  # noqa: SIM115 - it ends with the process
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["holdfast", *words]
    main()
