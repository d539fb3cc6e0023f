"""The keys under which a server tells the application more of a request."""

from __future__ import annotations

from typing import Any

# A request in WSGI (PEP 3333).
Environ = dict[str, Any]

# ``runtime serve`` tells the application these facts in a request's environ. ARRIVED is
# the time when the request had come whole, in seconds of ``time.perf_counter``. REFUSED
# is an error: the application must refuse the request with it.
ARRIVED = "tfaas.arrived"
REFUSED = "tfaas.refused"

# The library whose loop serves the connection, ``uvloop`` or ``asyncio``.
LOOP = "tfaas.loop"

# The request's ``Journey``, which the first step of the application puts there.
JOURNEY = "tfaas.journey"

# The texts of a path in place of the names in braces of its route, by these names.
# They are there for predictions.
PLACES = "tfaas.places"

# The headers that let a page of another origin read the reply. A server adds them to
# replies of its own; they are missing if config.json has no ``corsOrigins``.
CORS = "tfaas.cors"

# The request's ``Deadline``; the server tells it when the client leaves.
DEADLINE = "tfaas.deadline"
