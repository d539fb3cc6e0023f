"""The figures of one load of one server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """One load of one server.

    A processor time is user and system time together, in microseconds. It is None if no
    request was answered, or if nobody measured it.

    Attributes:
        requests_per_second: the requests a second that were answered with 2xx.
        p50_ms: half of the requests took less time.
        p99_ms: 99 of 100 requests took less time.
        errors: answers with another status, and connections that broke or timed out.
        server_us: the processor time of all the server's processes for one request.
        load_us: the processor time of the load generator for one request.
        limit_us: the processor time of the loop without a server for the images of one
            request, the mean of before and after the load; None if the work has no such
            loop.
    """

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    server_us: float | None = None
    load_us: float | None = None
    limit_us: float | None = None

    @property
    def of_limit(self) -> float | None:
        """The processor time of the limit, divided by that of server and load."""
        if self.limit_us is None or self.server_us is None or self.load_us is None:
            return None
        return self.limit_us / (self.server_us + self.load_us)


@dataclass(frozen=True)
class Sent:
    """A load generator's own figures of one load.

    Attributes:
        requests: the number of requests that were answered with any status.
        seconds: the length of the load.
        p50_ms: half of the requests took less time.
        p99_ms: 99 of 100 requests took less time.
        refused: the number of answers that are no 2xx.
        broken: the number of connections that broke or timed out.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    def round(self, server: float, load: float) -> Round:
        """Add the processor times of the server and of the generator, in seconds."""
        return Round(
            round((self.requests - self.refused) / self.seconds, 1),
            self.p50_ms,
            self.p99_ms,
            self.refused + self.broken,
            self._us(server),
            self._us(load),
        )

    def _us(self, seconds: float) -> float | None:
        if not self.requests:
            return None
        return round(seconds / self.requests * 1e6, 1)
