"""Rewrite operators that tf2onnx 1.17 cannot convert; each file is one rewrite.

Each file says why it is there, so that it can be deleted when tf2onnx catches up. There
are two kinds, see ``registry``: lowerings write operators of TensorFlow, and handlers
write operators of ONNX. The other files hold what several rewrites share.
"""

import importlib
import pkgutil

from exporter.rewrites.registry import COMPLEX, HANDLERS, LOWERINGS

__all__ = ["COMPLEX", "HANDLERS", "LOWERINGS"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
