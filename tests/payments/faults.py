"""What goes wrong: errors instead of answers, connections that are cut, answers that are held back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock

# Nothing waits for ever, also when a test has failed.
_LONGEST_SECONDS = 60


class Cut(ConnectionResetError):
    """The connection ends without an answer."""


@dataclass
class Gate:
    """A call that is held: `arrived` is set when it is there, and it goes on when `released` is."""

    arrived: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)

    def pass_through(self) -> None:
        """Wait here until the test lets go."""
        self.arrived.set()
        self.released.wait(_LONGEST_SECONDS)


@dataclass
class _Fault:
    only: str
    after: bool
    times: int
    error: Exception | None = None
    gate: Gate | None = None


class Faults:
    """The faults that are to come, each before or after what the call does.

    Calls are payments.create, payments.capture, payments.cancel, payments.get, payments.list, refunds.create,
    refunds.get, refunds.list, and me or account and balance. A fault waits for those whose name begins with `only`: all,
    when it is empty. `of_status` gives the provider's error for a status.
    """

    def __init__(self, of_status: Callable[[int], Exception]) -> None:
        self._of_status = of_status
        self._waiting: list[_Fault] = []
        self._gates: list[Gate] = []
        self._lock = Lock()

    def fail(self, error: int | Exception, *, only: str = "", after: bool = False, times: int = 1) -> None:
        """Answer the next calls with an error or its status, before or after they have done what they are to do."""
        raised = self._of_status(error) if isinstance(error, int) else error
        with self._lock:
            self._waiting.append(_Fault(only, after, times, raised))

    def cut(self, *, only: str = "", after: bool = False, times: int = 1) -> None:
        """Cut the connection of the next calls."""
        self.fail(Cut(), only=only, after=after, times=times)

    def hold(self, *, only: str = "", after: bool = False) -> Gate:
        """Hold the next call until the gate is released."""
        gate = Gate()
        with self._lock:
            self._gates.append(gate)
            self._waiting.append(_Fault(only, after, 1, gate=gate))
        return gate

    def clear(self) -> None:
        """Let all be well."""
        with self._lock:
            self._waiting.clear()
            gates = list(self._gates)
        for gate in gates:
            gate.released.set()

    def strike(self, call: str, *, after: bool) -> None:
        """Let the first fault that waits for this call happen."""
        with self._lock:
            fault = next((each for each in self._waiting if each.after is after and call.startswith(each.only)), None)
            if fault is None:
                return
            fault.times -= 1
            if fault.times == 0:
                self._waiting.remove(fault)
        if fault.gate is not None:
            fault.gate.pass_through()
        if fault.error is not None:
            raise fault.error
