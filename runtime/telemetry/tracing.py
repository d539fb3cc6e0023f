"""OpenTelemetry spans: one for each request, and one for each of its stages.

This needs the extra ``tracing``. Standard variables set the collector and the sampling:
OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER …
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from runtime.config import ConfigError
from runtime.telemetry.journey import Journey

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

SERVICE = "tfaas-onnx"

# Attributes of OpenTelemetry's semantic conventions have one of these types.
Attributes = Mapping[str, str | int]


class Tracing:
    """Makes the spans of requests and sends them, in the background, to a collector.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """

    def __init__(self) -> None:
        try:
            import opentelemetry.exporter.otlp.proto.http
            import opentelemetry.sdk.trace  # noqa: F401
        except ImportError as ex:
            raise ConfigError(
                "'tracing' is true, and OpenTelemetry is not installed:"
                " pip install 'tfaas-onnx[tracing]'"
            ) from ex
        self._lock = threading.Lock()
        self._tracer: Tracer | None = None

    def start(
        self,
        name: str,
        journey: Journey,
        headers: Mapping[str, str],
        attributes: Attributes,
    ) -> RequestSpan:
        """Begin a request's span, and give the journey its trace's id.

        Args:
            name: the span's name, until it ends.
            journey: the request's journey.
            headers: the headers traceparent and tracestate that the client sent.
            attributes: the attributes that a sampler may look at.
        """
        from opentelemetry.trace import SpanKind, format_trace_id
        from opentelemetry.trace.propagation.tracecontext import (
            TraceContextTextMapPropagator,
        )

        tracer = self._tracer or self._open()
        # This is the difference between perf_counter and the clock of the spans.
        offset = time.time() - time.perf_counter()
        span = tracer.start_span(
            name,
            TraceContextTextMapPropagator().extract(headers),
            SpanKind.SERVER,
            attributes,
            start_time=_nanoseconds(journey.started + offset),
        )
        journey.trace_id = format_trace_id(span.get_span_context().trace_id)
        return RequestSpan(tracer, span, offset)

    def _open(self) -> Tracer:
        """Start the tracer's thread at the first request, after a server's fork."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        with self._lock:
            if self._tracer is None:
                # Resource.create would let our name win over OTEL_SERVICE_NAME.
                resource = Resource.create({"service.name": SERVICE}).merge(
                    OTELResourceDetector().detect()
                )
                provider = TracerProvider(resource=resource, shutdown_on_exit=False)
                provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
                # Spans that wait are sent at exit. The provider would use atexit, which
                # does not run in a child of multiprocessing, such as a server's worker.
                Finalize(None, provider.shutdown, exitpriority=0)
                self._tracer = provider.get_tracer("runtime")
            return self._tracer


# A client sends these headers.
HEADERS = ("traceparent", "tracestate")


def attributes_of(journey: Journey) -> dict[str, str | int]:
    """Return the attributes about the model that answered."""
    attributes: dict[str, str | int] = {}
    if journey.model:
        attributes["tfaas.model"] = journey.model
    if journey.version is not None:
        attributes["tfaas.version"] = journey.version
    if journey.backend:
        attributes["tfaas.backend"] = journey.backend
    return attributes


class RequestSpan:
    """The span of a request that is being answered."""

    def __init__(self, tracer: Tracer, span: Span, offset: float) -> None:
        self._tracer = tracer
        self._span = span
        self._offset = offset

    def end(
        self, name: str, journey: Journey, attributes: Attributes, failed: bool
    ) -> None:
        """End the span, with a child for each stage of the journey."""
        from opentelemetry.trace import StatusCode, set_span_in_context

        parent = set_span_in_context(self._span)
        for stage, start, end in journey.laps:
            child = self._tracer.start_span(
                stage, parent, start_time=_nanoseconds(start + self._offset)
            )
            child.end(_nanoseconds(end + self._offset))
        self._span.update_name(name)
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(StatusCode.ERROR)
        self._span.end(_nanoseconds(time.perf_counter() + self._offset))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
