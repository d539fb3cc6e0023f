"""Convert a TensorFlow function, and let ONNX Runtime answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray


def converted(
    function: Callable[..., Any],
    *arrays: NDArray[Any],
    free: Sequence[int] = (0,),
) -> list[NDArray[Any]]:
    """Return what the ONNX of a function answers.

    Args:
        function: takes TensorFlow's tensors and answers with one or several.
        arrays: the arguments of the function.
        free: the axes of each array that are free in the ONNX.
    """
    return conversion(function, *arrays, free=free)(*arrays)


def conversion(
    function: Callable[..., Any],
    *arrays: NDArray[Any],
    free: Sequence[int] = (0,),
) -> Callable[..., list[NDArray[Any]]]:
    """Return the ONNX of a function, which may be run more than once.

    Args:
        function: see ``converted``.
        arrays: examples with the types and shapes of the arguments.
        free: see ``converted``.
    """
    import tensorflow as tf

    from exporter.onnx_model.convert import convert
    from runtime.backends.saved_model import Signature

    specs = {
        f"x{i}": tf.TensorSpec(
            [None if axis in free else n for axis, n in enumerate(array.shape)],
            array.dtype,
            f"x{i}",
        )
        for i, array in enumerate(arrays)
    }

    def call(**given: Any) -> dict[str, Any]:
        answer = tf.nest.flatten(function(*(given[name] for name in specs)))
        return {f"y{i:02}": tensor for i, tensor in enumerate(answer)}

    graph = tf.function(call, autograph=False).get_concrete_function(**specs)
    model = convert(Signature(graph, specs, graph.structured_outputs))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [f"y{i:02}" for i in range(len(graph.structured_outputs))]

    def run(*given: NDArray[Any]) -> list[NDArray[Any]]:
        arrays = {name: np.asarray(a) for name, a in zip(specs, given, strict=True)}
        return session.run(names, arrays)

    return run
