"""The load of a server, with its figures and the processor time that it took."""

from __future__ import annotations

from collections.abc import Sequence

from bench import h2load, processor, wrk
from bench.live import Live
from bench.round import Round
from bench.wire import Request


def load(
    live: Live,
    requests: Sequence[tuple[int, Request]],
    connections: int,
    seconds: int,
) -> Round:
    """Send requests to a server of this machine as fast as it answers.

    All processes below this one must be the server's, because their processor time
    counts as the server's.

    Args:
        live: the server.
        requests: each request with its share in percent; one alone for gRPC.
        connections: the number of connections. Each waits for its answer, and then
            sends the next request.
        seconds: the length of the load.

    Raises:
        BenchError: the load generator is missing, or failed.
    """
    server, generator = processor.of_descendants(), processor.of_ended_children()
    if (first := requests[0][1]).is_grpc:
        sent = h2load.send(live.grpc_port, first, connections, seconds, live.folder)
    else:
        sent = wrk.send(live.port, requests, connections, seconds, live.folder)
    return sent.round(
        processor.of_descendants() - server,
        processor.of_ended_children() - generator,
    )
