"""A network of the user's own: a function in a file of Python, ``FILE.py:FUNCTION``.

The file is the user's own code, and runs with the user's rights.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import ArchitectureError
from trainer.samples import Samples, input_shape_of, outputs_of

if TYPE_CHECKING:
    import keras

_ENDING = ".py"
# Scores in float32 sum to 1 within 1e-6, and those in 16 bits within 1e-2.
_TOLERANCE = 0.01


def is_own(name: str) -> bool:
    """Tell whether ``--arch`` names a file, and no network of the trainer."""
    return name.partition(":")[0].endswith(_ENDING)


def own_file(name: str) -> Path:
    """Return the file of ``FILE.py:FUNCTION``.

    Raises:
        ArchitectureError: there is no such file, or no function is named.
    """
    file, colon, function = name.partition(":")
    if not colon or not function.isidentifier():
        raise ArchitectureError(
            f"--arch {name} names no function; give FILE.py:FUNCTION, such as"
            f" {file}:build_model"
        )
    try:
        is_file = Path(file).is_file()
    except OSError:  # its folder may not be read, or its name is too long
        is_file = False
    if not is_file:
        raise ArchitectureError(f"there is no file {file}; check --arch")
    return Path(file)


def build_own(name: str, data: Samples) -> keras.Model:
    """Call the function with ``(input_shape, classes)``, and check its model.

    Args:
        name: ``FILE.py:FUNCTION``.
        data: the data set. ``input_shape`` is ``(H, W, C)`` of its images, or ``(F,)``
            of a table's row of numbers; ``classes`` is 1 for a regression.

    Raises:
        ArchitectureError: the file or the function fails, or the model does not fit the
            data.
    """
    file = own_file(name)
    shape, outputs = input_shape_of(data), outputs_of(data)
    if not shape:
        raise ArchitectureError(
            "a network of your own takes images or rows of numbers, and this table has"
            " columns of texts; leave --arch out"
        )
    build = _function(file, name.partition(":")[2])
    model = _run(file, lambda: build(shape, outputs))
    _check_kind(model, name, shape)
    x = data.x_train
    two = (next(iter(x.values())) if isinstance(x, Mapping) else x)[:2]
    # A model without an input layer gets its weights by this call.
    scores = _run(file, lambda: np.asarray(model(two), np.float32))
    _check_scores(scores, name, outputs, is_classes=data.task == "classes")
    _check_can_be_saved(model, name)
    return model


def _function(file: Path, name: str) -> Callable[..., Any]:
    # Tracebacks then name the file in one way, however the user named it.
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec is not None and spec.loader is not None  # its name ends in .py
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    # The file may import its neighbours, as it may when Python runs it.
    sys.path.insert(0, str(file.resolve().parent))
    _run(file, lambda: loader.exec_module(module))
    function: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(function):
        raise ArchitectureError(f"{file} has no function {name}; check --arch")
    return function


def _run(file: Path, work: Callable[[], Any]) -> Any:
    try:
        return work()
    # The file is the user's own, so its error is told with the line where it happened.
    except (Exception, SystemExit) as ex:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(ex.__traceback__)
            if Path(frame.filename) == file.resolve()
        ]
        line = ex.lineno if isinstance(ex, SyntaxError) else lines[-1] if lines else 0
        where = f" in line {line}" if line else ""
        said = str(ex).strip().partition("\n")[0]
        raise ArchitectureError(
            f"{file} failed{where} with {type(ex).__name__}"
            f"{f' ({said})' if said else ''}; mend the file, or check --arch"
        ) from ex


def _check_kind(model: Any, name: str, shape: tuple[int, ...]) -> None:
    import keras

    if not isinstance(model, keras.Model):
        kind = "None" if model is None else f"an object of {type(model).__name__}"
        raise ArchitectureError(
            f"{name} returned {kind}, and must return a Keras model"
        )
    # A model without an input layer does not tell its inputs yet.
    if not (inputs := getattr(model, "inputs", None)):
        return
    if len(inputs) != 1 or len(model.outputs) != 1:
        raise ArchitectureError(
            f"{name} has {len(inputs)} inputs and {len(model.outputs)} outputs, and"
            " must have one of each"
        )
    taken = tuple(inputs[0].shape)[1:]
    if len(taken) != len(shape) or any(
        a not in (None, b) for a, b in zip(taken, shape, strict=True)
    ):
        raise ArchitectureError(
            f"{name} takes inputs of the shape {taken}, and the data have {shape}; use"
            " the argument input_shape in it"
        )


def _check_can_be_saved(model: Any, name: str) -> None:
    """Check before the training that Keras can write the model after it."""
    import keras

    # A model of a class of its own has no inputs, even when it was called.
    if not getattr(model, "inputs", None):
        raise ArchitectureError(
            f"{name} returned a model of a class of its own, which cannot be saved"
            " without its code; return keras.Sequential or keras.Model(inputs, outputs)"
        )
    try:
        keras.saving.serialize_keras_object(model)
    # Layers of the user's own say in many ways that they cannot be saved.
    except Exception as ex:
        raise ArchitectureError(
            f"{name} has a layer that Keras cannot save; give each class of its own in"
            " it a method get_config"
        ) from ex


def _check_scores(
    scores: NDArray[np.float32], name: str, outputs: int, *, is_classes: bool
) -> None:
    """Check that the scores of two images or rows are probabilities."""
    if scores.shape[1:] != (outputs,):
        raise ArchitectureError(
            f"{name} gives outputs of the shape {scores.shape[1:]}, and the data need"
            f" ({outputs},); use the argument classes in it"
        )
    if is_classes and (
        scores.min() < 0 or not np.allclose(scores.sum(axis=1), 1, atol=_TOLERANCE)
    ):
        raise ArchitectureError(
            f"{name} gives scores that do not sum to 1; let its last layer have"
            " activation='softmax'"
        )
