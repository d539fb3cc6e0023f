"""The package on which trainer, exporter and runtime must agree.

It holds a bundle's folder, its params.json, the store of bundles, and the way from a
picture's bytes to a model's input. It imports no HTTP, no TensorFlow and no engine.
"""

__version__ = "1.0.0"
