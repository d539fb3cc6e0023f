"""The replies to predictions, classifications and regressions: JSON with NaN in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from runtime.errors import BackendError, InvalidInput
from runtime.prediction.answers import Outputs
from runtime.prediction.postprocess import is_finite, to_texts
from runtime.wire.tfs.base64_object import KEY
from runtime.wire.tfs.datatypes import word_of

# Without a line's end two replies run together in a terminal.
_OPTION = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
# Outputs whose names end so hold bytes, and not texts.
_BYTES = "_bytes"


def write_predictions(is_row: bool, answer: Outputs) -> bytes:
    """Write all outputs, item by item in row form, or each output as a whole.

    Args:
        is_row: whether the request came in row form.
        answer: all outputs, as the engine gave them.

    Raises:
        InvalidInput: an output cannot stand in JSON; or, in row form, it has no batch
            axis, or another number of items than the first one.
    """
    outputs = {
        name: np.asarray(array, order="C") for name, array in answer.outputs.items()
    }
    whole: Any
    if not is_row:
        values = {name: _whole(name, array) for name, array in outputs.items()}
        whole = values if len(values) > 1 else next(iter(values.values()))
        return orjson.dumps({"outputs": whole}, option=_OPTION)
    _check_items(outputs)
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        whole = _whole(name, array)
    else:
        columns = [_items(name, array) for name, array in outputs.items()]
        whole = [
            dict(zip(outputs, values, strict=True))
            for values in zip(*columns, strict=True)
        ]
    return orjson.dumps({"predictions": whole}, option=_OPTION)


def _check_items(outputs: dict[str, NDArray[Any]]) -> None:
    """Check that all outputs have one number of items."""
    count = None
    for name, array in outputs.items():
        if not array.ndim:
            raise InvalidInput(f"Tensor name: {name} has no shape information ")
        if len(array) != (count := len(array) if count is None else count):
            raise InvalidInput(
                f"Tensor name: {name} has inconsistent batch size: {len(array)}"
                f" expecting: {count}"
            )


def _whole(name: str, array: NDArray[Any]) -> Any:
    """Return what orjson writes for a whole output."""
    if array.dtype.kind in "OSU":
        return _texts(name, array).tolist()
    _check_numbers(array)
    return _numbers(array)


def _items(name: str, array: NDArray[Any]) -> Iterable[Any]:
    """Return what orjson writes for each item of an output."""
    if array.dtype.kind in "OSU":
        return list(_texts(name, array).tolist())
    _check_numbers(array)
    if not is_finite(array):
        return [_numbers(item) for item in array]
    return array.tolist() if _has_whole_scalars(array, 1) else list(array)


def _check_numbers(array: NDArray[Any]) -> None:
    if array.dtype.kind not in "fiub":
        raise InvalidInput(
            f"Failed to write JSON value for tensor type: {word_of(array.dtype)}"
        )


def _numbers(array: NDArray[Any]) -> Any:
    """Return what orjson writes for numbers of any shape; it knows no NaN itself."""
    array = np.asarray(array)
    if _has_whole_scalars(array, 0):
        return array.tolist()
    # orjson writes no array without axes, and writes numpy's scalars.
    whole = array if array.ndim else array[()]
    if is_finite(array):
        return whole
    # orjson writes null for these alone, and all others in as few digits as it can.
    words = iter(array[~np.isfinite(array)].tolist())
    text = orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)
    return orjson.Fragment(re.sub(b"null", lambda _: _WORDS[str(next(words))], text))


def _has_whole_scalars(array: NDArray[Any], axes: int) -> bool:
    """Tell whether an array of so many axes holds no floats.

    Python has these numbers, too. orjson knows only one of numpy's two scalars of 64
    bits, and ONNX Runtime may answer the other one.
    """
    return array.ndim == axes and array.dtype.kind != "f"


_WORDS = {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}


def _texts(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return the texts of an output, or objects of base64 if it holds bytes."""
    if not name.endswith(_BYTES):
        try:
            return to_texts(array)
        except BackendError as ex:
            raise InvalidInput(
                f"output {name!r} holds bytes that are no text in UTF-8; only an output"
                f" whose name ends in {_BYTES} is sent as base64"
            ) from ex
    objects = np.empty(array.size, object)
    objects[:] = [
        {KEY: base64.b64encode(_encoded(value)).decode()}
        for value in array.ravel().tolist()
    ]
    return objects.reshape(array.shape)


def _encoded(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def write_classes(answer: Outputs) -> bytes:
    """Write the label and the score of each class, in the order of the classes.

    A class without a label has an empty one. A single score of a model with two labels
    belongs to the second; the first has 1 minus that.

    Args:
        answer: the outputs; the main one has a score for each class of each item.

    Raises:
        InvalidInput: the main output has no such scores.
    """
    scores = _main(answer)
    if scores.ndim != 2:
        raise InvalidInput(
            f"output {answer.main!r} has no scores of classes: it has {scores.ndim}"
            " axes and not two; ask by :predict"
        )
    labels = answer.labels
    if scores.shape[1] == 1 and len(labels) == 2:
        scores = np.concatenate([1 - scores, scores], axis=1)
    names = [*labels[: scores.shape[1]], *[""] * (scores.shape[1] - len(labels))]
    results = [list(zip(names, map(_numbers, row), strict=True)) for row in scores]
    return orjson.dumps({"results": results}, option=_OPTION)


def write_values(answer: Outputs) -> bytes:
    """Write one number for each item.

    Args:
        answer: the outputs; the main one is ``(N,)`` or ``(N, 1)``.

    Raises:
        InvalidInput: the main output has another shape, or no numbers.
    """
    values = _main(answer)
    if values.shape not in ((len(values),), (len(values), 1)):
        raise InvalidInput(
            f"output {answer.main!r} has not one number for each item, but the shape"
            f" {list(values.shape)}; ask by :predict"
        )
    return orjson.dumps({"results": _numbers(values.ravel())}, option=_OPTION)


def _main(answer: Outputs) -> NDArray[Any]:
    """Return the main output as floats, each of its items at the first axis."""
    array = np.asarray(answer.outputs[answer.main], order="C")
    if array.dtype.kind not in "fiub" or not array.ndim:
        raise InvalidInput(f"output {answer.main!r} has no number for each item")
    return array if array.dtype.kind == "f" else array.astype(np.float64)
