"""Whether the service is ending: it answers what it has, and wants no more."""

from __future__ import annotations

import threading

# Set when the process is asked to end; ``/readyz`` says so at once, and a load balancer
# sends its requests elsewhere.
DRAINING = threading.Event()
