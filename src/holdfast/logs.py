"""Structured logs on stderr: one JSON line an event, with ids and never with personal data."""

import json
import logging
import sys
from types import TracebackType
from typing import Any

import structlog


def configure() -> None:
    """Send every log line of this process to stderr, as JSON; libraries from WARNING on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_shape_of),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    of_libraries = logging.StreamHandler(sys.stderr)
    of_libraries.setFormatter(_Shapes("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[of_libraries], level=logging.WARNING)


class _Shapes(logging.Formatter):
    """Shows exceptions that a library logs as the product's own are shown."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is the library's
        return json.dumps(_shape_of(ei))


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
