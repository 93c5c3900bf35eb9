"""Traces for OpenTelemetry: a span for each request, each admission batch, and each statement in one of them.

Imported only where tracing is asked for (ADR 23). What a span says is chosen here: routes, codes and ids. Neither
paths, parameters of statements nor the messages of exceptions, which quote people's data.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from psycopg import AsyncCursor, Error

from holdfast.kernel.about import ABOUT, TRACE_ID, notes
from holdfast.kernel.observed import UNMATCHED, App, method_label

# Links beyond this are not kept by the library either.
_MOST_LINKS = 128


class Tracing:
    """Makes spans and hands them to a processor."""

    def __init__(self, processor: SpanProcessor) -> None:
        """Prepare it; the resource, the sampler and the limits are those of the library's own variables."""
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "holdfast"}
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("holdfast")
        self.cursor = _cursor_of(self)

    @classmethod
    def to_collector(cls) -> "Tracing":
        """Return one that sends its spans to the collector which the variables of OpenTelemetry name."""
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    async def close(self) -> None:
        """Send what is left; takes as long as the collector does."""
        await asyncio.to_thread(self._provider.shutdown)

    def around(self, app: App) -> App:
        """Return the application with a span around each request, in the trace that its `traceparent` names."""

        async def traced(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status = 500

            async def answer(message: Any) -> None:
                nonlocal status
                status = message.get("status", status)
                await send(message)

            with self.span("request", kind=SpanKind.SERVER, context=_parent(scope)) as span:
                scope[TRACE_ID] = format_trace_id(span.get_span_context().trace_id)
                try:
                    await app(scope, receive, answer)
                finally:
                    _describe(span, scope, status)

        return traced

    def here(self) -> SpanContext:
        """Return which span the code at hand runs in."""
        return get_current_span().get_span_context()

    @contextmanager
    def batch(self, origins: Sequence[SpanContext]) -> Iterator[None]:
        """Put a span of its own around a batch, which refers to the requests that travel in it."""
        links = [Link(origin) for origin in origins if origin.is_valid][:_MOST_LINKS]
        size = {"holdfast.batch_size": len(origins)}
        with self.span("admission batch", kind=SpanKind.INTERNAL, links=links, attributes=size) as span:
            ABOUT.set({TRACE_ID: format_trace_id(span.get_span_context().trace_id)})
            yield

    @contextmanager
    def span(self, name: str, **more: Any) -> Iterator[Span]:
        """Put a span around the block; of an exception it keeps the kind, and the state that SQL gives to it."""
        with self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False, **more
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_status(StatusCode.ERROR)
                span.set_attribute("error.type", type(error).__name__)
                if isinstance(error, Error) and error.sqlstate:
                    span.set_attribute("db.response.status_code", error.sqlstate)
                raise


def _cursor_of(tracing: Tracing) -> type[AsyncCursor[Any]]:
    class TracedCursor(AsyncCursor[Any]):
        """A cursor whose statements are spans of the request or batch that they belong to; others are not traced."""

        async def execute(self, query: Any, params: Any = None, **more: Any) -> "TracedCursor":
            """Execute a statement."""
            if not get_current_span().is_recording():
                return await super().execute(query, params, **more)
            text = query if isinstance(query, str) else type(query).__name__
            attributes = {"db.system.name": "postgresql", "db.query.text": text}
            # A statement is ours, with names in the places of its values.
            name = text.split(maxsplit=1)[0].upper()
            with tracing.span(name, kind=SpanKind.CLIENT, attributes=attributes):
                return await super().execute(query, params, **more)

    return TracedCursor


def _parent(scope: Any) -> Context:
    """Return where a request continues: by `traceparent` only, since all else that comes with it is free text."""
    given = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
    return TraceContextTextMapPropagator().extract({"traceparent": given}, Context())


def _describe(span: Span, scope: Any, status: int) -> None:
    method, route = method_label(scope["method"]), scope.get("path_template") or UNMATCHED
    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    span.set_attributes({f"holdfast.{what}": value for what, value in notes().items() if what != "trace_id"})
    if status >= 500:
        span.set_status(StatusCode.ERROR)
