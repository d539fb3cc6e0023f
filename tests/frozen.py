"""Frozen graphs of a few numbers are built here, as TF1 wrote models.

A function makes the nodes of each graph, ``x`` to ``scores``. TensorFlow is imported
only when a graph is built.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.examples import WEIGHTS

FILE = "tf_model_20180315.pb"


def frozen(build: Callable) -> bytes:
    """Return the GraphDef of the nodes that ``build`` makes with tf.compat.v1."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        build(tf.compat.v1)
    return graph.as_graph_def().SerializeToString()


def rows(v1) -> None:
    """Build (None, 4) -> (None, 3): a row times the weights."""
    x = v1.placeholder(v1.float32, [None, 4], name="x")
    v1.matmul(x, v1.constant(WEIGHTS), name="scores")


def scoped_rows(v1) -> None:
    """Build the same between nodes of a scope, ``net/x`` and ``net/scores``."""
    with v1.name_scope("net"):
        rows(v1)


def pixels(v1, channels: int = 1) -> None:
    """Build (None, 2, 2, C) -> (None, 3): the first 4 values times the weights."""
    x = v1.placeholder(v1.float32, [None, 2, 2, channels], name="x")
    row = v1.reshape(x, [-1, 4 * channels])[:, :4]
    v1.matmul(row, v1.constant(WEIGHTS), name="scores")


def frozen_variables() -> bytes:
    """Build (None, 4) -> (None, 3) from variables, and freeze it as TF1 did."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_from_session_graph as freeze,
    )

    graph = tf.Graph()
    with graph.as_default():
        variable_rows(tf.compat.v1)
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            frozen = freeze(session, graph.as_graph_def(), ["scores"])
    return frozen.SerializeToString()


def rows_with_default(v1) -> None:
    """Build ``rows`` times a number that is one unless somebody feeds it."""
    x = v1.placeholder(v1.float32, [None, 4], name="x")
    keep = v1.placeholder_with_default(np.float32(1), [], name="keep")
    v1.matmul(x * keep, v1.constant(WEIGHTS), name="scores")


def variable_rows(v1) -> None:
    """Build ``rows`` with a variable for the weights."""
    x = v1.placeholder(v1.float32, [None, 4], name="x")
    weights = v1.get_variable("weights", initializer=WEIGHTS, use_resource=False)
    v1.matmul(x, weights, name="scores")


def write_frozen_bundle(
    folder: Path, graph: bytes, *, file: str = FILE, **params: object
) -> Path:
    """Write a bundle as TFaaS had them in 2018."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "name": "frozen",
        "model": file,
        "labels": "labels.txt",
        "inputNode": "x",
        "outputNode": "scores",
        **params,
    }
    (folder / "params.json").write_text(json.dumps(content))
    (folder / "labels.txt").write_text("zero\none\ntwo\n")
    (folder / file).write_bytes(graph)
    return folder


ROW = np.array([[1, 2, 3, 4]], np.float32)
# Pixel 0 feeds class 0, pixel 1 feeds class 1, and 3 + 4 is class 2.
ANSWER = [[1, 2, 7]]
