"""What tf2onnx 1.17 cannot convert, said so that it can; one file a rewrite.

Each says why it is there, so that it can be deleted when tf2onnx catches up. There are
two kinds, see ``registry``: lowerings, by operators of TensorFlow, and handlers, by
operators of ONNX. Every file of this folder is one of them.
"""

import importlib
import pkgutil

from exporter.rewrites.registry import COMPLEX, HANDLERS, LOWERINGS

__all__ = ["COMPLEX", "HANDLERS", "LOWERINGS"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
