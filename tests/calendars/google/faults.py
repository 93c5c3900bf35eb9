"""What goes wrong: errors instead of answers, connections that are cut, answers that are held back."""

from dataclasses import dataclass, field
from threading import Event, RLock

from calendars.google.errors import GoogleError

# Nothing waits for ever, also when a test has failed.
_LONGEST_SECONDS = 60


@dataclass
class Gate:
    """A request that is held: `arrived` is set when it is there, and it goes on when `released` is."""

    arrived: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)

    def pass_through(self) -> None:
        """Wait here until the test lets go."""
        self.arrived.set()
        self.released.wait(_LONGEST_SECONDS)


class Cut(Exception):
    """The connection ends without an answer."""


@dataclass
class Fault:
    """What happens to the next calls of the methods whose names begin with `only`: all, when it is empty."""

    only: str
    times: int
    error: GoogleError | None = None
    cut: bool = False
    gate: Gate | None = None
    after: bool = False


@dataclass
class Faults:
    """The faults that are to come, each before or after what the call does."""

    _waiting: list[Fault] = field(default_factory=list)
    _gates: list[Gate] = field(default_factory=list)
    _lock: RLock = field(default_factory=RLock)

    def fail(
        self,
        status: int,
        reason: str = "backendError",
        *,
        times: int = 1,
        only: str = "",
        retry_after: str | None = None,
    ) -> None:
        """Answer the next calls with an error, and do nothing."""
        self._waiting.append(Fault(only, times, GoogleError(status, reason, retry_after)))

    def cut(self, *, after: bool, times: int = 1, only: str = "") -> None:
        """Cut the connection of the next calls, before or after they have done what they are to do."""
        self._waiting.append(Fault(only, times, cut=True, after=after))

    def hold(self, *, after: bool = False, only: str = "") -> Gate:
        """Hold the next call, before or after it has done what it is to do, until the gate is released."""
        gate = Gate()
        self._gates.append(gate)
        self._waiting.append(Fault(only, 1, gate=gate, after=after))
        return gate

    def clear(self) -> None:
        """Let all be well."""
        with self._lock:
            self._waiting.clear()
        for gate in self._gates:
            gate.released.set()

    def strike(self, method: str, *, after: bool) -> None:
        """Let the first fault that waits for this call happen; raises GoogleError, Cut."""
        with self._lock:
            fault = next((f for f in self._waiting if f.after is after and method.startswith(f.only)), None)
            if fault is None:
                return
            fault.times -= 1
            if fault.times == 0:
                self._waiting.remove(fault)
        if fault.gate is not None:
            fault.gate.pass_through()
        if fault.error is not None:
            raise fault.error
        if fault.cut:
            raise Cut
