"""The import of TensorFlow, which is quiet and waits until the training begins."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec

from bundle.terminal import quiet_stderr
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
    with quiet_stderr(not verbose):
        importlib.import_module("keras")
        from absl import logging
    if not verbose:
        logging.set_verbosity(logging.ERROR)
