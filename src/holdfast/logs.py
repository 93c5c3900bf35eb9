"""Structured logs on stderr: one event a line, with ids and never with personal data."""

import logging
import sys
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import Processor

from holdfast.kernel.about import notes


def configure(level: str = "info", *, process: str | None = None) -> None:
    """Send every log line of this process to stderr, from a level on; those of libraries from WARNING on.

    JSON, unless a person at a terminal reads it. `process` says in each line which part of a server it is from.
    """
    shared: list[Processor] = [
        _add_notes,
        _named(process),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_shape_of),
    ]
    shown: Processor = structlog.processors.JSONRenderer(default=str)
    if sys.stderr.isatty():
        shared.append(_in_words)
        shown = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, shown],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
    )
    of_libraries = logging.StreamHandler(sys.stderr)
    # Libraries log at DEBUG what they are given, and that is people's data: their level is not ours to lower.
    of_libraries.setLevel(logging.WARNING)
    of_libraries.setFormatter(_Shapes(shared, shown))
    logging.basicConfig(handlers=[of_libraries], level=logging.WARNING, force=True)


class _Shapes(logging.Formatter):
    """Shows what a library logs, exceptions too, as the product's own lines are shown."""

    def __init__(self, shared: list[Processor], shown: Processor) -> None:
        super().__init__()
        self._processors = [*shared, shown]

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        event: Any = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info and record.exc_info[0] is not None:
            event["exc_info"] = record.exc_info
        for processor in self._processors:
            event = processor(None, record.levelname.lower(), event)
        return str(event)


def _add_notes(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add what is known of the request, unless the line itself says otherwise."""
    return {**notes(), **event}


def _in_words(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write the shapes of an exception as text, for a reader who is a person."""
    if "exception" in event:
        lines = [f"{s['type']} {s['sqlstate'] or ''} in {' > '.join(s['frames'])}" for s in event["exception"]]
        event["exception"] = "\n".join(lines)
    return event


def _named(process: str | None) -> Processor:
    def name(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if process is not None:
            event["process"] = process
        return event

    return name


def _shape_of(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> list[dict[str, Any]]:
    """Return where an exception came from and of which kind it is.

    Neither its message nor the values of variables: both quote rows and requests, and those are people's data.
    """
    kind, error, trace = exc_info
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    shapes = [{"type": kind.__name__, "sqlstate": getattr(error, "sqlstate", None), "frames": frames}]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        shapes += _shape_of((type(cause), cause, cause.__traceback__))
    return shapes
