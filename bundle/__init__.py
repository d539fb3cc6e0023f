"""The shared home: what trainer, exporter and runtime must agree on.

A bundle's folder, its params.json, the store it lies in, and the way from a picture's
bytes to a model's input. No HTTP, no TensorFlow, no engine.
"""

__version__ = "0.1.0"
