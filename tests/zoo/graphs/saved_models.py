"""TensorFlow 1 wrote SavedModels like these: variables, tables, named tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.zoo.graphs.loops import recur
from tests.zoo.graphs.written import saved, weights


def variable(v1: Any, name: str, *shape: int, use_resource: bool = False) -> Any:
    """Return a weight."""
    return v1.get_variable(name, initializer=weights(*shape), use_resource=use_resource)


@saved(x=(-1, 1))
def variables(v1: Any) -> Any:
    """Use both kinds of variables: references and resources."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    y = v1.nn.relu(v1.matmul(x, variable(v1, "first", 4, 5)))
    y = v1.matmul(y, variable(v1, "second", 5, 3, use_resource=True))
    return {"x": x}, {"scores": v1.nn.softmax(y), "logits": y}


@saved(x=(-1, 1))
def averaged(v1: Any) -> Any:
    """Keep batch statistics in variables, and count steps, which no answer needs."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    v1.train.get_or_create_global_step()
    mean = v1.get_variable("mean", initializer=np.float32([0.1, 0.2, 0.3, 0.4]))
    spread = v1.get_variable("spread", initializer=np.float32([1, 2, 3, 4]))
    y = v1.nn.batch_normalization(x, mean, spread, 0.5, 1.5, 1e-3)
    return {"x": x}, {"scores": v1.matmul(y, variable(v1, "kernel", 4, 2))}


@saved(kind=(0, 12), x=(-1, 1))
def table(v1: Any) -> Any:
    """Look whole numbers up, then embed them."""
    kind = v1.placeholder(tf.int64, [None], name="kind")
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    keys, values = np.int64([2, 3, 5, 7, 11]), np.int64([1, 2, 3, 4, 5])
    lookup = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, values), 0
    )
    row = v1.nn.embedding_lookup(variable(v1, "table", 6, 3), lookup.lookup(kind))
    return {"kind": kind, "x": x}, {"scores": v1.concat([x, row], 1)}


@saved(steps=(-1, 1))
def recurrent(v1: Any) -> Any:
    """Run a loop whose kernel is a variable outside of it."""
    steps = v1.placeholder(tf.float32, [None, None, 3], name="steps")
    widened = v1.tensordot(steps, variable(v1, "widen", 3, 3), [[2], [0]])
    widened.set_shape([None, None, 3])
    outputs, (hidden, _) = recur(v1, widened)
    kernel = variable(v1, "kernel", 4, 3, use_resource=True)
    return {"steps": steps}, {"scores": v1.matmul(hidden, kernel), "all": outputs}


@saved(x=(-1, 1))
def loop_with_variables(v1: Any) -> Any:
    """Read variables of both kinds inside a loop."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    first = variable(v1, "first", 4, 4)
    second = variable(v1, "second", 4, 4, use_resource=True)
    _, y = v1.while_loop(
        lambda i, _: i < 3,
        lambda i, y: (i + 1, v1.tanh(v1.matmul(v1.matmul(y, first), second))),
        [0, x],
    )
    return {"x": x}, {"scores": y}
