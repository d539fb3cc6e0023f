"""The keys under which a server tells the application more of a request."""

from __future__ import annotations

# What a server of ours tells the app in a request's environ: when the request had come
# whole, in seconds of ``time.perf_counter``; and why it is to be refused, an error.
ARRIVED = "tfaas.arrived"
REFUSED = "tfaas.refused"


# The request's ``Deadline``, which hears from the server when the client leaves.
DEADLINE = "tfaas.deadline"


# The journey and the span of a request that left the quick lane; both go on.
BEGUN = "tfaas.begun"
