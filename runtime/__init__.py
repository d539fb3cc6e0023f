"""The service: it answers predictions over HTTP with the bundles of a store."""

import os

# From 1.29 on, ONNX Runtime tells Microsoft about the models that it loads and runs,
# with an id that it keeps in the home folder. It reads this variable once, at its
# import. A user who wants to send these reports sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
