"""The import of TensorFlow, which is quiet and waits until the training begins."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from bundle.terminal import quiet_stderr
from runtime.process.garbage import uncollected
from trainer.errors import TensorFlowMissing

_NEEDED = ("tensorflow", "keras", "matplotlib")


def check_engine() -> None:
    """Check, without an import, that the training's packages are installed.

    Raises:
        TensorFlowMissing: a package is missing; the sentence tells how to install it.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise TensorFlowMissing(
            f"training needs {missing[0]}, which is not installed;"
            " install the extra 'train' (docs/installing.md)"
        )


def import_engine(verbose: bool) -> None:
    """Import TensorFlow and Keras.

    Args:
        verbose: let them write their messages to standard error.
    """
    # The user may have set Keras to another backend for other work, but only
    # TensorFlow's backend writes SavedModels.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_stderr(not verbose), uncollected(), without_plots():
        importlib.import_module("keras")
        from absl import logging
    if not verbose:
        logging.set_verbosity(logging.ERROR)


@contextmanager
def without_plots() -> Iterator[None]:
    """Let Keras be imported as if matplotlib were missing.

    Keras has two functions that show images in a window, and imports all of pyplot for
    them, which takes a fifth of the time. The report needs a part of matplotlib only,
    and imports that part itself.
    """
    if "matplotlib" in sys.modules:
        yield
        return
    # None makes an import of the module fail.
    sys.modules["matplotlib"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["matplotlib"]
