"""TensorFlow 1 wrote graphs like these: frozen ones, and its SavedModels.

Each is built by a function of ``tf.compat.v1``, from placeholders of its parameters'
names to ``scores``. A frozen graph tells the shapes of its placeholders only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from runtime.backends.frozen_graph import load_graph
from runtime.backends.saved_model import Signature, load_signature
from tests.zoo.specimen import Specimen

v1 = tf.compat.v1
Shape = tuple[int | None, ...]
Build = Callable[..., tf.Tensor]

GRAPHS: list[Specimen] = []


def frozen(
    *, ranges: Mapping[str, tuple[float, float]] | None = None, **inputs: Shape
) -> Callable[[Build], Build]:
    """Enter a function as a frozen graph.

    Args:
        ranges: the least and the greatest number of inputs by name; else -1 and 1.
        inputs: the shapes of the float32 inputs, by name.
    """

    def enter(build: Build) -> Build:
        def make() -> Signature:
            graph = _graph(build, inputs)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "graph.pb")
                path.write_bytes(graph.as_graph_def().SerializeToString())
                return load_graph(path, list(inputs), ["scores"])

        _enter(f"frozen.{build.__name__}", make, inputs, ranges)
        return build

    return enter


def saved(**inputs: Shape) -> Callable[[Build], Build]:
    """Enter a function, which may have variables, as a SavedModel of TensorFlow 1."""

    def enter(build: Build) -> Build:
        def make() -> Signature:
            graph = _graph(build, inputs)
            with tempfile.TemporaryDirectory() as folder:
                _save(graph, inputs, str(Path(folder, "model")))
                return load_signature(Path(folder, "model"))

        _enter(f"saved.{build.__name__}", make, inputs, None)
        return build

    return enter


def _enter(
    name: str,
    make: Callable[[], Signature],
    inputs: Mapping[str, Shape],
    ranges: Mapping[str, tuple[float, float]] | None,
) -> None:
    drawn = {**dict.fromkeys(inputs, (-1.0, 1.0)), **(ranges or {})}
    GRAPHS.append(Specimen(name, "graphs", make, drawn))


def _graph(build: Build, inputs: Mapping[str, Shape]) -> tf.Graph:
    graph = tf.Graph()
    with graph.as_default():
        tf.random.set_seed(7)
        # Programs of TensorFlow 1 have this: rings of Enter and Exit.
        v1.disable_control_flow_v2()
        try:
            taken = [v1.placeholder(v1.float32, s, name=n) for n, s in inputs.items()]
            v1.identity(build(*taken), name="scores")
        finally:
            v1.enable_control_flow_v2()
    return graph


def _save(graph: tf.Graph, inputs: Mapping[str, Shape], folder: str) -> None:
    with graph.as_default(), v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        builder = v1.saved_model.Builder(folder)
        signature = v1.saved_model.predict_signature_def(
            {name: graph.get_tensor_by_name(f"{name}:0") for name in inputs},
            {"scores": graph.get_tensor_by_name("scores:0")},
        )
        tags = [v1.saved_model.tag_constants.SERVING]
        builder.add_meta_graph_and_variables(
            session,
            tags,
            {"serving_default": signature},
            main_op=v1.tables_initializer(),
        )
        builder.save()


def specimens() -> list[Specimen]:
    """Return all graphs."""
    return list(GRAPHS)


def _weights(*shape: int) -> NDArray[np.float32]:
    fan_in = int(np.prod(shape[:-1]))
    generator = np.random.default_rng(sum(shape))
    values = generator.standard_normal(shape) * np.sqrt(2 / fan_in)
    return values.astype(np.float32)


def _scores(x: tf.Tensor, classes: int = 3) -> tf.Tensor:
    """Return class scores of the features ``(N, C)`` of a picture."""
    return v1.nn.softmax(v1.matmul(x, _weights(x.shape[-1], classes)))


def _conv(x: tf.Tensor, size: int, filters: int, stride: int = 1) -> tf.Tensor:
    kernel = _weights(size, size, x.shape[-1], filters)
    return v1.nn.conv2d(x, kernel, [1, stride, stride, 1], "SAME")


def _normal(x: tf.Tensor) -> tf.Tensor:
    """Normalize as frozen graphs do: scale, offset, mean and variance are constants."""
    count = x.shape[-1]
    scale, offset = _weights(count) + 1, _weights(count) * 0.1
    mean, variance = _weights(count) * 0.2, _weights(count) ** 2 + 0.5
    return v1.nn.fused_batch_norm(
        x, scale, offset, mean, variance, epsilon=1e-3, is_training=False
    )[0]


@frozen(image=(None, 8, 8, 3))
def convolutions(image: tf.Tensor) -> tf.Tensor:
    """Convolve, normalize and pool twice; a dropout keeps all."""
    x = v1.nn.relu(_normal(_conv(image, 3, 4)))
    x = v1.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
    x = v1.nn.relu6(_normal(_conv(x, 3, 8)))
    x = v1.nn.avg_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    keep = v1.placeholder_with_default(np.float32(1), [], "keep")
    x = v1.nn.dropout(v1.reshape(x, [-1, 32]), rate=1 - keep)
    # Programs before TensorFlow 1.13 wrote the dropout like this.
    mask = v1.floor(keep + v1.random_uniform(v1.shape(x)))
    return _scores(x / keep * mask)


@frozen(image=(None, 8, 8, 3), ranges={"image": (0, 255)})
def alex(image: tf.Tensor) -> tf.Tensor:
    """Use local response normalization, and pools that overlap."""
    x = v1.nn.relu(v1.nn.bias_add(_conv(image / 255.0, 5, 8), _weights(8)))
    x = v1.nn.local_response_normalization(x, 2, 2.0, 1e-4, 0.75)
    x = v1.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "VALID")
    x = v1.nn.lrn(_conv(x, 3, 8), depth_radius=5, bias=1.0, alpha=1e-3, beta=0.5)
    return _scores(v1.reshape(x, [-1, 72]))


@frozen(image=(None, 8, 8, 3))
def inception(image: tf.Tensor) -> tf.Tensor:
    """Join four branches side by side."""
    x = v1.nn.relu(_normal(_conv(image, 3, 8, stride=2)))
    pool = v1.nn.max_pool(x, [1, 3, 3, 1], [1, 1, 1, 1], "SAME")
    branches = [
        _conv(x, 1, 4),
        _conv(v1.nn.relu(_conv(x, 1, 4)), 3, 4),
        _conv(v1.nn.relu(_conv(x, 1, 4)), 5, 4),
        _conv(pool, 1, 4),
    ]
    x = v1.nn.relu(v1.concat([_normal(branch) for branch in branches], 3))
    return _scores(v1.reduce_mean(x, [1, 2]))


@frozen(image=(None, 8, 8, 4))
def mobile(image: tf.Tensor) -> tf.Tensor:
    """Use depthwise and pointwise convolutions, and squeeze the logits out of one."""
    x = v1.nn.depthwise_conv2d_native(image, _weights(3, 3, 4, 1), [1, 2, 2, 1], "SAME")
    x = v1.nn.relu6(_normal(_conv(v1.nn.relu6(_normal(x)), 1, 8)))
    x = v1.nn.avg_pool(x, [1, 4, 4, 1], [1, 1, 1, 1], "VALID")
    return v1.nn.softmax(v1.squeeze(_conv(x, 1, 5), [1, 2]))


@frozen(image=(None, 6, 6, 4))
def spaces(image: tf.Tensor) -> tf.Tensor:
    """Use atrous convolution by batches, pixels from channels, and places of maxima."""
    crops = [[2, 0], [0, 2]]
    x = v1.space_to_batch_nd(image, [2, 2], crops)
    x = v1.batch_to_space_nd(_conv(x, 3, 4), [2, 2], crops)
    x = v1.space_to_depth(v1.depth_to_space(x, 2), 2) + image
    greatest, places = v1.nn.max_pool_with_argmax(
        x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"
    )
    x = greatest + 0.01 * v1.cast(places, v1.float32)
    return _scores(v1.reshape(x, [-1, 36]))


@frozen(image=(None, 5, 7, 2))
def resizes(image: tf.Tensor) -> tf.Tensor:
    """Resize by TensorFlow 1's rules: by corners, or by neither corners nor centres."""
    made = [
        resize(image, [8, 9], align_corners=corners, half_pixel_centers=centres)
        for resize in (
            v1.image.resize_bilinear,
            v1.image.resize_nearest_neighbor,
            v1.image.resize_bicubic,
        )
        for corners, centres in ((False, False), (True, False), (False, True))
    ]
    made.append(v1.image.resize_area(image, [8, 9]))
    return v1.concat(made, -1)


@frozen(image=(None, 8, 8, 3))
def quantized(image: tf.Tensor) -> tf.Tensor:
    """Leave the graph as ``tf.contrib.quantize`` did."""
    fake = v1.quantization.fake_quant_with_min_max_vars
    x = fake(image, -1.0, 0.992)
    kernel = fake(v1.constant(_weights(3, 3, 3, 4)), -1.2, 1.1, narrow_range=True)
    x = fake(v1.nn.relu6(v1.nn.conv2d(x, kernel, 1, "SAME")), 0.0, 6.0)
    return _scores(v1.reshape(x, [-1, 256]))


@frozen(x=(None, 3))
def loop(x: tf.Tensor) -> tf.Tensor:
    """Use ``tf.while_loop``, and another loop that depends on the data in it."""

    def turn(i: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _, z = v1.while_loop(
            lambda j, _: j < i + 1,
            lambda j, z: (
                j + 1,
                v1.cond(j > 1, lambda: z * 0.9 + x, lambda: z + 1.0),
            ),
            [v1.constant(0), y],
        )
        return i + 1, z

    _, y = v1.while_loop(lambda i, _: i < 3, turn, [v1.constant(0), x])
    return v1.matmul(y, _weights(3, 2))


@frozen(x=(None, 3))
def halved(x: tf.Tensor) -> tf.Tensor:
    """Run as many turns as the data needs."""
    y, turns = v1.while_loop(
        lambda y, _: v1.reduce_max(v1.abs(y)) > 0.1,
        lambda y, turns: (y / 2.0, turns + 1.0),
        [x, v1.constant(0.0)],
    )
    return v1.matmul(y + turns, _weights(3, 2))


@frozen(x=(None, 3))
def branches(x: tf.Tensor) -> tf.Tensor:
    """Nest ``tf.cond``, put one after another, use constants, and use a loop."""
    mean = v1.reduce_mean(x)
    y = v1.cond(
        mean > 0,
        lambda: x * 2,
        lambda: v1.cond(mean < -0.2, lambda: x - 1.0, lambda: v1.ones_like(x)),
    )
    z = v1.cond(v1.reduce_sum(y) > 0, lambda: v1.constant([[1.0, 2, 3]]), lambda: y)
    _, turned = v1.cond(
        v1.reduce_sum(z) > 1,
        lambda: v1.while_loop(
            lambda i, _: i < 3, lambda i, t: (i + 1, t * x), [v1.constant(0), x]
        ),
        lambda: (v1.constant(1), -x),
    )
    return v1.matmul(turned + y + z, _weights(3, 2))


@frozen(steps=(None, 5, 3))
def arrays(steps: tf.Tensor) -> tf.Tensor:
    """Read steps from one array, write them into another, as ``dynamic_rnn`` does."""
    given = tf.TensorArray(v1.float32, 5).unstack(v1.transpose(steps, [1, 0, 2]))
    kernel = v1.constant(_weights(7, 4))

    def step(i: tf.Tensor, state: tf.Tensor, made: Any) -> tuple[Any, ...]:
        state = v1.tanh(v1.matmul(v1.concat([given.read(i), state], 1), kernel))
        return i + 1, state, made.write(i, state)

    first = v1.zeros([v1.shape(steps)[0], 4])
    _, last, made = v1.while_loop(
        lambda i, *_: i < 5, step, [v1.constant(0), first, tf.TensorArray("float", 5)]
    )
    every = v1.reshape(v1.transpose(made.stack(), [1, 0, 2]), [-1, 20])
    return v1.matmul(v1.concat([every, last], 1), _weights(24, 3))


@frozen(x=(None, 6), other=(None, 6))
def two_inputs(x: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Cut, join, and take a one-hot of the best, as scripts of the time did."""
    low, high = v1.split(x * other, 2, axis=1)
    best = v1.one_hot(v1.argmax(x, 1), 6)
    top, _ = v1.nn.top_k(other, 2)
    x = v1.concat([v1.nn.l2_normalize(low, 1), v1.nn.elu(high), best, top], 1)
    return v1.nn.sigmoid(v1.nn.xw_plus_b(x, _weights(14, 3), _weights(3)))


@saved(image=(None, 8, 8, 1))
def variables(image: tf.Tensor) -> tf.Tensor:
    """Use reference variables of ``tf.get_variable``, as TensorFlow 1 made them."""
    kernel = v1.get_variable(
        "kernel", initializer=_weights(3, 3, 1, 4), use_resource=False
    )
    x = v1.nn.relu(_normal(v1.nn.conv2d(image, kernel, 1, "SAME")))
    dense = v1.get_variable("dense", initializer=_weights(256, 3))
    return v1.nn.softmax(v1.matmul(v1.reshape(x, [-1, 256]), dense))


@saved(steps=(None, None, 3))
def lengths(steps: tf.Tensor) -> tf.Tensor:
    """Loop over any number of steps, with a variable as weights."""
    kernel = v1.get_variable("kernel", initializer=_weights(7, 4))

    def step(i: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return i + 1, v1.tanh(v1.matmul(v1.concat([steps[:, i], state], 1), kernel))

    first = v1.zeros([v1.shape(steps)[0], 4])
    _, last = v1.while_loop(
        lambda i, _: i < v1.shape(steps)[1], step, [v1.constant(0), first]
    )
    return v1.matmul(last, _weights(4, 3))


@saved(kind=(None, 3))
def table(kind: tf.Tensor) -> tf.Tensor:
    """Use a lookup table of whole numbers, and an embedding in parts."""
    known = v1.lookup.StaticHashTable(
        v1.lookup.KeyValueTensorInitializer(
            v1.constant([0, 1, 2], v1.int64), v1.constant([3, 1, 2], v1.int64)
        ),
        0,
    )
    places = known.lookup(v1.cast(v1.abs(kind) * 4, v1.int64))
    parts = [v1.get_variable(f"part{i}", initializer=_weights(2, 4)) for i in range(2)]
    rows = v1.nn.embedding_lookup(parts, places)
    return v1.matmul(v1.reduce_mean(rows, 1), _weights(4, 2))
