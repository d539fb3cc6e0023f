"""The service: bundles of the store, answering predictions over HTTP."""

import os

# From 1.29 on, ONNX Runtime sends what it loads and runs to Microsoft, under an id that
# it keeps in the home folder. It looks once, at its import; whoever wants to send sets
# the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
