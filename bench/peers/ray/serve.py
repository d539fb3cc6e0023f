"""Run Ray Serve on the port that the first argument names, until a signal ends it."""

import os
import signal
import sys

import ray
from app import app
from ray import serve

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    # The proxy and the controller count as one more; they share the cores.
    ray.init(
        num_cpus=int(os.environ["BENCH_CORES"]) + 1,
        include_dashboard=False,
        logging_level="warning",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(app, blocking=True)
