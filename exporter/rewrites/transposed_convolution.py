"""``Conv2DBackpropInput`` and ``Conv3DBackpropInputV2``: transposed convolutions.

tf2onnx 1.17 converts them correctly if channels come last, and the answer is not larger
than the kernel's reach. With channels first it slices the wrong axes. If
``output_padding``, or a stride longer than the kernel, makes the answer larger, it
writes negative paddings, which ONNX does not allow.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def lower_transposed(
    operation: tf.Operation, sizes: tf.Tensor, kernel: tf.Tensor, x: tf.Tensor
) -> tf.Tensor | None:
    """Compute with channels last, and put zeros after the kernel's reach.

    Args:
        operation: the transposed convolution.
        sizes: the shape of the answer, int32.
        kernel: ``(*sides, out, in)`` of a real dtype.
        x: ``(N, *sides, in)``, or channels first, of the same dtype.
    """
    dims = kernel.shape.rank - 2
    answer = operation.outputs[0].shape
    attributes = {
        "strides": list(operation.get_attr("strides")),
        "dilations": list(operation.get_attr("dilations")),
        "padding": operation.get_attr("padding"),
    }
    if operation.get_attr("data_format").startswith(b"NC"):
        last = [0, *range(2, dims + 2), 1]
        first = [0, dims + 1, *range(1, dims + 1)]
        made = _transposed(
            dims,
            tf.gather(sizes, last),
            kernel,
            tf.transpose(x, last),
            {
                **attributes,
                "strides": [attributes["strides"][axis] for axis in last],
                "dilations": [attributes["dilations"][axis] for axis in last],
            },
        )
        made.set_shape([answer[axis] for axis in last])
        return tf.transpose(made, first)
    wanted, given = answer[1:-1], x.shape[1:-1]
    if not (wanted.is_fully_defined() and given.is_fully_defined()):
        return None
    reached = [
        (length - 1) * stride + (side - 1) * dilation + 1
        for length, stride, dilation, side in zip(
            given,
            attributes["strides"][1:-1],
            attributes["dilations"][1:-1],
            kernel.shape[:dims],
            strict=True,
        )
    ]
    missing = [max(0, w - r) for w, r in zip(wanted, reached, strict=True)]
    if any(missing):
        return _widened(dims, kernel, x, attributes, wanted, reached)
    if sizes.op.type in ("Pack", "Const"):
        return None
    return _transposed(dims, _sizes(x, wanted, kernel), kernel, x, attributes)


def _widened(
    dims: int,
    kernel: tf.Tensor,
    x: tf.Tensor,
    attributes: dict[str, object],
    wanted: Sequence[int],
    reached: Sequence[int],
) -> tf.Tensor:
    """The numbers that the kernel reaches, cut or followed by zeros as needed."""
    made = _transposed(
        dims,
        _sizes(x, reached, kernel),
        kernel,
        x,
        {**attributes, "padding": b"VALID"},
    )
    is_same = attributes["padding"] == b"SAME"
    before = [
        max(0, r - w) // 2 if is_same else 0
        for w, r in zip(wanted, reached, strict=True)
    ]
    cut = made[
        (
            slice(None),
            *(slice(b, b + w) for b, w in zip(before, wanted, strict=True)),
            slice(None),
        )
    ]
    after = [[0, max(0, w - r)] for w, r in zip(wanted, reached, strict=True)]
    return tf.pad(cut, [[0, 0], *after, [0, 0]])


def _sizes(x: tf.Tensor, sides: Sequence[int], kernel: tf.Tensor) -> tf.Tensor:
    """The shape in the form that tf2onnx reads: only the batch is unknown."""
    return tf.stack([tf.shape(x)[0], *sides, kernel.shape[-2]])


def _transposed(
    dims: int,
    sizes: tf.Tensor,
    kernel: tf.Tensor,
    x: tf.Tensor,
    attributes: dict[str, object],
) -> tf.Tensor:
    if dims == 2:
        return tf.raw_ops.Conv2DBackpropInput(
            input_sizes=sizes, filter=kernel, out_backprop=x, **attributes
        )
    return tf.raw_ops.Conv3DBackpropInputV2(
        input_sizes=sizes, filter=kernel, out_backprop=x, **attributes
    )
