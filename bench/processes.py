"""What Linux tells of running processes: their children, their CPU time, their memory."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One process; a figure of one that has ended is 0."""

    pid: int

    def family(self) -> list["Process"]:
        """Return the process and all its descendants."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                children.setdefault(int(_after_name(entry)[1]), []).append(int(entry.name))

        def below(pid: int) -> Iterator[Process]:
            yield Process(pid)
            for child in children.get(pid, []):
                yield from below(child)

        return list(below(self.pid))

    def program(self) -> str:
        """Return the file name of the program that it runs."""
        try:
            return self._proc.joinpath("exe").readlink().name
        except OSError:
            return ""

    def words(self) -> list[str]:
        """Return the command line; none of one that has ended."""
        try:
            return self._proc.joinpath("cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[:-1]
        except OSError:
            return []

    def is_python(self) -> bool:
        """Whether it runs Python."""
        return self.program().startswith("python")

    def parent(self) -> int:
        """Return the id of the process that it belongs to; 0 when it has ended."""
        try:
            return int(_after_name(self._proc)[1])
        except OSError:
            return 0

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far, in user and kernel mode."""
        try:
            fields = _after_name(self._proc)
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_bytes(self) -> int:
        """Return how much memory it occupies, shared pages included."""
        try:
            return int(self._proc.joinpath("statm").read_text(encoding="ascii").split()[1]) * _PAGE
        except OSError:
            return 0

    @property
    def _proc(self) -> Path:
        return Path(f"/proc/{self.pid}")


def _after_name(proc: Path) -> list[str]:
    """Return the fields of `stat` after the name, which may contain anything: state, parent, ..."""
    return proc.joinpath("stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
