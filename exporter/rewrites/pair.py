"""Complex numbers as two real ones: no operator of ONNX Runtime takes complex ones.

Operators that only move numbers are applied to both parts. Arithmetic is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2

from exporter.rewrites.registry import complex_lowering


@dataclass(frozen=True)
class Pair:
    """A complex tensor.

    Attributes:
        real: its real part.
        imag: its imaginary part, of the same shape and dtype.
    """

    real: tf.Tensor
    imag: tf.Tensor

    def __add__(self, other: Pair) -> Pair:
        """Add each part."""
        return Pair(self.real + other.real, self.imag + other.imag)

    def __sub__(self, other: Pair) -> Pair:
        """Subtract each part."""
        return Pair(self.real - other.real, self.imag - other.imag)

    def __mul__(self, other: Pair) -> Pair:
        """Multiply: ``(a + bi)(c + di)``."""
        return product(self, other, tf.multiply)

    def scaled(self, by: tf.Tensor) -> Pair:
        """Multiply by a real number."""
        return Pair(self.real * by, self.imag * by)


def product(a: Pair, b: Pair, of: Callable[..., tf.Tensor]) -> Pair:
    """The complex product, made of the real products that ``of`` computes."""
    return Pair(
        of(a.real, b.real) - of(a.imag, b.imag), of(a.real, b.imag) + of(a.imag, b.real)
    )


def part_of(dtype: tf.DType) -> tf.DType:
    """The real dtype of each part of a complex dtype."""
    return tf.float64 if dtype == tf.complex128 else tf.float32


@complex_lowering("Complex")
def lower_complex(operation: tf.Operation, real: tf.Tensor, imag: tf.Tensor) -> Pair:
    """Make a pair; both parts get their common shape."""
    return Pair(real + tf.zeros_like(imag), imag + tf.zeros_like(real))


@complex_lowering("Real")
def lower_real(operation: tf.Operation, x: Pair) -> tf.Tensor:
    """Return the real part."""
    return x.real


@complex_lowering("Imag")
def lower_imag(operation: tf.Operation, x: Pair) -> tf.Tensor:
    """Return the imaginary part."""
    return x.imag


@complex_lowering("Conj")
def lower_conj(operation: tf.Operation, x: Pair) -> Pair:
    """Return the complex conjugate."""
    return Pair(x.real, -x.imag)


@complex_lowering("ComplexAbs")
def lower_abs(operation: tf.Operation, x: Pair) -> tf.Tensor:
    """The distance from 0; it does not overflow where the squares would."""
    a, b = tf.abs(x.real), tf.abs(x.imag)
    most, least = tf.maximum(a, b), tf.minimum(a, b)
    ratio = least / tf.where(tf.equal(most, 0), tf.ones_like(most), most)
    return most * tf.sqrt(1 + ratio * ratio)


@complex_lowering("Angle")
def lower_angle(operation: tf.Operation, x: Pair) -> tf.Tensor:
    """The angle, from -pi to pi."""
    return tf.atan2(x.imag, x.real)


@complex_lowering("Cast")
def lower_cast(operation: tf.Operation, x: Any) -> Pair | tf.Tensor:
    """Cast to complex numbers, from them, or between them."""
    dtype = operation.outputs[0].dtype
    if not dtype.is_complex:
        return tf.cast(x.real, dtype)
    if isinstance(x, Pair):
        return Pair(tf.cast(x.real, part_of(dtype)), tf.cast(x.imag, part_of(dtype)))
    real = tf.cast(x, part_of(dtype))
    return Pair(real, tf.zeros_like(real))


@complex_lowering("Const")
def lower_constant(operation: tf.Operation) -> Pair:
    """Make a constant for each part."""
    value = tf.make_ndarray(operation.get_attr("value"))
    return Pair(tf.constant(value.real.copy()), tf.constant(value.imag.copy()))


@complex_lowering("Add", "AddV2")
def lower_add(operation: tf.Operation, a: Pair, b: Pair) -> Pair:
    """Add each part."""
    return a + b


@complex_lowering("AddN")
def lower_add_n(operation: tf.Operation, *terms: Pair) -> Pair:
    """Add each part of all terms."""
    return Pair(tf.add_n([t.real for t in terms]), tf.add_n([t.imag for t in terms]))


@complex_lowering("Sub")
def lower_sub(operation: tf.Operation, a: Pair, b: Pair) -> Pair:
    """Subtract each part."""
    return a - b


@complex_lowering("Neg")
def lower_neg(operation: tf.Operation, x: Pair) -> Pair:
    """Negate each part."""
    return Pair(-x.real, -x.imag)


@complex_lowering("Mul")
def lower_mul(operation: tf.Operation, a: Pair, b: Pair) -> Pair:
    """Multiply: ``(a + bi)(c + di)``."""
    return a * b


@complex_lowering("Square")
def lower_square(operation: tf.Operation, x: Pair) -> Pair:
    """Multiply x by itself."""
    return x * x


@complex_lowering("RealDiv", "Div")
def lower_div(operation: tf.Operation, a: Pair, b: Pair) -> Pair:
    """Divide, by means of the conjugate."""
    size = b.real * b.real + b.imag * b.imag
    above = a * Pair(b.real, -b.imag)
    return Pair(above.real / size, above.imag / size)


@complex_lowering("Reciprocal")
def lower_reciprocal(operation: tf.Operation, x: Pair) -> Pair:
    """Return ``1 / x``."""
    size = x.real * x.real + x.imag * x.imag
    return Pair(x.real / size, -x.imag / size)


@complex_lowering("Exp")
def lower_exp(operation: tf.Operation, x: Pair) -> Pair:
    """Return ``exp(a) (cos b + i sin b)``."""
    return Pair(tf.cos(x.imag), tf.sin(x.imag)).scaled(tf.exp(x.real))


@complex_lowering("Log")
def lower_log(operation: tf.Operation, x: Pair) -> Pair:
    """Return ``log |x| + i angle``."""
    return Pair(tf.math.log(lower_abs(operation, x)), tf.atan2(x.imag, x.real))


@complex_lowering("Sqrt")
def lower_sqrt(operation: tf.Operation, x: Pair) -> Pair:
    """The root whose real part is not negative."""
    size = lower_abs(operation, x)
    real = tf.sqrt(tf.maximum(size + x.real, 0) / 2)
    imag = tf.sqrt(tf.maximum(size - x.real, 0) / 2)
    return Pair(real, tf.where(x.imag < 0, -imag, imag))


@complex_lowering("Pow")
def lower_pow(operation: tf.Operation, a: Pair, b: Pair) -> Pair:
    """Return ``exp(b log a)``; 0 if a is 0."""
    raised = lower_exp(operation, b * lower_log(operation, a))
    is_zero = tf.logical_and(tf.equal(a.real, 0), tf.equal(a.imag, 0))
    zero = tf.zeros_like(raised.real)
    return Pair(
        tf.where(is_zero, zero, raised.real), tf.where(is_zero, zero, raised.imag)
    )


@complex_lowering("Equal", "NotEqual")
def lower_equal(operation: tf.Operation, a: Pair, b: Pair) -> tf.Tensor:
    """Whether both parts are equal."""
    same = tf.logical_and(tf.equal(a.real, b.real), tf.equal(a.imag, b.imag))
    return same if operation.type == "Equal" else tf.logical_not(same)


@complex_lowering("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def lower_matmul(operation: tf.Operation, a: Pair, b: Pair) -> Pair:
    """Products of matrices ``(..., M, N)``; ``adj_x`` transposes and conjugates."""
    is_batch = operation.type != "MatMul"

    def turned(x: Pair, which: str) -> Pair:
        if is_batch and operation.get_attr(f"adj_{'xy'[which == 'b']}"):
            real, imag = tf.linalg.matrix_transpose(x.real), -x.imag
            return Pair(real, tf.linalg.matrix_transpose(imag))
        if not is_batch and operation.get_attr(f"transpose_{which}"):
            return Pair(tf.transpose(x.real), tf.transpose(x.imag))
        return x

    return product(turned(a, "a"), turned(b, "b"), tf.matmul)


@complex_lowering("Mean")
def lower_mean(operation: tf.Operation, x: Pair, axes: tf.Tensor) -> Pair:
    """The mean of each part."""
    keep = operation.get_attr("keep_dims")
    return Pair(*(tf.reduce_mean(part, axes, keep) for part in (x.real, x.imag)))


@complex_lowering("ConjugateTranspose")
def lower_conjugate_transpose(
    operation: tf.Operation, x: Pair, order: tf.Tensor
) -> Pair:
    """Order the axes anew, and conjugate."""
    return Pair(tf.transpose(x.real, order), -tf.transpose(x.imag, order))


@complex_lowering(
    "BroadcastTo", "ConcatV2", "ExpandDims", "Fill", "GatherNd",
    "GatherV2", "Identity", "IdentityN", "MatrixBandPart", "MatrixDiagPartV3",
    "MatrixDiagV3", "MirrorPad", "OnesLike", "Pack", "Pad", "PadV2", "Reshape",
    "ReverseV2", "Roll", "SelectV2", "Select", "Slice", "Snapshot", "Split", "SplitV",
    "Squeeze", "StopGradient", "StridedSlice", "Sum", "TensorScatterUpdate", "Tile",
    "Transpose", "Unpack", "ZerosLike",
)  # fmt: skip
def lower_moved(operation: tf.Operation, *inputs: Any) -> list[Pair | tf.Tensor]:
    """Apply the operator to both parts."""
    real = _repeat(operation, [x.real if isinstance(x, Pair) else x for x in inputs])
    imag = _repeat(operation, [x.imag if isinstance(x, Pair) else x for x in inputs])
    if operation.type == "OnesLike":
        imag = [tf.zeros_like(part) for part in imag]
    # IdentityN may hold real numbers, too.
    return [
        Pair(a, b) if output.dtype.is_complex else a
        for a, b, output in zip(real, imag, operation.outputs, strict=True)
    ]


@complex_lowering("Shape", "Size", "Rank")
def lower_shape(operation: tf.Operation, x: Pair) -> tf.Tensor:
    """The shape of the real part; both parts have the same shape."""
    return _repeat(operation, [x.real])[0]


def _repeat(operation: tf.Operation, inputs: list[tf.Tensor]) -> list[tf.Tensor]:
    """Copy the operation, with real inputs."""
    attributes = {}
    for key, value in operation.node_def.attr.items():
        if key.startswith("_"):
            continue
        if value.type and tf.as_dtype(value.type).is_complex:
            real = part_of(tf.as_dtype(value.type)).as_datatype_enum
            value = attr_value_pb2.AttrValue(type=real)
        elif value.list.type:
            real_types = [
                part_of(tf.as_dtype(t)).as_datatype_enum
                if tf.as_dtype(t).is_complex
                else t
                for t in value.list.type
            ]
            value = attr_value_pb2.AttrValue()
            value.list.type.extend(real_types)
        attributes[key] = value
    dtypes = [
        part_of(t.dtype) if t.dtype.is_complex else t.dtype for t in operation.outputs
    ]
    graph = tf.compat.v1.get_default_graph()
    made = graph.create_op(operation.type, inputs, dtypes, attrs=attributes)
    return list(made.outputs)
